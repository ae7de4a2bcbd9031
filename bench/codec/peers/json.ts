import { fromForm, toForm } from "../shape.ts";
import type { Peer } from "./peer.ts";

/**
 * JSON.stringify and JSON.parse, from and to UTF-8. Hypers are decimal texts and bytes are base64, as in Protobuf's
 * JSON; they are made before and read after the measurement, so JSON does less than the others.
 */
export const json: Peer = {
  name: "JSON",
  note: "JSON.stringify and JSON.parse; hypers stay decimal texts, bytes stay base64: neither is converted",
  xdr: false,
  prepare({ shape, value }) {
    const native = toForm({ hyper: String, bytes: (value) => Buffer.from(value).toString("base64") }, shape, value);
    const bytes = Buffer.from(JSON.stringify(native));
    return {
      encode: () => Buffer.from(JSON.stringify(native)),
      decode: () => JSON.parse(bytes.toString()),
      plain: (decoded) =>
        fromForm(
          {
            hyper: (value) => BigInt(value as string),
            bytes: (value) => Uint8Array.from(Buffer.from(value as string, "base64")),
          },
          shape,
          decoded,
        ),
    };
  },
};
