/** What the interop test of virsh's commands writes for readers. */
import { writeFile } from "node:fs/promises";
import type { ProcessResult } from "../lab/lab.ts";

export interface Row {
  readonly scene: string;
  readonly line: string;
  readonly theirs: ProcessResult;
  readonly ours: ProcessResult;
  /** Why they differ, where they do. */
  readonly why: string | undefined;
}

const verbOf = ({ line }: Row): string => line.replace(/^-r /, "").split(" ", 1)[0] ?? "";

/**
 * The commands that ran, those of them whose every line ended with the same code on both sides, and those of these that
 * did what they were asked to at least once.
 */
export function verbsOf(rows: readonly Row[]): Record<"all" | "same" | "done", readonly string[]> {
  const all = [...new Set(rows.map(verbOf))].toSorted();
  const other = new Set(rows.filter(({ theirs, ours }) => theirs.code !== ours.code).map(verbOf));
  const same = all.filter((verb) => !other.has(verb));
  const did = new Set(rows.filter(({ ours }) => ours.code === 0).map(verbOf));
  return { all, same, done: same.filter((verb) => did.has(verb)) };
}

export async function writeVirshReport(rows: readonly Row[], file: URL): Promise<void> {
  const { all, same, done } = verbsOf(rows);
  const equal = rows.filter(({ theirs, ours }) => theirs.stdout === ours.stdout && theirs.stderr === ours.stderr);
  const explained = rows.filter(({ why }) => why !== undefined);
  const lines = [
    "# virsh against virtwire's daemon and against libvirtd's test driver",
    "",
    "Written by `npm run test:interop`. Every line ran against `test:///default` of Debian's libvirtd and against the",
    'in-memory hypervisor with `inventory: "test"`.',
    "",
    `${rows.length} lines with ${all.length} different commands. ${same.length} commands ended with the same exit code on every line;`,
    `${done.length} of these did what they were asked to at least once, the others are refused by both.`,
    "",
    `${equal.length} lines printed the same text to the letter, ${rows.length - equal.length - explained.length} the same but for numbers and names of the host,`,
    `${explained.length} differ for the reason in the table.`,
    "",
    "| scene | command | exit code | text |",
    "| --- | --- | --- | --- |",
    ...rows.map((row) => `| ${row.scene} | \`${row.line.replaceAll("|", "\\|")}\` | ${codes(row)} | ${verdict(row)} |`),
    "",
  ];
  await writeFile(file, lines.join("\n"));
}

function codes({ theirs, ours }: Row): string {
  return theirs.code === ours.code ? `${ours.code}` : `libvirtd ${theirs.code}, ours ${ours.code}`;
}

function verdict({ theirs, ours, why }: Row): string {
  if (why !== undefined) return why;
  return theirs.stdout === ours.stdout && theirs.stderr === ours.stderr ? "same" : "same but for numbers or names";
}
