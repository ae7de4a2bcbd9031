import { expect, test } from "vitest";
import { startGuest, TestHost, virt } from "../hosts.ts";

test("a host with the test inventory says that it is the test driver's machine", async () => {
  await using host = new TestHost({ inventory: "test" });
  const { remote } = await host.connect();
  expect(await remote.connectGetType()).toEqual({ type: "TEST" });
  expect(await remote.nodeGetInfo()).toMatchObject({ memory: 3145728n, cpus: 16, mhz: 1400, nodes: 2, sockets: 2 });
  expect((await remote.connectGetCapabilities()).capabilities).toContain("<cells num='2'>");
  expect((await remote.nodeGetFreePages({ pages: [4, 8], startCell: 0, cellCount: 1, flags: 0 })).counts).toEqual([
    19n,
    45n,
  ]);
  expect(await remote.nodeGetCpuMap({ needMap: 1, needOnline: 1, flags: 0 })).toEqual({
    cpumap: Uint8Array.of(0x15),
    online: 3,
    ret: 8,
  });
  expect((await remote.nodeGetCpuStats({ cpuNum: -1, nparams: 0, flags: 0 })).nparams).toBe(4);
  await expect(remote.nodeGetCellsFreeMemory({ startCell: 2, maxcells: 1 })).rejects.toMatchObject(
    virt(8, "invalid argument: Range exceeds available cells"),
  );
});

test("models of processors, and what several have in common", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const models = async (arch: string) =>
    (await remote.connectGetCpuModelNames({ arch, needResults: 1, flags: 0 })).models;
  expect(await models("x86_64")).toContain("Penryn");
  expect(await models("s390x")).toEqual([]);
  await expect(models("z80")).rejects.toMatchObject(virt(8, "invalid argument: cannot find architecture z80"));
  const cpu = (model: string, ...features: string[]) =>
    `<cpu><arch>x86_64</arch><model>${model}</model>${features.map((name) => `<feature name='${name}'/>`).join("")}</cpu>`;
  const baseline = async (...xmlCPUs: string[]) => (await remote.connectBaselineCpu({ xmlCPUs, flags: 0 })).cpu;
  const both = await baseline(cpu("Penryn", "vmx", "est"), cpu("Penryn", "est"));
  expect(both).toContain("<feature policy='require' name='est'/>");
  expect(both).not.toContain("vmx");
  await expect(baseline(cpu("Penryn"), cpu("Haswell"))).rejects.toMatchObject(virt(9, /CPUs are incompatible$/));
  await expect(baseline("<cpu/>")).rejects.toMatchObject(virt(1, /Missing CPU model name$/));
});

test("a host of its own claims nothing of the test driver's", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const dom = await startGuest(connection);
  const { capabilities } = await remote.connectGetCapabilities();
  const ofDomains = await remote.connectGetDomainCapabilities({
    emulatorbin: null,
    arch: null,
    machine: null,
    virttype: null,
    flags: 0,
  });
  for (const xml of [capabilities, ofDomains.capabilities]) expect(xml).not.toMatch(/test/i);
  expect(await remote.nodeGetSecurityModel()).toEqual({ model: Uint8Array.of(0), doi: Uint8Array.of(0) });
  expect(await remote.domainGetSecurityLabelList({ dom })).toEqual({ labels: [], ret: 0 });
  expect(await remote.domainGetSecurityLabel({ dom })).toMatchObject({ enforcing: 0 });
  await expect(remote.connectGetSysinfo({ flags: 0 })).rejects.toMatchObject(
    virt(67, /Host SMBIOS information is not available$/),
  );
  const free = await remote.nodeGetFreeMemory();
  expect(await remote.nodeGetCellsFreeMemory({ startCell: 0, maxcells: 1 })).toEqual({ cells: [free.freeMem] });
});

test("what this machine's processors spent their time on", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const stats = (cpuNum: number, nparams: number) => remote.nodeGetCpuStats({ cpuNum, nparams, flags: 0 });
  const { nparams } = await stats(-1, 0);
  const all = new Map((await stats(-1, nparams)).params.map(({ field, value }) => [field, value]));
  const first = new Map((await stats(0, nparams)).params.map(({ field, value }) => [field, value]));
  expect([...all.keys()]).toEqual(["kernel", "user", "idle"]);
  expect(all.get("idle")).toBeGreaterThan(0n);
  expect(first.get("user")).toBeLessThanOrEqual(all.get("user")! + 10n ** 12n);
  await expect(stats(1 << 20, nparams)).rejects.toMatchObject(virt(8, /Invalid cpuNum/));
  await expect(stats(-2, nparams)).rejects.toMatchObject(virt(8, /Invalid cpuNum/));
});
