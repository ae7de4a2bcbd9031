import { expect, test } from "vitest";
import { decodeVirNetMessageHeader, encodeVirNetMessageHeader } from "../../src/generated/netmessage/index.ts";
import { type Header, LENGTH_BYTES, MAX_FRAME, MIN_FRAME, readHeader, writeHeader } from "../../src/rpc/index.ts";
import { XdrReader, XdrWriter } from "../../src/xdr/index.ts";
import { facts } from "./wire.ts";

const packets = facts<{ about: string; header: Header; hex: string }[]>("packets");

test.each(packets)("header/packets: $about", ({ header, hex }) => {
  const bytes = Uint8Array.from(Buffer.from(hex, "hex"));
  expect(readHeader(bytes.subarray(LENGTH_BYTES))).toEqual(header);
  const again = bytes.slice();
  again.fill(0xee, 0, MIN_FRAME);
  writeHeader(again, header);
  expect(again).toEqual(bytes);
});

test("header/as-generated: the codec by hand and the generated one agree on any words", () => {
  const bytes = Uint8Array.from({ length: 24 }, (_, i) => 0x80 + i * 5);
  const header = readHeader(bytes);
  expect(header).toEqual(decodeVirNetMessageHeader(new XdrReader(bytes)));
  const w = new XdrWriter();
  encodeVirNetMessageHeader(w, header);
  const frame = new Uint8Array(MIN_FRAME);
  writeHeader(frame, header);
  expect(frame.subarray(LENGTH_BYTES)).toEqual(w.bytes);
});

test("header/sizes: 28 to 33554436", () => {
  expect([MIN_FRAME, MAX_FRAME]).toEqual([28, 33_554_436]);
});
