import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import protobufjs from "protobufjs/minimal.js";
import type { Message } from "../messages.ts";
import { fromForm, partsOf, type Shape, type Struct, toForm, type Union } from "../shape.ts";
import { hasBulk, type Peer } from "./peer.ts";
import { versionOf } from "./version.ts";

interface StaticType {
  create(fields: object): object;
  encode(message: object): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Record<string, unknown>;
}

const { Long } = protobufjs.util;
const require = createRequire(import.meta.url);
/** Below bench/dist, from where the generated code finds protobufjs. */
const folder = fileURLToPath(new URL(".", import.meta.url));

/** Static code by `pbjs`, made from the shapes when the bench starts. */
export function protobuf(messages: readonly Message[]): Peer {
  const proto = join(folder, "messages.proto");
  const code = join(folder, "messages.cjs");
  writeFileSync(proto, protoOf(messages));
  execFileSync(process.execPath, [
    require.resolve("protobufjs-cli/bin/pbjs"),
    ...["-t", "static-module", "-w", "commonjs", "--keep-case", "-o", code, proto],
  ]);
  const types = require(code) as Record<string, StaticType>;
  return {
    name: "protobufjs",
    note: `protobufjs ${versionOf("protobufjs")}, static code; hypers are Long objects`,
    xdr: false,
    prepare({ shape, value }) {
      const type = types[shape.name] as StaticType;
      const native = toForm(
        {
          hyper: (value, unsigned) => new Long(Number(value & 0xffff_ffffn), Number(value >> 32n), unsigned),
          bytes: (value) => Buffer.from(value),
          absent: () => undefined,
          struct: ({ name }, fields) => (types[name] as StaticType).create(fields),
          union: ({ name }, _of, arm, inner) => (types[name] as StaticType).create({ [arm]: inner }),
        },
        shape,
        value,
      ) as object;
      const bytes = type.encode(native).finish().slice();
      return {
        encode: () => type.encode(native).finish(),
        decode: () => type.decode(bytes),
        ...(hasBulk(shape) ? { decodeOwned: () => type.decode(Buffer.from(bytes)) } : {}),
        plain: (decoded) =>
          fromForm(
            {
              hyper: (value) => BigInt(String(value)),
              union: ({ arms, name }, value) => {
                const arm = arms.find(([, name]) => Object.hasOwn(value as object, name));
                if (arm === undefined) throw new Error(`protobufjs: ${name} without an arm`);
                return { type: arm[0], value: (value as Record<string, unknown>)[arm[1]] };
              },
            },
            shape,
            decoded,
          ),
      };
    },
  };
}

const scalars = { int: "int32", uint: "uint32", hyper: "int64", uhyper: "uint64", double: "double", string: "string" };

/** proto3 for the same values. Fields that XDR always sends are not `optional`: proto3 leaves zeros out. */
function protoOf(messages: readonly Message[]): string {
  const parts = new Map<string, Struct | Union>();
  for (const { shape } of messages) partsOf(shape, parts);
  const type = (shape: Shape): string => {
    switch (shape.kind) {
      case "opaque":
      case "fixedOpaque":
        return "bytes";
      case "array":
        return `repeated ${type(shape.item)}`;
      case "optional":
        return `optional ${type(shape.item)}`;
      case "struct":
      case "union":
        return shape.name;
      default:
        return scalars[shape.kind];
    }
  };
  const fields = (named: readonly (readonly [string, Shape])[]) =>
    named.map(([name, shape], i) => `  ${type(shape)} ${name} = ${i + 1};\n`).join("");
  const message = (part: Struct | Union) =>
    part.kind === "struct"
      ? `message ${part.name} {\n${fields(Object.entries(part.fields))}}\n`
      : `message ${part.name} {\n oneof value {\n${fields(part.arms.map(([, name, shape]) => [name, shape]))} }\n}\n`;
  return `syntax = "proto3";\n${[...parts.values()].map(message).join("")}`;
}
