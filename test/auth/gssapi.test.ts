/** GSSAPI against a stand-in for the package `kerberos`: which calls are made, with which bytes. */
import { describe, expect, test } from "vitest";
import { Credentials } from "../../src/auth/credentials.ts";
import { GssapiClient, type Kerberos, type KerberosClient } from "../../src/auth/gssapi.ts";
import type { FixedCredentials } from "../../src/auth/index.ts";
import { VirErrorNumber } from "../../src/generated/libvirt/index.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const base64 = (data: string | Uint8Array) => Buffer.from(data).toString("base64");

/** A context of two round trips. Wrapping puts `wrapped:` in front. */
function standIn(steps: readonly (string | Error)[] = ["ticket", ""]) {
  const calls: unknown[] = [];
  let at = 0;
  const client: KerberosClient = {
    get contextComplete() {
      return at === steps.length;
    },
    step: async (challenge) => {
      calls.push(["step", Buffer.from(challenge, "base64").toString()]);
      const step = steps[at++] ?? new Error("no more steps");
      if (step instanceof Error) throw step;
      return base64(step);
    },
    unwrap: async (wrapped) => {
      const text = Buffer.from(wrapped, "base64").toString("latin1");
      if (!text.startsWith("wrapped:")) throw new Error("A token had an invalid MIC");
      return Buffer.from(text.slice(8), "latin1").toString("base64");
    },
    wrap: async (_offer, { user }) => {
      calls.push(["wrap", user]);
      return base64(`wrapped:\x01\0\0\0${user}`);
    },
  };
  const kerberos: Kerberos = {
    GSS_MECH_OID_KRB5: 9,
    initializeClient: async (...args) => {
      calls.push(args);
      return client;
    },
  };
  return { kerberos, calls };
}

function client(kerberos: Kerberos, credentials: FixedCredentials = {}): GssapiClient {
  const answers = new Credentials({ credentials }, new AbortController().signal);
  return new GssapiClient({ credentials: answers, service: "libvirt", host: "there", minSsf: 0, maxSsf: 0 }, kerberos);
}

const offer = (...values: number[]) => bytes(`wrapped:${String.fromCharCode(...values)}`);

describe("GSSAPI", () => {
  test.each([
    [{}, ""],
    [{ username: "other" }, "other"],
  ])("RFC 4752 section 3.1, as %j", async (credentials, authzid) => {
    const { kerberos, calls } = standIn();
    const gssapi = client(kerberos, credentials);
    expect(await gssapi.start()).toEqual({ data: bytes("ticket"), complete: false });
    expect(calls[0]).toEqual(["libvirt@there", { mechOID: 9 }]);
    // The context is made: an empty message, which is one.
    expect(await gssapi.step(bytes("proof"))).toEqual({ data: new Uint8Array(0), complete: false });
    const answer = await gssapi.step(offer(7, 0, 0x10, 0));
    expect(answer).toEqual({ data: bytes(`wrapped:\x01\0\0\0${authzid}`), complete: true });
    expect(calls.slice(1)).toEqual([
      ["step", ""],
      ["step", "proof"],
      ["wrap", authzid],
    ]);
    expect(gssapi.layer).toBeUndefined();
  });

  test.each([
    ["that insists on a layer", offer(6, 0, 0x10, 0)],
    ["of the wrong length", offer(1, 0, 0)],
    ["that is empty", offer()],
    ["that nobody wrapped", bytes("\x01\0\0\0")],
    ["that is none", null],
  ])("an offer %s is refused", async (_name, message) => {
    const { kerberos } = standIn(["ticket"]);
    const gssapi = client(kerberos);
    await gssapi.start();
    await expect(gssapi.step(message)).rejects.toMatchObject({ code: VirErrorNumber.VIR_ERR_AUTH_FAILED });
  });

  test("a server that goes on is refused", async () => {
    const { kerberos } = standIn(["ticket"]);
    const gssapi = client(kerberos);
    await gssapi.start();
    await gssapi.step(offer(1, 0, 0, 0));
    await expect(gssapi.step(offer(1, 0, 0, 0))).rejects.toMatchObject({ code: VirErrorNumber.VIR_ERR_AUTH_FAILED });
  });

  test("without a ticket it cannot be used; what the package says is in the error", async () => {
    const { kerberos } = standIn([new Error("No Kerberos credentials available")]);
    await expect(client(kerberos).start()).rejects.toMatchObject({
      code: VirErrorNumber.VIR_ERR_AUTH_UNAVAILABLE,
      message: "authentication unavailable: GSSAPI: No Kerberos credentials available",
      cause: expect.any(Error),
    });
  });
});
