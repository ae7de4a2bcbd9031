import { deepStrictEqual } from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { types as netmessageTypes } from "../../src/generated/netmessage/index.ts";
import { types as remoteTypes } from "../../src/generated/remote/index.ts";
import { FrameScanner, readHeader, writeHeader } from "../../src/rpc/index.ts";
import { XdrError, type XdrErrorCode } from "../../src/xdr/index.ts";
import { anyNamed, facts, type Noted, named, plainNamed, protocolNames, protocols } from "./facts.ts";
import { hex, joined, toHex, word } from "./plain.ts";
import { registry, typeNamed } from "./registry.ts";

/** The error that `run` throws, which has to be an XdrError. */
function xdrError(run: () => unknown): XdrError {
  try {
    run();
  } catch (error) {
    if (error instanceof XdrError) return error;
    throw new Error("not an XdrError", { cause: error });
  }
  throw new Error("nothing thrown");
}

interface Vector {
  type: string;
  value: Noted;
  hex: string;
}
const vectors = facts<Vector[]>("vectors");

describe("vectors.json", () => {
  test.each(vectors.map((v, i) => [i, v.type, v] as const))("%i %s", (_, type, vector) => {
    const value = named(type, vector.value);
    const bytes = hex(vector.hex);
    expect(toHex(typeNamed(type).encode(value))).toBe(vector.hex);
    deepStrictEqual(typeNamed(type).decode(bytes), value);
    deepStrictEqual(typeNamed(type).decode(bytes, { strict: true }), value);
    // The plain writer, on which other tests stand, agrees with C too.
    expect(toHex(plainNamed(type, value))).toBe(vector.hex);
  });

  test("cut at any byte, a vector is short and nothing else", () => {
    for (const { type, hex: digits } of vectors) {
      const bytes = hex(digits);
      // Some are thousands of bytes of one string: every byte near the ends, a sample between.
      const step = Math.max(1, Math.floor(bytes.length / 200));
      for (let to = 0; to < bytes.length; to += to < 100 || to > bytes.length - 100 ? 1 : step) {
        for (const strict of [false, true]) {
          const error = xdrError(() => typeNamed(type).decode(bytes.subarray(0, to), { strict }));
          expect(error.code, `${type} cut at ${to}`).toBe("short");
        }
      }
    }
  });

  test("with any one byte changed, a vector is a value or an XdrError", () => {
    for (const { type, hex: digits } of vectors) {
      const bytes = hex(digits);
      for (let at = 0; at < Math.min(bytes.length, 120); at++) {
        for (const other of [0x00, 0x7f, 0x80, 0xff]) {
          const changed = bytes.slice();
          changed[at] = other;
          for (const strict of [false, true]) {
            try {
              typeNamed(type).decode(changed, { strict });
            } catch (error) {
              expect(error).toBeInstanceOf(XdrError);
            }
          }
        }
      }
    }
  });

  test("decoded bytes are copies", () => {
    const bytes = hex("0000000461626364");
    const { buffer } = remoteTypes.remote_domain_block_peek_ret.decode(bytes);
    bytes.fill(0);
    expect(toHex(buffer)).toBe("61626364");
  });
});

interface Packet {
  about: string;
  header: { prog: number; vers: number; proc: number; type: number; serial: number; status: number };
  fds?: number;
  payloadType?: string;
  payload?: Noted;
  raw?: string;
  hex: string;
}
const packets = facts<Packet[]>("packets");

describe("packets.json", () => {
  test.each(packets.map((p) => [p.about, p] as const))("%s", (_, packet) => {
    const bytes = hex(packet.hex);
    const header = bytes.subarray(4, 28);
    const payloadAt = packet.fds === undefined ? 28 : 32;

    deepStrictEqual(netmessageTypes.virNetMessageHeader.decode(header, { strict: true }), packet.header);
    const parts = [netmessageTypes.virNetMessageHeader.encode(packet.header)];
    if (packet.fds !== undefined) parts.push(word(packet.fds));
    if (packet.raw !== undefined) parts.push(hex(packet.raw));
    if (packet.payloadType !== undefined) {
      const value = named(packet.payloadType, packet.payload as Noted);
      const type = typeNamed(packet.payloadType);
      deepStrictEqual(type.decode(bytes.subarray(payloadAt), { strict: true }), value);
      parts.push(type.encode(value));
    }
    const body = joined(...parts);
    expect(toHex(joined(word(body.length + 4), body))).toBe(packet.hex);

    // The RPC layer's own framing and header codec, which the generated type does not share.
    const scanner = new FrameScanner();
    scanner.push(bytes);
    const frame = scanner.next();
    expect(frame).toBeDefined();
    deepStrictEqual(readHeader(frame as Uint8Array), packet.header);
    expect(scanner.next()).toBeUndefined();
    const written = joined(new Uint8Array(28), bytes.subarray(28));
    writeHeader(written, packet.header);
    expect(toHex(written)).toBe(packet.hex);
  });
});

interface Limit {
  type: string;
  value: Noted;
  encode: "ok" | "refused";
  byteLength?: number;
  sha256?: string;
}
const limits = facts<Limit[]>("limits");

