import { Random } from "../harness/random.ts";

/** A program of `structs` structs in the manner of remote.x: every kind of field, and each refers to earlier ones. */
export function syntheticProgram(structs: number): string {
  const random = new Random(structs);
  const lines = ["const SYNTH_STRING_MAX = 4194304;", "const SYNTH_LIST_MAX = 16384;", ""];
  lines.push("typedef string synth_nonnull_string<SYNTH_STRING_MAX>;", "typedef opaque synth_uuid[16];", "");
  lines.push("enum synth_kind { SYNTH_KIND_A = 0, SYNTH_KIND_B = 1, SYNTH_KIND_C = 2 };", "");
  for (let i = 0; i < structs; i++) {
    const earlier = `synth_s${random.below(Math.max(i, 1))}`;
    const fields = [
      "synth_nonnull_string name;",
      "unsigned int flags;",
      "synth_uuid uuid;",
      "unsigned hyper bytes;",
      "opaque cookie<SYNTH_LIST_MAX>;",
      "synth_kind kind;",
      "int ids<SYNTH_LIST_MAX>;",
      ...(i === 0 ? [] : [`${earlier} one;`, `${earlier} many<SYNTH_LIST_MAX>;`, `${earlier} *maybe;`]),
    ];
    const first = random.below(fields.length);
    const some = [...fields.slice(first), ...fields.slice(0, first)].slice(0, 2 + random.below(6));
    lines.push(`struct synth_s${i} {`, ...some.map((field) => `    ${field}`), "};", "");
  }
  return lines.join("\n");
}
