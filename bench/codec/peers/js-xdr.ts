import xdrTypes, { type Hyper as HyperType, type StringReference, type Type } from "@stellar/js-xdr";
import { type BackForm, type Form, fromForm, partsOf, type Shape, type Struct, toForm, type Union } from "../shape.ts";
import type { Peer } from "./peer.ts";
import { versionOf } from "./version.ts";

const { config, Hyper, UnsignedHyper, XdrReader, XdrWriter } = xdrTypes;

interface Instance {
  readonly _attributes: Record<string, unknown>;
  switch(): number;
  value(): unknown;
}

/**
 * Types made once by `config`, as xdrgen's output does it. Encoding writes into a writer that is large enough from the
 * start: `toXDR` begins with 8 KiB and grows by as much, which is slower for all but small messages.
 */
export const jsXdr: Peer = {
  name: "js-xdr",
  note: `@stellar/js-xdr ${versionOf("@stellar/js-xdr")}; decoded strings stay bytes and share the input's memory`,
  xdr: true,
  prepare({ shape, value }, xdr) {
    const types = typesOf(shape, false);
    const withText = typesOf(shape, true)[shape.name] as Type;
    const top = types[shape.name] as Type;
    const form: Form = {
      hyper: (value, unsigned) => (unsigned ? new UnsignedHyper(value) : new Hyper(value)),
      bytes: (value) => Buffer.from(value),
      absent: () => undefined,
      struct: ({ name }, fields) => new (types[name] as Type)(fields),
      union: ({ name }, of, _arm, inner) => new (types[name] as Type)(of, inner),
    };
    const back: BackForm = {
      hyper: (value) => (value as HyperType).toBigInt(),
      string: (value) => (typeof value === "string" ? value : (value as Buffer).toString("utf8")),
      struct: (value) => (value as Instance)._attributes,
      union: (_shape, value) => ({ type: (value as Instance).switch(), value: (value as Instance).value() }),
    };
    const native = toForm(form, shape, value);
    const bytes = Buffer.from(xdr);
    return {
      encode() {
        const writer = new XdrWriter(xdr.byteLength);
        top.write(native, writer);
        return writer.finalize();
      },
      decode: () => top.read(new XdrReader(bytes)),
      decodeOwned: () => withText.read(new XdrReader(Buffer.from(bytes))),
      plain: (decoded) => fromForm(back, shape, decoded),
    };
  },
};

/** @param text read strings as strings instead of bytes, as the library's own `readString` does */
function typesOf(shape: Struct, text: boolean): Record<string, Type> {
  return config((builder) => {
    const type = (shape: Shape): unknown => {
      switch (shape.kind) {
        case "int":
          return builder.int();
        case "uint":
          return builder.uint();
        case "hyper":
          return builder.hyper();
        case "uhyper":
          return builder.uhyper();
        case "double":
          return builder.double();
        case "string":
          return stringType(builder.string(shape.max), text);
        case "opaque":
          return builder.varOpaque(shape.max);
        case "fixedOpaque":
          return builder.opaque(shape.length);
        case "array":
          return builder.varArray(type(shape.item), shape.max);
        case "optional":
          return builder.option(type(shape.item));
        default:
          return builder.lookup(shape.name);
      }
    };
    const define = (part: Struct | Union): void => {
      if (part.kind === "struct") {
        const fields = Object.entries(part.fields).map(([name, field]) => [name, type(field)] as const);
        builder.struct(part.name, fields);
      } else {
        builder.union(part.name, {
          switchOn: builder.int(),
          switchName: "type",
          switches: part.arms.map(([of, name]) => [of, name]),
          arms: Object.fromEntries(part.arms.map(([, name, arm]) => [name, type(arm)])),
        });
      }
    };
    for (const part of partsOf(shape).values()) define(part);
  });
}

function stringType(reference: StringReference, text: boolean): StringReference {
  if (!text) return reference;
  return Object.assign(Object.create(reference), {
    resolve(context: unknown) {
      const type = reference.resolve(context);
      const read = type.read.bind(type);
      type.read = (reader) => read(reader).toString("utf8");
      return type;
    },
  });
}