describe("limits.json", () => {
  test.each(limits.map((l) => [l.type, l.encode, l] as const))("%s: %s", (type, encode, limit) => {
    const value = named(type, limit.value);
    if (encode === "ok") {
      const bytes = typeNamed(type).encode(value);
      expect(bytes.byteLength).toBe(limit.byteLength);
      expect(createHash("sha256").update(bytes).digest("hex")).toBe(limit.sha256);
      deepStrictEqual(typeNamed(type).decode(bytes, { strict: true }), value);
      return;
    }
    expect(xdrError(() => typeNamed(type).encode(value)).code).toBe("limit");
    const bytes = plainNamed(type, value); // what a peer without limits would send
    for (const strict of [false, true]) {
      expect(xdrError(() => typeNamed(type).decode(bytes, { strict })).code).toBe("limit");
    }
  });

  test("a length above the limit is refused before the bytes it promises are there", () => {
    for (const digits of ["00400001", "80000000", "ffffffff"]) {
      const error = xdrError(() => remoteTypes.remote_domain_block_peek_ret.decode(hex(digits)));
      expect(error.code).toBe("limit");
      expect(error.path).toBe("buffer");
    }
  });

  test("a length within the limit is held against the bytes left before anything is allocated", () => {
    // 16384 domains promised, none there.
    const error = xdrError(() => remoteTypes.remote_connect_list_all_domains_ret.decode(hex("00004000 00000000")));
    expect(error.code).toBe("short");
    expect(error.path).toBe("domains");
  });
});

interface DecodeCase {
  type: string;
  about: string;
  hex: string;
  accepted: boolean;
  consumed?: number;
  reencoded?: string;
}
const cases = facts<DecodeCase[]>("decode-cases");
const caseOf = (about: string): DecodeCase => {
  const found = cases.find((c) => c.about === about);
  if (found === undefined) throw new Error(`no case about ${about}`);
  return found;
};

/** What strict decoding says to each case that C takes but that no correct encoder writes. Others pass. */
const strictly: Record<string, XdrErrorCode> = {
  "padding bytes that are not zero": "padding",
  "opaque padding that is not zero": "padding",
  "zero byte inside the text": "nul",
  "bytes left over": "trailing",
  "presence word 2": "presence",
  "presence word with all bits set": "presence",
  "value outside the enumeration": "enum",
  "value outside the enumeration inside a list": "enum",
  "unknown message type and status": "enum",
  "small unsigned fields out of range": "word",
  "small unsigned fields with all bits set": "word",
  "character word with high bytes": "word",
};
/** Where this library departs from C on purpose: each has its own test below. */
const departures = new Set(["bytes that are not UTF-8", "signalling not-a-number"]);

describe("decode-cases.json", () => {
  test.each(cases.filter((c) => !departures.has(c.about)).map((c) => [c.type, c.about, c] as const))(
    "%s: %s",
    (type, about, { hex: digits, accepted, consumed, reencoded }) => {
      const codec = typeNamed(type);
      const bytes = hex(digits);
      if (!accepted) {
        xdrError(() => codec.decode(bytes));
        xdrError(() => codec.decode(bytes, { strict: true }));
        return;
      }
      expect(toHex(codec.encode(codec.decode(bytes)))).toBe(reencoded);
      // Exactly as many bytes as C uses: one fewer is short.
      codec.decode(bytes.subarray(0, consumed));
      expect(xdrError(() => codec.decode(bytes.subarray(0, (consumed as number) - 1))).code).toBe("short");

      const code = strictly[about];
      if (code === undefined) codec.decode(bytes, { strict: true });
      else expect(xdrError(() => codec.decode(bytes, { strict: true })).code).toBe(code);
    },
  );

  test("the table of strict refusals names only cases that C accepts", () => {
    for (const about of Object.keys(strictly)) expect(caseOf(about).accepted, about).toBe(true);
  });

  test("departure from C: a string that is not UTF-8 is an error that names the field", () => {
    const { type, hex: digits } = caseOf("bytes that are not UTF-8");
    for (const strict of [false, true]) {
      expect(xdrError(() => typeNamed(type).decode(hex(digits), { strict })).code).toBe("utf8");
    }
    const error = xdrError(() => remoteTypes.remote_domain_lookup_by_name_args.decode(hex(digits)));
    expect(error.code).toBe("utf8");
    expect(error.path).toBe("name");
    expect(error.message).toBe("utf8 at byte 4, name: 2 bytes that are not UTF-8");
  });

  test("departure from C: the payload of a signalling not-a-number is not kept, as JavaScript numbers have none", () => {
    const { type, hex: digits } = caseOf("signalling not-a-number");
    deepStrictEqual(typeNamed(type).decode(hex(digits), { strict: true }), { type: 5, value: Number.NaN });
  });
});

describe("every type of every protocol", () => {
  const names = protocolNames.flatMap((name) => protocols[name].definitions.map((d) => d.name));

  test("the registry holds the types of the facts", () => {
    expect(names.filter((name) => !registry.has(name))).toEqual([]);
  });

  test.each(protocolNames)("%s: random values encode as the plain writer does, and come back", (protocol) => {
    for (const { name } of protocols[protocol].definitions) {
      const type = typeNamed(name);
      fc.assert(
        fc.property(anyNamed(name), (value) => {
          const bytes = type.encode(value);
          expect(toHex(bytes), name).toBe(toHex(plainNamed(name, value)));
          deepStrictEqual(type.decode(bytes, { strict: true }), value);
        }),
        { numRuns: 8, seed: 20250101 },
      );
    }
  });

  test("random bytes are a value or an XdrError", () => {
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.uint8Array({ maxLength: 96 }), fc.boolean(), (name, bytes, strict) => {
        try {
          typeNamed(name).decode(bytes, { strict });
        } catch (error) {
          expect(error).toBeInstanceOf(XdrError);
        }
      }),
      { numRuns: 3000, seed: 20250102 },
    );
  });
});
