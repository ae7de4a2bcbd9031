/** Our generator on libvirt's own protocol files, as Debian ships their source, and what our files differ in. */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { generate, loadModule, type Module } from "../../codegen/index.ts";
import { facts } from "../xdr/facts.ts";
import { differences } from "./model-difference.ts";
import { part } from "./part.ts";
import { aptObstacle, DebianSuite } from "./upstream.ts";

/** Where upstream keeps each of our files. */
const upstreamPaths = {
  netmessage: "src/rpc/virnetprotocol.x",
  keepalive: "src/rpc/virkeepaliveprotocol.x",
  remote: "src/remote/remote_protocol.x",
  qemu: "src/remote/qemu_protocol.x",
  lxc: "src/remote/lxc_protocol.x",
  admin: "src/admin/admin_protocol.x",
  lock: "src/locking/lock_protocol.x",
  log: "src/logging/log_protocol.x",
} as const;
const names = Object.keys(upstreamPaths) as (keyof typeof upstreamPaths)[];

/** The constants of libvirt's C headers that its `.x` files use, from the facts and not from our files. */
const externals: Record<string, number> = {};
for (const name of names) {
  const { externalConstants } = facts<{ externalConstants: { name: string; value: number }[] }>(name);
  for (const { name: constant, value } of externalConstants) externals[constant] = value;
}

const ours = (name: string): Module =>
  loadModule(fileURLToPath(new URL(`../../protocol/${name}.x`, import.meta.url))).module;

/** Debian's suites with the libvirt that they have, and what that release said otherwise than 11.3.0 does. */
const suites = [
  {
    suite: "trixie",
    version: "11.3.0",
    about: "says the same as our files, no more and no less",
    older: false,
    otherwise: [],
  },
  {
    suite: "bookworm",
    version: "9.0.0",
    about: "says nothing that our files do not say too",
    older: true,
    // Later it wanted node_device:save as well. Rights only: number and layout are the same.
    otherwise: ["remote: procedure NODE_DEVICE_DEFINE_XML"],
  },
];

part("libvirt's protocol files in Debian's source packages", aptObstacle(), () => {
  for (const { suite, version, about, older, otherwise } of suites) {
    part(`${suite}: libvirt ${version}`, undefined, () => {
      let source: Awaited<ReturnType<DebianSuite["protocolFiles"]>>;
      let debian: DebianSuite;
      beforeAll(async () => {
        debian = await DebianSuite.open(suite);
        source = await debian.protocolFiles("libvirt");
      });
      afterAll(async () => await debian?.[Symbol.asyncDispose]());

      test("is the version that it should be, and unpatched", () => {
        expect(source.version).toBe(version);
        expect(source.patched).toEqual([]);
      });

      test.each(names)(`%s ${about}`, (name) => {
        const { module } = loadModule(join(source.root, upstreamPaths[name]), { externals });
        const found = differences(module, ours(name), { externals, older }).map((line) => `${name}: ${line}`);
        for (const line of found) console.log(line);
        expect(found.map((line) => line.replace(/:\n.*/s, ""))).toEqual(
          otherwise.filter((line) => line.startsWith(`${name}: `)),
        );
        const procedures = module.programs.reduce((sum, program) => sum + program.procedures.length, 0);
        console.log(
          `${name}: ${module.definitions.length} types, ${module.constants.length} constants, ${procedures} procedures compared`,
        );
      });

      test("every .x file in the package generates code", async () => {
        for (const path of [...Object.values(upstreamPaths), "src/lxc/lxc_monitor_protocol.x"]) {
          const { files } = await generate([join(source.root, path)], { externals });
          expect(files.size, path).toBeGreaterThan(0);
        }
      });
    });
  }
});

part("the .x files of rpcsvc-proto and libnsl-dev", aptObstacle(), () => {
  const folders: string[] = [];
  let debian: DebianSuite | undefined;
  beforeAll(async () => {
    if (existsSync("/usr/include/rpcsvc/mount.x") && existsSync("/usr/include/rpcsvc/nis.x")) {
      folders.push("/usr/include/rpcsvc");
      return;
    }
    debian = await DebianSuite.open("bookworm", "deb");
    for (const name of ["rpcsvc-proto", "libnsl-dev"]) {
      folders.push(join(await debian.unpacked(name), "usr/include/rpcsvc"));
    }
  });
  afterAll(async () => await debian?.[Symbol.asyncDispose]());

  test("each generates code, or includes one that does", async () => {
    const read: string[] = [];
    for (const folder of folders) {
      for (const name of (await readdir(folder)).filter((file) => file.endsWith(".x"))) {
        const { files } = await generate([join(folder, name)]);
        expect(files.size, name).toBeGreaterThan(0);
        read.push(name);
      }
    }
    console.log(`read ${read.sort().join(" ")}`);
    expect(read.length).toBeGreaterThanOrEqual(15);
    expect(read).toContain("nfs_prot.x");
  });
});
