import { Command } from "commander";
import { CodegenError, generate, renderDiagnostic, writeFiles } from "../../../codegen/index.ts";

export function codegen(): Command {
  return new Command("codegen")
    .description("generate TypeScript from .x files (RFC 4506, RFC 5531, libvirt's annotations)")
    .argument("<file.x...>", "protocol files")
    .requiredOption("--out <dir>", "where the modules go")
    .option("--runtime <module>", "what the modules import their runtime from (default: virtwire/xdr)")
    .option("--require-limits", "refuse arrays, strings and opaque data without a limit")
    .action(async (files: string[], options: { out: string; runtime?: string; requireLimits?: boolean }) => {
      try {
        const { files: generated, warnings } = generate(files, {
          ...(options.runtime === undefined ? {} : { runtime: options.runtime }),
          requireLimits: options.requireLimits ?? false,
        });
        if (warnings.length > 0) process.stderr.write(`${warnings.map(renderDiagnostic).join("\n\n")}\n`);
        await writeFiles(generated, options.out);
      } catch (error) {
        if (!(error instanceof CodegenError)) throw error;
        process.stderr.write(`${error.message}\n`); // file, line, column, the line and a caret
        process.exitCode = 1;
      }
    });
}
