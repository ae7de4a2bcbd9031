import { parseArgs } from "node:util";
import { CodegenError, renderDiagnostic } from "./diagnostics.ts";
import { generate, writeFiles } from "./generate.ts";

/** The build's own entry: `node command.js FILE.x... --out DIR`. Users have `virtwire codegen`. */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: "string" },
    runtime: { type: "string" },
    "require-limits": { type: "boolean", default: false },
  },
});

try {
  if (values.out === undefined) throw new Error("--out DIR is missing");
  const { files, warnings } = generate(positionals, {
    ...(values.runtime === undefined ? {} : { runtime: values.runtime }),
    requireLimits: values["require-limits"],
  });
  if (warnings.length > 0) console.error(warnings.map(renderDiagnostic).join("\n\n"));
  await writeFiles(files, values.out);
} catch (error) {
  console.error(error instanceof CodegenError ? error.message : error);
  process.exitCode = 1;
}
