/** `node check.js`: fails where a browser bundle is above its limit. Sizes alone: they are the same on every machine. */
import { fileURLToPath } from "node:url";
import { bundle, programs } from "./bundle.ts";
import { limits, others } from "./limits.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

for (const [name, source] of Object.entries(programs)) {
  const { gzipped, inputs } = await bundle(root, source);
  const key = `bundle.${name}.gzip.bytes`;
  const known = limits.find((figure) => figure.key === key);
  const { label } = known ?? others.find((figure) => figure.key === key) ?? { label: name };
  const most = known === undefined ? Number.POSITIVE_INFINITY : known.limit * known.unit.size;
  console.log(`${label}: ${gzipped} bytes${known === undefined ? "" : `, limit ${most}`}`);
  if (gzipped < most) continue;
  process.exitCode = 1;
  for (const [input, bytes] of inputs.slice(0, 15)) console.log(`  ${input} ${bytes}`);
}
