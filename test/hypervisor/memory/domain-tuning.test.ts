import { describe, expect, test } from "vitest";
import type { TypedParam } from "../../../src/generated/remote/index.ts";
import { guestXml, startGuest, TestHost, virt } from "../hosts.ts";

const LIVE = 1;
const CONFIG = 2;
const uint = (field: string, value: number): TypedParam => ({ field, value: { type: 2, value } });
const ullong = (field: string, value: bigint): TypedParam => ({ field, value: { type: 4, value } });
const string = (field: string, value: string): TypedParam => ({ field, value: { type: 7, value } });
const int = (field: string, value: number): TypedParam => ({ field, value: { type: 1, value } });

describe("typed parameters are checked", () => {
  test.each([
    ["unknown", [uint("wait", 1)], 74, "argument unsupported: parameter 'wait' not supported"],
    [
      "of another type",
      [int("weight", 1)],
      8,
      "invalid argument: invalid type 'int' for parameter 'weight', expected 'uint'",
    ],
    ["twice", [uint("weight", 1), uint("weight", 2)], 8, "invalid argument: parameter 'weight' occurs multiple times"],
    ["like a property of objects", [uint("__proto__", 1)], 74, /'__proto__' not supported$/],
  ])("%s", async (_what, params, code, message) => {
    await using host = new TestHost();
    const { remote } = await host.connect();
    const { dom } = await remote.domainDefineXml({ xml: guestXml() });
    await expect(remote.domainSetSchedulerParameters({ dom, params })).rejects.toMatchObject(virt(code, message));
  });
});

test("flags say which definition is changed, and there has to be one", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const { dom } = await remote.domainCreateXml({ xmlDesc: guestXml(), flags: 0 });
  const set = (flags: number) => remote.domainSetMemoryFlags({ dom, memory: 1024n, flags });
  await expect(set(CONFIG)).rejects.toMatchObject(virt(55, /transient domains do not have any persistent config$/));
  await expect(set(LIVE | CONFIG)).rejects.toMatchObject(virt(8, /are mutually exclusive$/));
  await expect(set(64)).rejects.toMatchObject(virt(8, /unsupported flags \(0x40\)/));
  await set(0);
  await remote.domainDefineXml({ xml: guestXml() });
  await remote.domainDestroy({ dom });
  await expect(set(LIVE)).rejects.toMatchObject(virt(55, /domain is not running$/));
});

test("memory: what is on now, and at most", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const dom = await startGuest(connection);
  await remote.domainSetMemory({ dom, memory: 1024n });
  expect(await remote.domainGetInfo({ dom })).toMatchObject({ maxMem: 2048n, memory: 1024n });
  await expect(remote.domainSetMemory({ dom, memory: 4096n })).rejects.toMatchObject(
    virt(8, "invalid argument: cannot set memory higher than max memory"),
  );
  await expect(remote.domainSetMaxMemory({ dom, memory: 4096n })).rejects.toMatchObject(virt(55, /active domain$/));
  await remote.domainSetMemoryFlags({ dom, memory: 4096n, flags: CONFIG | 4 });
  expect((await remote.domainGetXmlDesc({ dom, flags: 2 })).xml).toContain("<memory unit='KiB'>4096</memory>");
  await remote.domainDestroy({ dom });
  expect(await remote.domainGetInfo({ dom })).toMatchObject({ maxMem: 4096n, memory: 2048n });
});

