import { describe, expect, test } from "vitest";
import { decodeVirNetMessageError, types } from "../../src/generated/netmessage/index.ts";
import { systemError, VirtError, virtError } from "../../src/rpc/index.ts";
import { XdrReader } from "../../src/xdr/index.ts";
import { facts, hex } from "./wire.ts";

const { codes } = facts<{
  codes: { value: number; name: string; message: string | null; messageInfo: string | null }[];
}>("errors");

describe("errors in libvirt's words", () => {
  test.each(codes.filter(({ message }) => message !== null))(
    "error/template: $name",
    ({ value, message, messageInfo }) => {
      const bare = virtError(value, 10);
      expect(bare).toMatchObject({ code: value, domain: 10, level: 2, message, str1: message, str2: null, str3: null });
      expect(bare).toMatchObject({ int1: -1, int2: -1 });
      const detailed = virtError(value, 10, "what $& went wrong");
      expect(detailed.message).toBe(messageInfo?.replace(/%1\$s|%s/, () => "what $& went wrong"));
      expect(detailed).toMatchObject({ str1: messageInfo, str2: "what $& went wrong" });
    },
  );

  test("error/unknown-code: a code without template keeps its number and says the detail", () => {
    expect(virtError(9999, 0, "text")).toMatchObject({ code: 9999, message: "text", str1: null, str2: "text" });
    expect(virtError(9999, 0).message).toBe("Unknown error");
  });

  test("error/system: errno in int1, the whole text in str2", () => {
    expect(systemError(18, 28, "No space left on device", "cannot write")).toMatchObject({
      code: 38,
      message: "cannot write: No space left on device",
      str1: "%s",
      str2: "cannot write: No space left on device",
      int1: 28,
      int2: -1,
    });
    expect(systemError(18, 2, "No such file or directory").message).toBe("No such file or directory");
  });
});

describe("errors on the wire", () => {
  test("error/captured: DOMAIN_LOOKUP_BY_NAME of an unknown name, libvirtd 9.0.0", () => {
    const payload = hex`
      0000002a 0000000c 00000001 00000010 446f6d61 696e206e 6f742066 6f756e64
      00000002 00000000 00000001 00000010 446f6d61 696e206e 6f742066 6f756e64
      00000000 00000000 ffffffff ffffffff 00000000`;
    const error = VirtError.fromMessage(decodeVirNetMessageError(new XdrReader(payload)));
    expect(error).toMatchObject({ code: 42, domain: 12, level: 2, message: "Domain not found", int1: -1, int2: -1 });
    expect(types.virNetMessageError.encode(error.toMessage())).toEqual(payload);
    expect(types.virNetMessageError.encode(virtError(42, 12).toMessage())).toEqual(payload);
  });

  const unknown = { ...virtError(39, 7, "unknown procedure: 9999").toMessage() };
  test.each([
    ["domain RPC", unknown, 3],
    ["domain REMOTE", { ...unknown, domain: 13 }, 3],
    ["another domain", { ...unknown, domain: 10 }, 39],
    ["another level", { ...unknown, level: 1 }, 39],
    ["another text", { ...unknown, message: "an unknown procedure" }, 39],
    ["no text", { ...unknown, message: null }, 39],
    ["another code", { ...unknown, code: 1 }, 1],
  ])("error/unknown-procedure-is-no-support: %s", (_, message, code) => {
    expect(VirtError.fromMessage(message).code).toBe(code);
  });

  test("error/no-message: shown as libvirt shows it", () => {
    expect(VirtError.fromMessage({ ...unknown, message: null }).message).toBe("Unknown error");
  });
});
