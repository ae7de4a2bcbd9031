import { Writer } from "@jsonjoy.com/buffers/lib/Writer.js";
import { XdrSchemaDecoder, XdrSchemaEncoder, XdrUnion } from "@jsonjoy.com/json-pack/lib/xdr/index.js";
import type { XdrSchema } from "@jsonjoy.com/json-pack/lib/xdr/types.js";
import { fromForm, type Shape, toForm } from "../shape.ts";
import { hasBulk, type Peer } from "./peer.ts";
import { versionOf } from "./version.ts";

/**
 * Schemas made once; one encoder whose buffer is reused from message to message, and one decoder.
 *
 * The buffer is so large that it never grows: when it does within a string, 17.67.0 writes the length to the place
 * where the string was before, and the bytes are wrong.
 */
export const jsonPack: Peer = {
  name: "json-pack",
  note: `@jsonjoy.com/json-pack ${versionOf("@jsonjoy.com/json-pack")}; decoded bytes share the input's memory`,
  xdr: true,
  prepare({ shape, value }, xdr) {
    const schema = schemaOf(shape);
    const native = toForm({ union: (_shape, of, _arm, inner) => new XdrUnion(of, inner) }, shape, value);
    const writer = new Writer(4 * xdr.byteLength + 65_536); // it reserves four bytes for each character
    const encoder = new XdrSchemaEncoder(writer);
    const decoder = new XdrSchemaDecoder();
    return {
      encode() {
        writer.x = 0; // otherwise it goes on behind the last message until the buffer is full
        return encoder.encode(native, schema);
      },
      decode: () => decoder.decode(xdr, schema),
      ...(hasBulk(shape) ? { decodeOwned: () => decoder.decode(xdr.slice(), schema) } : {}),
      plain: (decoded) =>
        fromForm(
          {
            union: (_shape, value) => {
              const { discriminant, value: inner } = value as XdrUnion<unknown>;
              return { type: discriminant as number, value: inner };
            },
          },
          shape,
          decoded,
        ),
    };
  },
};

function schemaOf(shape: Shape): XdrSchema {
  switch (shape.kind) {
    case "uint":
      return { type: "unsigned_int" };
    case "uhyper":
      return { type: "unsigned_hyper" };
    case "string":
      return { type: "string", size: shape.max };
    case "opaque":
      return { type: "vopaque", size: shape.max };
    case "fixedOpaque":
      return { type: "opaque", size: shape.length };
    case "array":
      return { type: "varray", elements: schemaOf(shape.item), size: shape.max };
    case "optional":
      return { type: "optional", element: schemaOf(shape.item) };
    case "struct":
      return {
        type: "struct",
        fields: Object.entries(shape.fields).map(([name, field]) => [schemaOf(field), name]),
      };
    case "union":
      return { type: "union", arms: shape.arms.map(([of, , arm]) => [of, schemaOf(arm)]) };
    default:
      return { type: shape.kind };
  }
}
