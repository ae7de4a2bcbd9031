import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const PROCEDURES = 'import { connectListAllDomains, domainGetInfo, domainGetXmlDesc } from "virtwire/protocol/remote";';
const BODY = `
  const { domains } = await conn.call(connectListAllDomains, { needResults: 1, flags: 0 });
  for (const dom of domains) {
    console.log(await conn.call(domainGetInfo, { dom }), await conn.call(domainGetXmlDesc, { dom, flags: 0 }));
  }
  await conn.close();`;

/** Programs for a browser, each with three procedures through `call`. */
export const programs = {
  /** What a user writes who wants it small. */
  connect: `
import { connect } from "virtwire/core";
${PROCEDURES}
export async function main() {
  const conn = await connect("test+ws://host/default");${BODY}
}`,
  /** Over a pipe of the user's own. */
  connectTransport: `
import { connectTransport } from "virtwire/core";
${PROCEDURES}
export async function main(transport) {
  const conn = await connectTransport(transport, { name: "test:///default" });${BODY}
}`,
  /** The RPC layer alone: calls, without what a connection adds. */
  Peer: `
import { Peer } from "virtwire/rpc";
${PROCEDURES}
export async function main(transport) {
  const conn = new Peer(transport);${BODY}
}`,
  /** With the API objects, and so with every procedure and type: what nobody should load by accident. */
  whole: `
import { connect } from "virtwire";
${PROCEDURES}
export async function main() {
  const conn = await connect("test+ws://host/default");${BODY}
}`,
} as const;

export interface Bundle {
  /** Bytes that are loaded before the program can run, minified. */
  readonly minified: number;
  readonly gzipped: number;
  /** The largest inputs, bytes in the bundle. */
  readonly inputs: readonly (readonly [string, number])[];
}

/** Bundles a program. What it imports later, if ever, lies in chunks of its own that do not count. */
export async function bundle(root: string, source: string): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: source, resolveDir: root, sourcefile: "program.js" },
    absWorkingDir: root,
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    outdir: "/out",
    // Only in chunks that a browser never loads; an import at the start would break the page.
    external: ["node:*"],
    logLevel: "silent",
  });
  const outputs = new Map(Object.entries(metafile.outputs));
  const entry = [...outputs].find(([, { entryPoint }]) => entryPoint === "program.js" || entryPoint === "<stdin>");
  if (entry === undefined) throw new Error(`no entry among ${[...outputs.keys()].join(", ")}`);
  const needed = new Set<string>();
  const add = (name: string) => {
    if (needed.has(name)) return;
    needed.add(name);
    for (const { path, kind, external } of outputs.get(name)?.imports ?? []) {
      if (kind !== "import-statement") continue;
      if (external) throw new Error(`the bundle imports ${path} at its start`);
      add(path);
    }
  };
  add(entry[0]);

  let minified = 0;
  let gzipped = 0;
  const inputs = new Map<string, number>();
  for (const { path, contents } of outputFiles) {
    const name = [...needed].find((name) => path.endsWith(name.split("/").at(-1) as string));
    if (name === undefined) continue;
    minified += contents.byteLength;
    gzipped += gzipSync(contents, { level: 9 }).byteLength;
    for (const [input, { bytesInOutput }] of Object.entries(outputs.get(name)?.inputs ?? {})) {
      inputs.set(input, (inputs.get(input) ?? 0) + bytesInOutput);
    }
  }
  return { minified, gzipped, inputs: [...inputs].sort(([, a], [, b]) => b - a) };
}
