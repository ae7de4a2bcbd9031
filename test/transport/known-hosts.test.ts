import { describe, expect, test } from "vitest";
import { findHostKey, keyFingerprint, keyType, knownHostLine, knownTypes } from "../../src/transport/known-hosts.ts";

// Keys and hashed names made with ssh-keygen and `ssh-keygen -H` of OpenSSH 9.2.
const one = "AAAAC3NzaC1lZDI1NTE5AAAAII3VrbFvg0U0VtkMbcHyxoA3iL1FsvABOkNYzVo83QXz";
const two = "AAAAC3NzaC1lZDI1NTE5AAAAIHpzRBHohhvS10RlG2z+JKlzS5gw2k24kFyBdieYlu6n";
const key = Buffer.from(one, "base64");

const states = (file: string, host = "host.example", port = 22) => findHostKey(file, host, port, key).state;

describe("known hosts", () => {
  test.each([
    ["by name", `host.example ssh-ed25519 ${one}`, "known"],
    ["with comment, blanks and other lines", `# hosts\n\n  host.example\tssh-ed25519  ${one} me@here\r\n`, "known"],
    ["among names", `other,HOST.example,10.0.0.1 ssh-ed25519 ${one}`, "known"],
    ["by pattern", `*.example ssh-ed25519 ${one}`, "known"],
    ["by pattern of one letter", `h?st.example ssh-ed25519 ${one}`, "known"],
    ["by pattern that is no expression", `host-example ssh-ed25519 ${one}`, "unknown"],
    ["left out", `*.example,!host.example ssh-ed25519 ${one}`, "unknown"],
    ["with another key", `host.example ssh-ed25519 ${two}`, "changed"],
    ["with another kind of key", `host.example ssh-rsa ${two}`, "changed"],
    ["with several keys", `host.example ssh-ed25519 ${two}\nhost.example ssh-ed25519 ${one}`, "known"],
    ["another host", `other.example ssh-ed25519 ${one}`, "unknown"],
    ["another port", `[host.example]:2222 ssh-ed25519 ${one}`, "unknown"],
    ["revoked", `host.example ssh-ed25519 ${one}\n@revoked * ssh-ed25519 ${one}`, "revoked"],
    ["another key revoked", `@revoked * ssh-ed25519 ${two}\nhost.example ssh-ed25519 ${one}`, "known"],
    ["a mark that nobody knows", `@trusted * ssh-ed25519 ${one}`, "unknown"],
    ["authority of certificates", `@cert-authority * ssh-ed25519 ${one}`, "unknown"],
    ["commented out", `#host.example ssh-ed25519 ${one}`, "unknown"],
    ["cut short", "host.example ssh-ed25519", "unknown"],
    ["empty", "", "unknown"],
  ])("known-hosts/%s", (_, file, state) => {
    expect(states(file)).toBe(state);
  });

  test("known-hosts/port: named where it is not 22", () => {
    const line = knownHostLine("Host.example", 2222, key);
    expect(line).toBe(`[host.example]:2222 ssh-ed25519 ${one}\n`);
    expect(states(line, "host.example", 2222)).toBe("known");
    expect(knownHostLine("host.example", 22, key)).toBe(`host.example ssh-ed25519 ${one}\n`);
  });

  test("known-hosts/hashed names, as ssh-keygen -H writes them", () => {
    const hashed = `|1|ZpRu1qiawWpPTAOEG+ixi/UEs78=|6vxqSgYv3vK+VgUuH5tn/VRxAaw= ssh-ed25519 ${one}\n|1|cOAKPHE4fe/NLvOT04593Wmv+r4=|HEHyNrefhdBOuQNsLQjR2rIhQvc= ssh-ed25519 ${two}\n`;
    expect(states(hashed)).toBe("known");
    expect(states(hashed, "host.example", 2222)).toBe("changed");
    expect(states(hashed, "other.example")).toBe("unknown");
  });

  test("known-hosts/kinds of key, and fingerprint", () => {
    expect(
      knownTypes(`host.example ssh-rsa A\n*.example ssh-ed25519 B\n@revoked * ecdsa C\nx y z`, "host.example", 22),
    ).toEqual(["ssh-rsa", "ssh-ed25519"]);
    expect(keyType(key)).toBe("ssh-ed25519");
    expect(keyType(new Uint8Array(3))).toBe("");
    expect(keyFingerprint(key)).toBe("SHA256:N29ZhsJE3Cz5eqKQ2UBAQMYJY7Qdz5HI7qaQQJvRObE");
  });
});
