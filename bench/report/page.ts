export interface Picture {
  readonly file: string;
  readonly title: string;
  readonly svg: string;
}

export interface Section {
  readonly bench: string;
  readonly machine: string;
  readonly pictures: readonly Picture[];
  /** HTML */
  readonly tables: readonly string[];
  readonly notes: readonly (readonly [string, string])[];
}

export function escaped(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replaceAll(/[&<>"]/g, (sign) => entities[sign] as string);
}

export function page(sections: readonly Section[]): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>virtwire: benchmarks</title>
<style>
:root { color-scheme: light dark; --back: #fff; --ink: #1f2328; --faint: #d1d9e0; --soft: #59636e; --behind: #b3410e }
@media (prefers-color-scheme: dark) {
  :root { --back: #0d1117; --ink: #d1d7e0; --faint: #3d444d; --soft: #9198a1; --behind: #f0883e }
}
body { margin: 2rem auto; max-width: 920px; padding: 0 1rem; background: var(--back); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif }
h1, h2 { line-height: 1.2 }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--faint); padding-bottom: .3rem }
p, li { color: var(--soft) }
img { display: block; width: 100%; height: auto; margin: 1.5rem 0 }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--faint); text-align: right; white-space: nowrap }
th:first-child { text-align: left; font-weight: 500 }
thead th { font-weight: 600 }
.behind { color: var(--behind) }
</style>
<h1>virtwire: benchmarks</h1>
<p>Each ratio is our speed over a peer's, measured in turns on one machine: more than 1, ours is faster. How it is
measured, and where we lose and why, is in <a href="../README.md">bench/README.md</a>. Drawn by
<code>npm run bench -- report</code> from <code>bench/results/</code>.</p>
${sections.map(section).join("\n")}
</html>
`;
}

function section({ bench, machine, pictures, tables, notes }: Section): string {
  return `<h2>${escaped(bench)}</h2>
<p>${escaped(machine)}</p>
${pictures.map(({ file, title }) => `<img src="${file}" alt="${escaped(title)}">`).join("\n")}
${tables.map((table) => `<div class="wide">${table}</div>`).join("\n")}
${notes.length === 0 ? "" : `<ul>\n${notes.map(([name, note]) => `<li><b>${escaped(name)}</b>: ${escaped(note)}</li>`).join("\n")}\n</ul>`}`;
}
