/**
 * Our server, with a hypervisor whose volumes swallow what is uploaded and give as many bytes as somebody wants.
 *
 * `node served.js FOLDER` prints its addresses, tcp and tls, then answers each line with its vital signs.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Hypervisor, remoteProgram } from "virtwire/hypervisor";
import { createServer } from "virtwire/server";
import { vitalSigns, watchGarbage } from "./vital-signs.ts";

const CHUNK = 256 * 1024;
const chunk = new Uint8Array(CHUNK);
const [, , folder = ""] = process.argv;
const pem = (name: string) => readFileSync(join(folder, `${name}.pem`));

const hypervisor: Hypervisor = {
  type: "bench",
  hostname: "bench",
  defaultUri: "bench:///system",
  accepts: () => true,
  supportsFeature: () => false,
  procedures: {
    domainGetInfo: () => ({ state: 1, maxMem: 1n, memory: 1n, nrVirtCpu: 1, cpuTime: 1n }),
    storageVolUpload: (_args, context) =>
      context.stream(async (stream) => {
        for await (const lease of stream) lease.release();
      }),
    storageVolDownload: ({ length }, context) =>
      context.stream(async (stream) => {
        for (let left = Number(length); left > 0; left -= CHUNK) {
          await stream.write(left < CHUNK ? chunk.subarray(0, left) : chunk);
        }
      }),
  },
  close: async () => {},
  [Symbol.asyncDispose]: async () => {},
};

watchGarbage();
const server = createServer({
  listen: ["tcp://127.0.0.1:0", "tls://127.0.0.1:0"],
  programs: [remoteProgram(hypervisor)],
  tls: { ca: pem("ca"), cert: pem("cert"), key: pem("key") },
  onError: (error) => console.error(error),
});
await server.listen();
console.log(server.addresses.join(" "));
for await (const _ of createInterface({ input: process.stdin })) console.log((await vitalSigns()).join(" "));
process.exit(0); // its clients may still be there
