import { Decoder, Encoder } from "@msgpack/msgpack";
import { fromForm } from "../shape.ts";
import { hasBulk, type Peer } from "./peer.ts";
import { versionOf } from "./version.ts";

/** The same objects in their own self-describing bytes. Encoder and decoder are reused, the encoder's buffer too. */
export const msgpack: Peer = {
  name: "msgpack",
  note: `@msgpack/msgpack ${versionOf("@msgpack/msgpack")}; decoded bytes share the input's memory`,
  xdr: false,
  prepare({ shape, value }) {
    const encoder = new Encoder({ useBigInt64: true });
    const decoder = new Decoder({ useBigInt64: true });
    const bytes = encoder.encode(value);
    return {
      encode: () => encoder.encodeSharedRef(value),
      decode: () => decoder.decode(bytes),
      ...(hasBulk(shape) ? { decodeOwned: () => decoder.decode(bytes.slice()) } : {}),
      plain: (decoded) => fromForm({}, shape, decoded),
    };
  },
};