test("vcpus: how many of the definition, and where they run", async () => {
  await using host = new TestHost({ inventory: "test" });
  const connection = await host.connect();
  const { remote } = connection;
  const { dom } = await remote.domainLookupByName({ name: "test" });
  await remote.domainSetVcpus({ dom, nvcpus: 1 });
  expect(await remote.domainGetVcpusFlags({ dom, flags: LIVE })).toEqual({ num: 1 });
  expect(await remote.domainGetVcpusFlags({ dom, flags: CONFIG })).toEqual({ num: 2 });
  await expect(remote.domainSetVcpus({ dom, nvcpus: 3 })).rejects.toMatchObject(
    virt(8, "invalid argument: requested cpu amount exceeds maximum (3 > 2)"),
  );
  await expect(remote.domainSetVcpus({ dom, nvcpus: 33 })).rejects.toMatchObject(virt(8, /\(33 > 32\)$/));
  await remote.domainSetVcpusFlags({ dom, nvcpus: 4, flags: CONFIG | 4 });
  expect(await remote.domainGetVcpusFlags({ dom, flags: CONFIG | 4 })).toEqual({ num: 4 });

  await remote.domainPinVcpu({ dom, vcpu: 0, cpumap: Uint8Array.of(0b101, 0) });
  const maps = (await remote.domainGetVcpuPinInfo({ dom, ncpumaps: 2, maplen: 2, flags: LIVE })).cpumaps;
  expect([...maps]).toEqual([0b101, 0, 0xff, 0xff]);
  expect((await remote.domainGetXmlDesc({ dom, flags: 0 })).xml).toContain("<vcpupin vcpu='0' cpuset='0,2'/>");
  expect((await remote.domainGetVcpus({ dom, maxinfo: 9, maplen: 1 })).info).toMatchObject([{ number: 0, cpu: 2 }]);
  await expect(remote.domainPinVcpu({ dom, vcpu: 1, cpumap: Uint8Array.of(1) })).rejects.toMatchObject(
    virt(8, "invalid argument: requested vcpu '1' is not present in the domain"),
  );
  await expect(remote.domainPinEmulator({ dom, cpumap: Uint8Array.of(0), flags: 0 })).rejects.toMatchObject({
    code: 8,
  });
  await remote.domainPinEmulator({ dom, cpumap: Uint8Array.of(2), flags: 0 });
  expect([...(await remote.domainGetEmulatorPinInfo({ dom, maplen: 1, flags: 0 })).cpumaps]).toEqual([2]);
});

test("maps and lists that cannot be answered are refused before they are made", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const dom = await startGuest(connection);
  await expect(remote.domainGetVcpus({ dom, maxinfo: 16384, maplen: 513 })).rejects.toMatchObject({ code: 39 });
  await expect(remote.domainGetVcpuPinInfo({ dom, ncpumaps: -1, maplen: 1, flags: 0 })).rejects.toMatchObject({
    code: 39,
  });
  await expect(
    remote.nodeGetFreePages({ pages: [4], startCell: 0, cellCount: 0xffff_ffff, flags: 0 }),
  ).rejects.toMatchObject({ code: 8 });
});

test("I/O threads come, are used, and go", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const disk = "<disk><driver iothread='1'/><source file='/a'/><target dev='vda'/></disk>";
  const dom = await startGuest(connection, { extra: `<iothreads>1</iothreads><devices>${disk}</devices>` });
  const ids = async () => (await remote.domainGetIothreadInfo({ dom, flags: 0 })).info.map((each) => each.iothreadId);
  await remote.domainAddIothread({ dom, iothreadId: 7, flags: 0 });
  expect(await ids()).toEqual([1, 7]);
  await expect(remote.domainAddIothread({ dom, iothreadId: 7, flags: 0 })).rejects.toMatchObject(
    virt(8, /iothread_id '7'$/),
  );
  await expect(remote.domainAddIothread({ dom, iothreadId: 0, flags: 0 })).rejects.toMatchObject({ code: 8 });
  await expect(remote.domainDelIothread({ dom, iothreadId: 1, flags: 0 })).rejects.toMatchObject(
    virt(8, "invalid argument: cannot remove IOThread 1 since it is being used by disk 'vda'"),
  );
  await remote.domainSetIothreadParams({ dom, iothreadId: 7, params: [ullong("poll_max_ns", 9n)], flags: LIVE });
  const { retStats } = await remote.connectGetAllDomainStats({ doms: [dom], stats: 0, flags: 0 });
  expect(retStats[0]!.params).toContainEqual(ullong("iothread.7.poll-max-ns", 9n));
  await remote.domainPinIothread({ dom, iothreadsId: 7, cpumap: Uint8Array.of(1), flags: 0 });
  await remote.domainDelIothread({ dom, iothreadId: 7, flags: 0 });
  expect(await ids()).toEqual([1]);
  expect((await remote.domainGetXmlDesc({ dom, flags: 0 })).xml).not.toContain("iothreadpin");
});

