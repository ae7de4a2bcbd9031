/** What is no speed of a codec: time to generate, time to import, size in a browser, memory for a long reply. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BenchResult, machine, rounded } from "../harness/result.ts";
import { median } from "../harness/statistics.ts";
import { table, times } from "../harness/table.ts";
import { bundle, programs } from "./bundle.ts";
import { limits, others } from "./limits.ts";
import { syntheticProgram } from "./synthetic.ts";

/** What is imported in a process of its own. */
const imports = {
  client: "virtwire",
  remote: "virtwire/protocol/remote",
  qemu: "virtwire/protocol/qemu",
  netmessage: "virtwire/protocol/netmessage",
} as const;

export async function figures(root: string, full: boolean): Promise<BenchResult> {
  const ratios: Record<string, number> = {};
  const figures: Record<string, number> = {};
  const notes: Record<string, string> = {};
  for (const structs of [5_000, 10_000]) {
    const took = timeGenerate(root, structs, full ? 7 : 3);
    figures[`generate.${structs}.ms`] = rounded(took);
  }
  // Twice the input should take twice the time, or less.
  ratios["generate.10000/twice-5000"] = rounded(
    (2 * (figures["generate.5000.ms"] as number)) / (figures["generate.10000.ms"] as number),
  );

  const rounds = full ? 41 : 15;
  const cold = timeImports(root, rounds);
  figures["import.node.ms"] = rounded(median(cold.node as number[]));
  for (const name of Object.keys(imports)) {
    const took = cold[name] as number[];
    const base = cold.node as number[];
    const over = median(took.map((ms, round) => ms - (base[round] as number)));
    figures[`import.${name}.ms`] = rounded(over);
    ratios[`import.${name}/node`] = rounded(median(took.map((ms, round) => (base[round] as number) / ms)));
  }

  const heap = JSON.parse(
    execFileSync(process.execPath, ["--expose-gc", fileURLToPath(new URL("heap.js", import.meta.url))], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    }),
  ) as { lazy: number; eager: number };
  figures["heap.lazy.bytes"] = rounded(heap.lazy);
  figures["heap.eager.bytes"] = rounded(heap.eager);
  ratios["heap.eager/lazy"] = rounded(heap.eager / heap.lazy);

  for (const [name, source] of Object.entries(programs)) {
    try {
      const { minified, gzipped, inputs } = await bundle(root, source);
      figures[`bundle.${name}.minified.bytes`] = minified;
      figures[`bundle.${name}.gzip.bytes`] = gzipped;
      const largest = inputs.slice(0, 5).map(([input, bytes]) => `${input} ${bytes}`);
      notes[`bundle.${name}`] = `largest parts in bytes: ${largest.join(", ")}`;
    } catch (error) {
      notes[`bundle.${name}`] = String(error);
    }
  }
  print(figures, ratios, notes);
  return { bench: "figures", machine: machine(), ratios, figures, notes };
}

function print(figures: Record<string, number>, ratios: Record<string, number>, notes: Record<string, string>): void {
  const rows = limits.map(({ key, label, limit, unit }) => {
    const name = key.slice(0, key.lastIndexOf("."));
    const beside = ratios[`${name}/node`];
    const value = figures[key];
    return [
      label,
      value === undefined ? "–" : `${rounded(value / unit.size)} ${unit.name}`,
      `${limit} ${unit.name}`,
      value !== undefined && value / unit.size < limit ? "holds" : "MISSED",
      beside === undefined ? "" : `${times(1 / beside)} × node -e 0`,
    ];
  });
  for (const { key, label, unit } of others) {
    const value = figures[key];
    rows.push([label, value === undefined ? "–" : `${rounded(value / unit.size)} ${unit.name}`]);
  }
  console.log(table(["figure", "is", "limit", "", ""], rows));
  console.log(`\nMilliseconds of imports are above those of node -e 0, which took ${figures["import.node.ms"]} ms.\n`);
  for (const [name, note] of Object.entries(notes)) console.log(`${name}: ${note}`);
}

/** Milliseconds of the generator in a process of its own, on a program of so many structs. */
function timeGenerate(root: string, structs: number, rounds: number): number {
  const folder = mkdtempSync(join(tmpdir(), "virtwire-bench-x-"));
  try {
    const file = join(folder, "synth.x");
    writeFileSync(file, syntheticProgram(structs));
    const command = [join(root, "dist/codegen/command.js"), file, "--out", join(folder, "out")];
    return median(Array.from({ length: rounds }, () => timeNode(root, command)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Milliseconds of whole processes, by round: one that does nothing, and one for each import. */
function timeImports(root: string, rounds: number): Record<string, number[]> {
  const cold: Record<string, number[]> = { node: [] };
  for (const name of Object.keys(imports)) cold[name] = [];
  for (let round = 0; round < rounds; round++) {
    cold.node?.push(timeNode(root, ["-e", "0"]));
    for (const [name, specifier] of Object.entries(imports)) {
      cold[name]?.push(timeNode(root, ["--input-type=module", "-e", `import "${specifier}"`]));
    }
  }
  return cold;
}

function timeNode(cwd: string, args: readonly string[]): number {
  const began = performance.now();
  execFileSync(process.execPath, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
  return performance.now() - began;
}
