/** One page with charts, and the tables of bench/README.md, from the results of all benches. Drawn again from the same results it is the same. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { limits as figureLimits } from "../figures/limits.ts";
import type { BenchResult } from "../harness/result.ts";
import { times } from "../harness/table.ts";
import { barChart, limitChart, ratioChart } from "./chart.ts";
import { withResults } from "./markdown.ts";
import { escaped, type Picture, page, type Section } from "./page.ts";
import { OWNED, ratiosByRow } from "./ratios.ts";

export function report(root: string): void {
  const results = join(root, "bench/results");
  const out = join(root, "bench/report");
  const found = readdirSync(results)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => JSON.parse(readFileSync(join(results, name), "utf8")) as BenchResult);
  if (found.length === 0) throw new Error(`no results in ${results}: run a bench with --json bench/results/NAME.json`);

  const sections = found.map(sectionOf);
  mkdirSync(out, { recursive: true });
  for (const name of readdirSync(out)) if (name.endsWith(".svg")) rmSync(join(out, name));
  for (const { pictures } of sections) for (const { file, svg } of pictures) writeFileSync(join(out, file), svg);
  writeFileSync(join(out, "index.html"), page(sections));
  const readme = join(root, "bench/README.md");
  writeFileSync(readme, withResults(readFileSync(readme, "utf8"), found));
  console.log(`${join(out, "index.html")} with ${sections.flatMap(({ pictures }) => pictures).length} charts`);
}

function sectionOf(result: BenchResult): Section {
  const { bench, machine, notes } = result;
  const { cpu, cores, memory, node, v8 } = machine;
  const pictures = picturesOf(result);
  return {
    bench,
    machine: `${cpu}, ${cores} cores, ${memory} GiB; Node ${node}, V8 ${v8}`,
    pictures,
    tables: [ratioTable(result)],
    notes: Object.entries(notes ?? {}),
  };
}

/** The charts of a bench that has its own; otherwise one of its ratios. */
function picturesOf(result: BenchResult): Picture[] {
  switch (result.bench) {
    case "codec":
      return codecPictures(result);
    case "figures":
      return figurePictures(result);
    default: {
      const { names, rows } = ratiosByRow(result);
      const title = `${result.bench}: ours over each peer`;
      return [{ file: `${result.bench}.svg`, title, svg: ratioChart(title, names, rows) }];
    }
  }
}

function codecPictures(result: BenchResult): Picture[] {
  const { names, rows } = ratiosByRow(result);
  const series = names.filter((name) => !name.endsWith(OWNED));
  const shown = (name: string) => (name === "c" ? "C" : name);
  const pictures: Picture[] = ["decode", "encode"].map((direction) => {
    const title = `Messages ${direction}d: ours over each peer`;
    const chosen = rows
      .filter(({ label }) => label.endsWith(`.${direction}`))
      .map(({ label, ratios }) => ({
        label: `${label.slice(0, label.lastIndexOf("."))} · ${size(result.figures[`${label}.bytes`] as number)}`,
        // Like with like: where a peer leaves out a part of the work, the ratio with that part.
        ratios: Object.fromEntries(
          series.flatMap((name) => {
            const ratio = ratios[name + OWNED] ?? ratios[name];
            return ratio === undefined ? [] : [[shown(name), ratio]];
          }),
        ),
      }));
    return { file: `codec-${direction}.svg`, title, svg: ratioChart(title, series.map(shown), chosen) };
  });
  const speeds = ["ours", ...series].filter((name) => result.figures[`stats.decode.${name}.MB/s`] !== undefined);
  if (speeds.length > 0) {
    const title = "All domain stats, 212,804 bytes";
    const of = (direction: string) => speeds.map((name) => result.figures[`stats.${direction}.${name}.MB/s`] as number);
    const svg = barChart(title, "MB/s of XDR", speeds.map(shown), { decode: of("decode"), encode: of("encode") });
    pictures.unshift({ file: "codec-stats.svg", title, svg });
  }
  return pictures;
}

function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 2 ** 20 ? `${Math.round(bytes / 1024)} KiB` : `${Math.round(bytes / 2 ** 20)} MiB`;
}

function figurePictures({ figures }: BenchResult): Picture[] {
  const title = "Generating, importing, bundling: how much of each limit is used";
  const known = figureLimits.filter(({ key }) => figures[key] !== undefined);
  const svg = limitChart(
    title,
    known.map(({ key, label, limit, unit }) => {
      const value = (figures[key] as number) / unit.size;
      return { label, value: `${Number(value.toPrecision(3))} ${unit.name}`, share: value / limit };
    }),
  );
  return [{ file: "figures.svg", title, svg }];
}

/** Ratios with their spread: a row for each thing measured, a column for each peer. */
function ratioTable(result: BenchResult): string {
  const { names, rows } = ratiosByRow(result);
  const cell = (label: string, name: string, ratio: number | undefined) => {
    if (ratio === undefined) return "<td></td>";
    const [low, high] = result.spread?.[`${label}/${name}`] ?? [];
    const spread = low === undefined ? "" : ` title="middle half of the rounds: ${times(low)} to ${times(high)}"`;
    return `<td${spread}${ratio < 1 ? ' class="behind"' : ""}>${times(ratio)}</td>`;
  };
  const head = names.map((name) => `<th>${escaped(name)}</th>`).join("");
  const body = rows
    .map(({ label, ratios }) => {
      const cells = names.map((name) => cell(label, name, ratios[name])).join("");
      return `<tr><th>${escaped(label)}</th>${cells}</tr>`;
    })
    .join("\n");
  return `<table><thead><tr><th>ours over</th>${head}</tr></thead><tbody>\n${body}\n</tbody></table>`;
}
