import { XdrReader, XdrWriter } from "virtwire/xdr";
import { fromForm } from "../shape.ts";
import type { Peer } from "./peer.ts";

/** Generated code into a writer that is used again, as C's and json-pack's buffers are, and a reader over a part of a frame. */
export const ours: Peer = {
  name: "ours",
  note: "the build in dist; decoded values share no memory with the input",
  xdr: true,
  prepare({ codec, shape, value }, xdr) {
    const frame = new Uint8Array(HEADER + xdr.byteLength);
    frame.set(xdr, HEADER);
    const payload = frame.subarray(HEADER);
    const w = new XdrWriter(HEADER + xdr.byteLength);
    return {
      encode() {
        w.reset();
        codec.encode(w, value);
        return w.bytes;
      },
      decode: () => codec.decode(new XdrReader(payload)),
      plain: (decoded) => fromForm({}, shape, decoded),
    };
  },
};

/** Bytes of the length word and the header in front of a payload. */
const HEADER = 28;
