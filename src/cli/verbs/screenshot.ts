import type { Command } from "commander";
import { pipeToFile } from "../../stream/index.ts";
import { createFile } from "../new-file.ts";
import { print, printable, printJson } from "../output.ts";
import { transferring } from "../transfer.ts";
import { attempting, connectionUri, guestVerb, lookupGuest, operand, wholeNumber, withConnection } from "../verb.ts";

interface Options {
  readonly file?: string;
  readonly screen?: number;
  readonly json?: boolean;
}

const extensions: Readonly<Record<string, string>> = { "image/x-portable-pixmap": ".ppm", "image/png": ".png" };

export function screenshot(): Command {
  return guestVerb("screenshot", "take a screenshot of a current domain console and store it into a file")
    .argument("[file]", "where to store the screenshot")
    .option("--file <string>", "where to store the screenshot")
    .option("--screen <number>", "ID of a screen to take screenshot of", wholeNumber)
    .option("--json", "file, MIME type and bytes as one JSON value")
    .action(run);
}

async function run(
  domainGiven: string | undefined,
  fileGiven: string | undefined,
  options: Options & { readonly domain?: string },
  command: Command,
): Promise<void> {
  // `--domain web FILE`: the one operand is the file.
  const shifted = options.domain !== undefined && fileGiven === undefined;
  const name = operand(command, "domain", shifted ? undefined : domainGiven);
  const given = options.file ?? (shifted ? domainGiven : fileGiven);
  const result = await withConnection(connectionUri(command), async (conn) => {
    const domain = await lookupGuest(conn, name);
    const { mime, stream } = await attempting(`could not take a screenshot of ${name}`, () =>
      domain.screenshot(options.screen ?? 0),
    );
    try {
      const path = given ?? `${domain.getName()}-${timestamp(new Date())}${extensions[mime ?? ""] ?? ""}`;
      await using file = await createFile(path, `cannot create file ${path}`);
      const { bytes } = await file.filledBy(() =>
        transferring(false, (transfer) =>
          attempting(`could not receive data from domain '${name}'`, () => pipeToFile(stream, file.handle, transfer)),
        ),
      );
      return { file: path, mime, bytes };
    } finally {
      await stream[Symbol.asyncDispose]();
    }
  });
  if (options.json) printJson(result);
  else print(`Screenshot saved to ${result.file}, with type of ${printable(result.mime ?? "")}\n`);
}

/** `2026-01-31-23:59:59`, local time as virsh has it. */
function timestamp(now: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  return `${day}-${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`;
}
