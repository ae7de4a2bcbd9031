import { createSecureContext } from "node:tls";
import { describe, expect, test } from "vitest";
import { tlsPriority } from "../../src/transport/tls-priority.ts";

const suites13 = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_128_CCM_SHA256";
const sorted = (suites: string | undefined) => (suites ?? "").split(":").sort();

describe("tls_priority", () => {
  test.each(["NORMAL", "PERFORMANCE", "PFS", "SECURE128", "SECURE192", "SECURE256", "normal"])(
    "priority/%s is something that OpenSSL takes",
    (keyword) => {
      const options = tlsPriority(keyword);
      expect([options.minVersion, options.maxVersion]).toEqual(["TLSv1.2", "TLSv1.3"]);
      expect(() => createSecureContext(options)).not.toThrow();
    },
  );

  test("priority/PFS has no key exchange without forward secrecy", () => {
    expect(sorted(tlsPriority("NORMAL").ciphers)).toContain("AES256-GCM-SHA384");
    expect(sorted(tlsPriority("PFS").ciphers)).not.toContain("AES256-GCM-SHA384");
  });

  test("priority/SECURE192 and above have keys of 256 bits, large groups and long hashes in signatures", () => {
    const { ciphers, ecdhCurve, sigalgs } = tlsPriority("SECURE256");
    expect(ciphers).not.toMatch(/128/);
    expect(ecdhCurve).toBe("P-384:P-521:ffdhe8192");
    expect(sigalgs).toContain("ECDSA+SHA384");
    expect(sigalgs).not.toMatch(/SHA1|SHA256/i);
    expect(tlsPriority("NORMAL")).not.toHaveProperty("sigalgs");
  });

  // What the keywords contain in full is compared with gnutls-cli in the interop tests.
  test("priority/order: by key exchange, then cipher; no MAC but SHA1 unless it is added", () => {
    const { ciphers = "" } = tlsPriority("PERFORMANCE:-VERS-TLS1.3:-CIPHER-ALL:+AES-128-CBC:+AES-256-GCM");
    expect(ciphers.split(":").slice(0, 3)).toEqual(["AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA"]);
    expect(tlsPriority("NORMAL:+SHA256").ciphers).toContain("AES128-SHA256");
  });

  test("priority/versions", () => {
    expect(tlsPriority("NORMAL:-VERS-TLS1.3")).toMatchObject({ minVersion: "TLSv1.2", maxVersion: "TLSv1.2" });
    const newest = tlsPriority("NORMAL:-VERS-ALL:+VERS-TLS1.3");
    expect(newest).toMatchObject({ minVersion: "TLSv1.3", maxVersion: "TLSv1.3" });
    expect(sorted(newest.ciphers)).toEqual(sorted(suites13));
    const oldest = tlsPriority("NORMAL:+VERS-TLS1.1:+VERS-TLS1.0");
    expect(oldest).toMatchObject({ minVersion: "TLSv1", maxVersion: "TLSv1.3" });
    expect(oldest.ciphers).toMatch(/:@SECLEVEL=0$/);
  });

  test("priority/words: order is kept, ! takes away as - does, CURVE- is GROUP-", () => {
    expect(
      tlsPriority("NONE:+VERS-TLS1.3:+AES-128-GCM:+AES-256-GCM:+AEAD:+ECDHE-RSA:+CURVE-X25519:+SIGN-ALL:+COMP-NULL"),
    ).toEqual({
      minVersion: "TLSv1.3",
      maxVersion: "TLSv1.3",
      ciphers: "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384",
      ecdhCurve: "X25519",
    });
    expect(tlsPriority("NORMAL:!AES-128-CBC").ciphers).not.toContain("AES128-SHA");
    expect(tlsPriority("NORMAL:-CIPHER-ALL:+CHACHA20-POLY1305:-RSA").ciphers).toBe(
      "TLS_CHACHA20_POLY1305_SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:DHE-RSA-CHACHA20-POLY1305",
    );
  });

  test.each([
    ["NORMAL:+AES-512", '"+AES-512"'],
    ["NORMAL:%COMPAT", '"%COMPAT"'],
    ["NORMAL:AES-256-GCM", '"AES-256-GCM"'],
    ["NORMAL:-SIGN-ALL", '"-SIGN-ALL"'],
    ["NORMAL:+ARCFOUR-128", '"+ARCFOUR-128"'],
    ["@SYSTEM", '"@SYSTEM"'],
    ["LEGACY", '"LEGACY"'],
    ["SOMETHING:+AES-256-GCM", '"SOMETHING"'],
    ["constructor", '"constructor"'],
    ["", '""'],
    ["NORMAL:-VERS-ALL", "no version"],
    ["NORMAL:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.3", "between two"],
    ["NORMAL:-CIPHER-ALL", "no cipher suite"],
    ["NORMAL:-GROUP-ALL", "no group"],
  ])("priority/refused %s", (priority, named) => {
    const refusal = expect(() => tlsPriority(priority));
    refusal.toThrow(expect.objectContaining({ name: "TransportError", code: "option" }));
    refusal.toThrow(named);
  });
});
