import { describe, expect, test } from "vitest";
import { types } from "../../src/generated/netmessage/index.ts";
import { domainGetInfo, type RemoteHandlers, remoteDescription } from "../../src/generated/remote/index.ts";
import {
  type AnyHandler,
  type AnyProcedure,
  Dispatcher,
  type Header,
  readHeader,
  VirtError,
  virtError,
} from "../../src/rpc/index.ts";
import { XdrError, XdrReader } from "../../src/xdr/index.ts";
import { join, REMOTE, str, words } from "./wire.ts";

interface Context {
  procedure: AnyProcedure;
}
const info = { state: 1, maxMem: 1n, memory: 1n, nrVirtCpu: 1, cpuTime: 0n };
const dom = join(str("web"), new Uint8Array(16), words(-1));

/** Calls DOMAIN_GET_INFO, or another, and gives the error or the payload of the reply. */
async function ask(
  handlers: RemoteHandlers<Context>,
  options: {
    proc?: number;
    payload?: Uint8Array;
    before?: (procedure: AnyProcedure) => void;
    onError?: (error: unknown) => void;
  } = {},
) {
  const { proc = 16, payload = dom, before, onError } = options;
  const program = {
    description: remoteDescription,
    handlers: handlers as Record<string, AnyHandler<Context>>,
    before,
  };
  const dispatcher = new Dispatcher<Context>([program], onError === undefined ? {} : { onError });
  const header: Header = { prog: REMOTE, vers: 1, proc, type: 0, serial: 5, status: 0 };
  const frame = await dispatcher.answer(header, payload, (procedure) => ({ procedure }));
  const reply = readHeader(frame.subarray(4));
  expect(reply).toMatchObject({ prog: REMOTE, vers: 1, proc, type: 1, serial: 5 });
  const body = frame.subarray(28);
  if (reply.status === 0) return { ok: body };
  expect(reply.status).toBe(1);
  const { code, domain, level, message, str1, str2 } = types.virNetMessageError.decode(body, { strict: true });
  return { code, domain, level, message, str1, str2 };
}