test("memory limits, NUMA nodes, block weights and performance events stand in the definition", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const dom = await startGuest(connection);
  const limits = async () => (await remote.domainGetMemoryParameters({ dom, nparams: 3, flags: 0 })).params;
  expect(await remote.domainGetMemoryParameters({ dom, nparams: 0, flags: 0 })).toEqual({ params: [], nparams: 3 });
  expect((await limits())[0]).toEqual(ullong("hard_limit", 9007199254740991n));
  const setLimits = (...params: TypedParam[]) => remote.domainSetMemoryParameters({ dom, params, flags: 0 });
  await expect(setLimits(ullong("hard_limit", 5n), ullong("swap_hard_limit", 4n))).rejects.toMatchObject({ code: 8 });
  await setLimits(ullong("hard_limit", 4n), ullong("swap_hard_limit", 5n));
  expect((await limits()).map(({ value }) => value.value)).toEqual([4n, 9007199254740991n, 5n]);

  const setNuma = (...params: TypedParam[]) => remote.domainSetNumaParameters({ dom, params, flags: CONFIG });
  await expect(setNuma(string("numa_nodeset", "3-1"))).rejects.toMatchObject(virt(8, /Failed to parse bitmap '3-1'$/));
  await expect(setNuma(int("numa_mode", 9))).rejects.toMatchObject(virt(8, /unsupported numatune mode: '9'$/));
  await setNuma(int("numa_mode", 2), string("numa_nodeset", "0-2,^1"));
  expect((await remote.domainGetNumaParameters({ dom, nparams: 2, flags: CONFIG | 4 })).params).toEqual([
    int("numa_mode", 2),
    string("numa_nodeset", "0,2"),
  ]);

  const setBlkio = (...params: TypedParam[]) => remote.domainSetBlkioParameters({ dom, params, flags: 0 });
  await expect(setBlkio(string("device_weight", "/a,5,/b"))).rejects.toMatchObject(
    virt(8, /unable to parse blkio device/),
  );
  await expect(setBlkio(string("device_weight", "/a,x"))).rejects.toMatchObject(
    virt(8, /invalid value 'x' for parameter/),
  );
  await setBlkio(uint("weight", 500), string("device_weight", "/a,5,/b,6"), string("device_read_iops_sec", "/a,7"));
  await setBlkio(string("device_weight", "/b,0"));
  const { params } = await remote.domainGetBlkioParameters({ dom, nparams: 3, flags: 4 });
  expect(params).toEqual([
    uint("weight", 500),
    string("device_weight", "/a,5"),
    string("device_read_iops_sec", "/a,7"),
  ]);

  const yes: TypedParam = { field: "cmt", value: { type: 6, value: 1 } };
  await remote.domainSetPerfEvents({ dom, params: [yes], flags: 0 });
  expect((await remote.domainGetPerfEvents({ dom, flags: 0 })).params.filter(({ value }) => value.value !== 0)).toEqual(
    [yes],
  );
  expect((await remote.domainGetPerfEvents({ dom, flags: CONFIG })).params).toHaveLength(22);
});

test("statistics: all groups, or those that are asked for", async () => {
  await using host = new TestHost({ inventory: "test" });
  const { remote } = await host.connect();
  const stats = async (stats: number, flags = 0) => {
    const { retStats } = await remote.connectGetAllDomainStats({ doms: [], stats, flags });
    return retStats.map(({ dom, params }) => [dom.name, ...params.map(({ field }) => field)]);
  };
  const all = await stats(0);
  expect(all[0]).toEqual(
    expect.arrayContaining(["test", "state.state", "cpu.time", "balloon.current", "net.count", "block.count"]),
  );
  expect(await stats(1)).toEqual([["test", "state.state", "state.reason"]]);
  expect(await stats(8)).toEqual([
    [
      "test",
      "vcpu.current",
      "vcpu.maximum",
      ...["0.state", "0.time", "1.state", "1.time"].map((each) => `vcpu.${each}`),
    ],
  ]);
  expect((await stats(32))[0]!.slice(0, 4)).toEqual(["test", "block.count", "block.0.name", "block.0.path"]);
  expect(await stats(0, 2)).toEqual([]);
  await expect(stats(1 << 20, 2147483648)).rejects.toMatchObject(
    virt(74, /Stats types bits 0x100000 are not supported/),
  );
});
