import { limits, others } from "../figures/limits.ts";
import type { BenchResult } from "../harness/result.ts";
import { times } from "../harness/table.ts";
import { OWNED, ratiosByRow } from "./ratios.ts";

const BEGIN = "<!-- results: npm run bench -- report writes what follows -->";
const END = "<!-- end of results -->";

/** The README with the tables of these results between its two marks. */
export function withResults(readme: string, results: readonly BenchResult[]): string {
  const from = readme.indexOf(BEGIN);
  const to = readme.indexOf(END);
  if (from < 0 || to < from) throw new Error(`bench/README.md lacks "${BEGIN}" or "${END}"`);
  const text = results.map((result) => `### ${result.bench}\n\n${machineLine(result)}\n\n${tableOf(result)}\n`);
  return `${readme.slice(0, from)}${BEGIN}\n\n${text.join("\n")}\n${readme.slice(to)}`;
}

function machineLine({ machine: { cpu, cores, memory, kernel, node } }: BenchResult): string {
  return `${cpu}, ${cores} cores, ${memory} GiB, Linux ${kernel}, Node ${node}`;
}

function tableOf(result: BenchResult): string {
  return result.bench === "figures" ? figureTable(result) : ratioTable(result);
}

function ratioTable(result: BenchResult): string {
  const { names, rows } = ratiosByRow(result);
  const peers = names.filter((name) => !name.endsWith(OWNED));
  const speeds = rows.some(({ label }) => result.figures[`${label}.ours.MB/s`] !== undefined);
  const head = ["ours over", ...(speeds ? ["ours, MB/s"] : []), ...peers.map((name) => (name === "c" ? "C" : name))];
  const body = rows.map(({ label, ratios }) => [
    label,
    ...(speeds ? [String(result.figures[`${label}.ours.MB/s`] ?? "")] : []),
    ...peers.map((name) => {
      const owned = ratios[name + OWNED];
      return ratios[name] === undefined ? "" : times(ratios[name]) + (owned === undefined ? "" : ` [${times(owned)}]`);
    }),
  ]);
  return table(head, body);
}

function figureTable({ figures }: BenchResult): string {
  const shown = ({ key, unit }: (typeof others)[number]): string =>
    `${Number(((figures[key] ?? Number.NaN) / unit.size).toPrecision(3))} ${unit.name}`;
  const rows = limits.map((figure) => {
    const holds = (figures[figure.key] ?? Number.NaN) / figure.unit.size < figure.limit ? "holds" : "missed";
    return [figure.label, shown(figure), `${figure.limit} ${figure.unit.name}`, holds];
  });
  const compared = others.filter(({ key }) => figures[key] !== undefined);
  return table(
    ["figure", "is", "limit", ""],
    [...rows, ...compared.map((figure) => [figure.label, shown(figure), "", ""])],
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "--:"))), ...rows.map(line)].join("\n");
}