describe("answers", () => {
  test("answer/sync: a handler that returns is answered without a promise", () => {
    const handlers = { domainGetInfo: () => info };
    const dispatcher = new Dispatcher<Context>([{ description: remoteDescription, handlers }]);
    const header: Header = { prog: REMOTE, vers: 1, proc: 16, type: 0, serial: 5, status: 0 };
    const frame = dispatcher.answer(header, dom, (procedure) => ({ procedure }));
    expect(frame).toBeInstanceOf(Uint8Array);
    expect(domainGetInfo.ret.decode(new XdrReader((frame as Uint8Array).subarray(28)))).toEqual(info);
  });

  test("answer/async, and the methods of a class", async () => {
    class Driver {
      readonly state = 3;
      async domainGetInfo() {
        return { ...info, state: this.state };
      }
    }
    const answer = await ask(new Driver());
    expect(domainGetInfo.ret.decode(new XdrReader(answer.ok as Uint8Array)).state).toBe(3);
  });

  test("answer/virt-error: goes out as it is, thrown or rejected", async () => {
    const error = virtError(42, 10, "no domain with matching name 'web'");
    const wanted = {
      code: 42,
      domain: 10,
      level: 2,
      message: "Domain not found: no domain with matching name 'web'",
      str1: "Domain not found: %1$s",
      str2: "no domain with matching name 'web'",
    };
    const thrown = () => {
      throw error;
    };
    expect(await ask({ domainGetInfo: thrown })).toEqual(wanted);
    expect(await ask({ domainGetInfo: () => Promise.reject(error) })).toEqual(wanted);
  });

  test("answer/not-implemented: VIR_ERR_NO_SUPPORT with the C function and its domain", async () => {
    expect(await ask({})).toMatchObject({
      code: 3,
      domain: 20,
      message: "this function is not supported by the connection driver: virDomainGetInfo",
    });
  });

  test.each([new Error("secret path"), "a string", undefined, null, new TypeError("x is undefined")])(
    "answer/other-throw: %s becomes VIR_ERR_INTERNAL_ERROR, without its text",
    async (mistake) => {
      const seen: unknown[] = [];
      const throwing = () => {
        throw mistake;
      };
      const wanted = { code: 1, domain: 7, message: "internal error: virDomainGetInfo: unexpected failure" };
      expect(await ask({ domainGetInfo: throwing }, { onError: (e) => seen.push(e) })).toMatchObject(wanted);
      const rejecting = () => Promise.reject(mistake);
      expect(await ask({ domainGetInfo: rejecting }, { onError: (e) => seen.push(e) })).toMatchObject(wanted);
      expect(seen).toEqual([mistake, mistake]);
    },
  );

  test("answer/result-does-not-fit: names the field, hurts only this call", async () => {
    const answer = await ask({ domainGetInfo: () => ({ ...info, nrVirtCpu: -1 }) });
    expect(answer).toMatchObject({ code: 1, domain: 7 });
    expect(answer.message).toMatch(
      /^internal error: virDomainGetInfo: the result does not fit: range .*ret\.nrVirtCpu/,
    );
    expect(await ask({ domainGetInfo: () => undefined as never })).toMatchObject({ code: 1, domain: 7 });
  });

  test("answer/handler-throws-xdr-error: one of its own, which says nothing about the result", async () => {
    const seen: unknown[] = [];
    const throwing = () => {
      throw new XdrError("short", 4, "cookie", "4 wanted, 0 left");
    };
    expect(await ask({ domainGetInfo: throwing }, { onError: (e) => seen.push(e) })).toMatchObject({
      code: 1,
      message: "internal error: virDomainGetInfo: unexpected failure",
    });
    expect(seen).toMatchObject([{ name: "XdrError", path: "cookie" }]);
  });

  test("answer/error-does-not-fit: an error that the wire cannot carry is still answered", async () => {
    const throwing = () => {
      throw new VirtError("zero \0 inside", 1, 10);
    };
    expect(await ask({ domainGetInfo: throwing })).toMatchObject({
      code: 1,
      message: "internal error: virDomainGetInfo failed, and its error cannot be sent",
    });
  });

  test("answer/before: runs after decoding, before the handler and where there is none; its error is the answer", async () => {
    const order: string[] = [];
    const before = ({ name }: AnyProcedure) => {
      order.push(name);
      throw virtError(1, 7, "hypervisor connection not open");
    };
    const handler = () => {
      order.push("handler");
      return info;
    };
    const refused = { code: 1, domain: 7, message: "internal error: hypervisor connection not open" };
    expect(await ask({ domainGetInfo: handler }, { before })).toMatchObject(refused);
    expect(await ask({}, { before })).toMatchObject(refused);
    expect(await ask({}, { before, payload: words(1) })).toMatchObject({ code: 39 });
    expect(order).toEqual(["DOMAIN_GET_INFO", "DOMAIN_GET_INFO"]);
  });

  test("answer/program-twice: one program is served once", () => {
    const program = { description: remoteDescription, handlers: {} };
    expect(() => new Dispatcher([program, program])).toThrow(TypeError);
  });

  test("answer/inherited-names: a procedure called like a method of every object has no handler by that", async () => {
    const description = { ...remoteDescription, procedures: { toString: domainGetInfo } };
    const dispatcher = new Dispatcher<Context>([{ description, handlers: {} }]);
    const header: Header = { prog: REMOTE, vers: 1, proc: 16, type: 0, serial: 5, status: 0 };
    const bytes = await dispatcher.answer(header, dom, (procedure) => ({ procedure }));
    expect(types.virNetMessageError.decode(bytes.subarray(28)).code).toBe(3);
  });

  test("answer/versions: those of one program may be served side by side", async () => {
    const handlers = { authList: () => ({ types: [] }) };
    const programs = [1, 2].map((version) => ({
      description: { ...remoteDescription, version },
      handlers: version === 2 ? handlers : {},
    }));
    const dispatcher = new Dispatcher<Context>(programs);
    const codeFor = async (vers: number) => {
      const header: Header = { prog: REMOTE, vers, proc: 66, type: 0, serial: 5, status: 0 };
      const bytes = await dispatcher.answer(header, new Uint8Array(0), (procedure) => ({ procedure }));
      const { status } = readHeader(bytes.subarray(4));
      return status === 0 ? "ok" : types.virNetMessageError.decode(bytes.subarray(28)).code;
    };
    expect(await Promise.all([1, 2, 3].map(codeFor))).toEqual([3, "ok", 39]);
  });
});
