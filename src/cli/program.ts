import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { printError } from "./output.ts";
import { codegen } from "./verbs/codegen.ts";
import { consoleVerb } from "./verbs/console.ts";
import { daemon } from "./verbs/daemon.ts";
import { define } from "./verbs/define.ts";
import { demo } from "./verbs/demo.ts";
import { destroy } from "./verbs/destroy.ts";
import { dominfo } from "./verbs/dominfo.ts";
import { domstate } from "./verbs/domstate.ts";
import { dumpxml } from "./verbs/dumpxml.ts";
import { list } from "./verbs/list.ts";
import { migrate } from "./verbs/migrate.ts";
import { passwd } from "./verbs/passwd.ts";
import { screenshot } from "./verbs/screenshot.ts";
import { start } from "./verbs/start.ts";
import { undefine } from "./verbs/undefine.ts";
import { volDownload } from "./verbs/vol-download.ts";
import { volUpload } from "./verbs/vol-upload.ts";

const verbs = [
  list,
  dominfo,
  domstate,
  dumpxml,
  define,
  start,
  destroy,
  undefine,
  migrate,
  consoleVerb,
  screenshot,
  volUpload,
  volDownload,
  daemon,
  passwd,
  codegen,
  demo,
] satisfies (() => Command)[];

/** Runs a command line. @returns the exit code: 0, or 1 after the error has been told on standard error */
export async function runCli(args: readonly string[]): Promise<number> {
  // A reader that leaves early (`| head`) is no fault of ours, and no reason to leave a migration half done.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
  const program = new Command("virtwire")
    .description("libvirt's RPC protocol: talk to daemons, be one, migrate guests")
    .version(packageVersion())
    .option("-c, --connect <uri>", "the daemon to talk to (default: $LIBVIRT_DEFAULT_URI)")
    .showSuggestionAfterError(false)
    .exitOverride();
  for (const verb of verbs) program.addCommand(verb().copyInheritedSettings(program));
  try {
    await program.parseAsync(args, { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode; // already told
    printError(error);
    return 1;
  }
}

function packageVersion(): string {
  const file = new URL("../../../package.json", import.meta.url); // from dist/src/cli
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
