import { describe, expect, test } from "vitest";
import { decodeVirNetMessageError, types, type VirNetMessageError } from "../../src/generated/netmessage/index.ts";
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

  test("error/eleven-fields: all that a daemon says is kept, and said again as it was", () => {
    const message: VirNetMessageError = {
      code: 99_999,
      domain: 98,
      message: "text",
      level: 1,
      dom: { name: "web", uuid: Uint8Array.from({ length: 16 }, (_, i) => i), id: 3 },
      str1: "one",
      str2: "two",
      str3: "three",
      int1: 5,
      int2: -7,
      net: { name: "default", uuid: new Uint8Array(16) },
    };
    const error = VirtError.fromMessage(message);
    expect(Object.keys(message)).toHaveLength(11);
    expect({ ...error, message: error.message }).toMatchObject(message);
    expect(error.toMessage()).toEqual(message);
  });

  test("error/text-is-not-read: an unknown procedure keeps the code that the daemon sent", () => {
    const unknown = virtError(39, 7, "unknown procedure: 9999").toMessage();
    expect(VirtError.fromMessage(unknown).code).toBe(39);
  });

  test("error/no-message: shown as libvirt shows it", () => {
    expect(VirtError.fromMessage({ ...virtError(39, 7).toMessage(), message: null }).message).toBe("Unknown error");
  });
});
