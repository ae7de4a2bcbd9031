import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../harness/rounds.ts";
import type { Message } from "../messages.ts";

/** rpcgen's code for our own `.x` files, compiled when the bench starts. */
export interface CProgram {
  /** Decodes `message` and encodes it again. */
  check(message: Message): Uint8Array;
  /** Nanoseconds of one operation, measured for about `ms` milliseconds. */
  time(message: Message, direction: "encode" | "decode", ms: number): Readonly<Record<Clock, number>>;
  readonly note: string;
  /** Removes what was built. */
  [Symbol.dispose](): void;
}

/** @param root the checkout @param bytes of each message, by its name */
export function buildC(root: string, messages: readonly Message[], bytes: ReadonlyMap<string, Uint8Array>): CProgram {
  const folder = mkdtempSync(join(tmpdir(), "virtwire-bench-c-"));
  const run = (command: string, ...args: string[]) => execFileSync(command, args, { cwd: folder, encoding: "utf8" });
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    for (const program of ["netmessage", "remote"]) {
      writeFileSync(join(folder, `${program}.x`), readFileSync(join(root, "protocol", `${program}.x`)));
      run("rpcgen", "-h", "-o", `${program}.h`, `${program}.x`);
      run("rpcgen", "-c", "-o", `${program}.c`, `${program}.x`);
    }
    writeFileSync(join(folder, "types.inc"), messages.map(({ type }) => `TYPE(${type})\n`).join(""));
    writeFileSync(join(folder, "codec.c"), readFileSync(join(root, "bench/codec/c/codec.c")));
    // rpcgen leaves variables unused; libtirpc's header directory is not in the default path.
    const warnings = ["-Wall", "-Wno-unused-variable", "-Wno-cast-function-type"];
    const sources = ["codec.c", "netmessage.c", "remote.c"];
    run("gcc", "-O2", ...warnings, "-I/usr/include/tirpc", "-o", "codec", ...sources, "-ltirpc");
    for (const { name } of messages) writeFileSync(join(folder, `${name}.xdr`), bytes.get(name) as Uint8Array);
  } catch (error) {
    remove();
    throw error;
  }
  const codec = join(folder, "codec");
  const gcc = run("gcc", "-dumpfullversion").trim();
  return {
    note: `rpcgen and libtirpc, gcc ${gcc} -O2; decoding includes xdr_free`,
    check({ name, type }) {
      run(codec, type, "check", `${name}.xdr`, `${name}.out`);
      return readFileSync(join(folder, `${name}.out`));
    },
    time({ name, type }, direction, ms) {
      const [wall, cpu] = run(codec, type, direction, `${name}.xdr`, String(ms)).split(" ").map(Number);
      return { wall: wall as number, cpu: cpu as number };
    },
    [Symbol.dispose]: remove,
  };
}
