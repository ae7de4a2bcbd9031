/** What the interop tests of the API write: a report for readers, and the last column of docs/api-coverage.md. */
import { readFile, writeFile } from "node:fs/promises";
import type { Api } from "../../codegen/api/plan.ts";
import type { Verdict } from "./api.ts";

/** By C function, what it was compared with. */
export type Results = Readonly<Record<string, string>>;

const file = new URL("api-results.json", import.meta.url);

/** Writes results of some functions. What the file has of others stays. */
export async function writeResults(functions: readonly string[], results: Results): Promise<void> {
  const known = JSON.parse(await readFile(file, "utf8").catch(() => "{}")) as Results;
  const kept = Object.entries(known).filter(([name]) => !functions.includes(name));
  const all = [...kept, ...Object.entries(results)].toSorted(([one], [other]) => (one < other ? -1 : 1));
  await writeFile(file, `${JSON.stringify(Object.fromEntries(all), null, 2)}\n`);
}

/** The C function of each method, where it calls a procedure. */
function functionsOf(api: Api): Map<string, { readonly name: string; readonly procedure: string }> {
  return new Map(
    api.functions.flatMap(({ fn: { name, procedure }, place }) => {
      if (place === undefined || procedure === undefined) return [];
      const object = place.kind.name === "ConnectMethods" ? "Connection" : place.kind.name;
      return [[`${object}.${place.method}`, { name, procedure: procedure.name }]];
    }),
  );
}

/** Writes api-results.json and api-report.md. */
export async function writeReport(verdicts: readonly Verdict[], api: Api): Promise<void> {
  const functions = functionsOf(api);
  const results = verdicts.flatMap(({ entry: { object, method, driver }, verdict }) => {
    const fn = functions.get(`${object}.${method}`);
    const compared = verdict !== "different" && verdict !== "own error";
    return fn === undefined || !compared ? [] : [[fn.name, `${driver}: ${verdict}`]];
  });
  const names = [...functions.values()].map(({ name }) => name);
  await writeResults(names, Object.fromEntries(results) as Results);
  await writeFile(new URL("api-report.md", import.meta.url), reportOf(verdicts, api));
}

/** How many of those that call a procedure gave the same value or had the same effect. */
export function compared(verdicts: readonly Verdict[], api: Api): number {
  const functions = functionsOf(api);
  return verdicts.filter(
    ({ verdict, entry: { object, method } }) =>
      functions.has(`${object}.${method}`) && (verdict === "same value" || verdict === "same effect"),
  ).length;
}

const meanings: Readonly<Record<Verdict["verdict"], string>> = {
  "same value": "both got the same result; counters that move by themselves: ours lay between two of Python's",
  "same effect": "it has no result: what it changed was read back, and was the same after either",
  "both succeed": "it has no result, and what it does cannot be read back",
  "same error": "the daemon refused both with the same code, domain and text",
  "own error": "there is nothing to compare with: it rejects here with VIR_ERR_NO_SUPPORT, as it should",
  different: "not the same",
};

export function reportOf(verdicts: readonly Verdict[], api: Api): string {
  const functions = functionsOf(api);
  const lines = [
    "<!-- Written by test/interop/api.interop.test.ts. Do not edit. -->",
    "# The API against libvirtd 9.0.0",
    "",
    "Each method was called of a real libvirtd, and its function by libvirt's Python binding, of the same daemon. `test` is",
    "the driver in memory, `qemu` has a Linux guest under TCG. Methods without a procedure answer without the daemon.",
    "",
    "| verdict | methods | meaning |",
    "|---|---|---|",
  ];
  for (const [verdict, meaning] of Object.entries(meanings)) {
    const count = verdicts.filter((each) => each.verdict === verdict).length;
    if (count > 0) lines.push(`| ${verdict} | ${count} | ${meaning} |`);
  }
  const count = compared(verdicts, api);
  lines.push(
    `| in all | ${verdicts.length} | ${count} of them call a procedure and were compared by value or effect |`,
  );
  for (const object of new Set(verdicts.map(({ entry }) => entry.object))) {
    lines.push("", `## ${object}`, "", "| method | procedure | driver | verdict |", "|---|---|---|---|");
    for (const { entry, verdict, detail } of verdicts) {
      if (entry.object !== object) continue;
      const procedure = functions.get(`${object}.${entry.method}`)?.procedure ?? "";
      const about = detail === "" ? verdict : `${verdict}: ${detail.replaceAll("|", "\\|").trim()}`;
      lines.push(`| ${entry.method} | ${procedure} | ${entry.driver} | ${about} |`);
    }
  }
  return `${lines.join("\n")}\n`;
}
