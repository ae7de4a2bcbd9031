import { Command, InvalidArgumentError } from "commander";
import { CodegenError, generate, renderDiagnostic, writeFiles } from "../../../codegen/index.ts";

interface Options {
  readonly out: string;
  readonly runtime?: string;
  readonly requireLimits?: boolean;
  readonly define: Readonly<Record<string, number>>;
}

/** `VIR_UUID_BUFLEN=16` */
function definition(text: string, before: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const [, name, number] = /^(\w+)=(0x[0-9a-f]+|-?\d+)$/i.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError("It is NAME=NUMBER.");
  return { ...before, [name]: Number(number) };
}

export function codegen(): Command {
  return new Command("codegen")
    .description("generate TypeScript from .x files (RFC 4506, RFC 5531, libvirt's annotations)")
    .argument("<file.x...>", "protocol files")
    .requiredOption("--out <dir>", "where the modules go")
    .option("--runtime <module>", "what the modules import their runtime from (default: virtwire/xdr)")
    .option("--require-limits", "refuse arrays, strings and opaque data without a limit")
    .option("--define <name=number...>", "constants of C headers that the files use", definition, {})
    .action(async (files: string[], options: Options) => {
      try {
        const { files: generated, warnings } = generate(files, {
          ...(options.runtime === undefined ? {} : { runtime: options.runtime }),
          requireLimits: options.requireLimits ?? false,
          externals: options.define,
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
