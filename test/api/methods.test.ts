import { expect, test } from "vitest";
import {
  Domain,
  DomainSnapshot,
  Interface,
  Network,
  NetworkPort,
  NodeDevice,
  Secret,
  StoragePool,
  StorageVol,
} from "../../src/api/generated/index.ts";
import { inOrder, typed } from "../../src/api/typed-parameters.ts";
import {
  VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS,
  VIR_CONNECT_LIST_NODE_DEVICES_ACTIVE,
  VirConnectListAllNodeDeviceFlags,
} from "../../src/generated/libvirt/index.ts";
import type { NonnullDomain } from "../../src/generated/remote/index.ts";
import { VirtError, virtError } from "../../src/rpc/index.ts";
import { ScriptedDaemon } from "./scripted-daemon.ts";

const uuid = Uint8Array.from({ length: 16 }, (_, i) => i);
const UUID = "00010203-0405-0607-0809-0a0b0c0d0e0f";
const dom: NonnullDomain = { name: "web", uuid, id: 3 };
const net = { name: "default", uuid };
const pool = { name: "pool", uuid };
const vol = { pool: "pool", name: "disk", key: "/pool/disk" };
const chars = (text: string) => Uint8Array.from([...Buffer.from(text), 0, 0]);

test("methods/arguments: C's order, flags 0 unless given, null for NULL", async () => {
  await using daemon = await ScriptedDaemon.start({
    domainBlockCommit: () => {},
    domainSaveFlags: () => {},
    connectGetMaxVcpus: () => ({ maxVcpus: 16 }),
    connectGetDomainCapabilities: () => ({ capabilities: "<x/>" }),
  });
  const domain = new Domain(daemon.conn, dom);
  await domain.blockCommit("vda", null, "/top", 5);
  expect(daemon.last).toEqual({ dom, disk: "vda", base: null, top: "/top", bandwidth: 5n, flags: 0 });
  await domain.blockCommit("vda", "/base", "/top", 2n ** 40n, 3);
  expect(daemon.last).toMatchObject({ base: "/base", bandwidth: 2n ** 40n, flags: 3 });
  await domain.saveFlags("/save");
  expect(daemon.last).toEqual({ dom, to: "/save", dxml: null, flags: 0 });
  expect(await daemon.conn.getMaxVcpus()).toBe(16);
  expect(daemon.last).toEqual({ type: null });
  await daemon.conn.getMaxVcpus("kvm");
  expect(daemon.last).toEqual({ type: "kvm" });
  await daemon.conn.getDomainCapabilities(null, "x86_64");
  expect(daemon.last).toEqual({ emulatorbin: null, arch: "x86_64", machine: null, virttype: null, flags: 0 });
});

test("methods/arguments: arrays, bytes, booleans, other objects", async () => {
  await using daemon = await ScriptedDaemon.start({
    domainPinVcpuFlags: () => {},
    domainSetAutostart: () => {},
    domainSendKey: () => {},
    domainFsfreeze: () => ({ filesystems: 2 }),
    nodeAllocPages: () => ({ ret: 1 }),
    storageVolCreateXmlFrom: () => ({ vol }),
    secretSetValue: () => {},
  });
  const { conn } = daemon;
  const domain = new Domain(conn, dom);
  await domain.pinVcpuFlags(1, Uint8Array.of(5), 2);
  expect(daemon.last).toEqual({ dom, vcpu: 1, cpumap: Uint8Array.of(5), flags: 2 });
  await domain.setAutostart(true);
  expect(daemon.last).toEqual({ dom, autostart: 1 });
  await domain.sendKey(0, 50, [1, 2, 3]);
  expect(daemon.last).toEqual({ dom, codeset: 0, holdtime: 50, keycodes: [1, 2, 3], flags: 0 });
  expect(await domain.fsFreeze()).toBe(2);
  expect(daemon.last).toEqual({ dom, mountpoints: [], flags: 0 });
  expect(await conn.nodeAllocPages([4, 2048], [1, 2n], -1, 1)).toBe(1);
  expect(daemon.last).toEqual({ pageSizes: [4, 2048], pageCounts: [1n, 2n], startCell: -1, cellCount: 1, flags: 0 });
  const clone = await new StoragePool(conn, pool).createStorageVolXMLFrom("<v/>", new StorageVol(conn, vol));
  expect(clone).toBeInstanceOf(StorageVol);
  expect([clone.getName(), clone.getKey()]).toEqual(["disk", "/pool/disk"]);
  expect(daemon.last).toEqual({ pool, xml: "<v/>", clonevol: vol, flags: 0 });
  await new Secret(conn, { uuid, usageType: 1, usageID: "vol" }).setValue(Uint8Array.of(1, 2));
  expect(daemon.last).toMatchObject({ value: Uint8Array.of(1, 2), flags: 0 });
});

test("methods/results: one value, several, a boolean, nothing, null", async () => {
  await using daemon = await ScriptedDaemon.start({
    domainGetState: () => ({ state: 1, reason: 2 }),
    domainGetMaxMemory: () => ({ memory: 2n ** 53n }),
    domainIsActive: () => ({ active: 1 }),
    domainGetAutostart: () => ({ autostart: 0 }),
    domainAgentSetResponseTimeout: () => ({ result: 0 }),
    nodeDeviceGetParent: () => ({ parentName: null }),
    domainGetBlockJobInfo: ({ path }) =>
      path === "vda"
        ? { found: 1, type: 2, bandwidth: 3n, cur: 4n, end: 5n }
        : { found: 0, type: 0, bandwidth: 0n, cur: 0n, end: 0n },
    nodeGetCpuMap: () => ({ cpumap: Uint8Array.of(7), online: 3, ret: 4 }),
    domainGetTime: () => ({ seconds: 1n, nseconds: 2 }),
  });
  const domain = new Domain(daemon.conn, dom);
  expect(await domain.getState()).toEqual({ state: 1, reason: 2 });
  expect(await domain.getMaxMemory()).toBe(2n ** 53n);
  expect(await domain.isActive()).toBe(true);
  expect(await domain.getAutostart()).toBe(false);
  expect(await domain.agentSetResponseTimeout(5)).toBeUndefined();
  expect(await new NodeDevice(daemon.conn, { name: "computer" }).getParent()).toBeNull();
  expect(daemon.last).toEqual({ name: "computer" });
  expect(await domain.getBlockJobInfo("vda")).toEqual({ type: 2, bandwidth: 3n, cur: 4n, end: 5n });
  expect(await domain.getBlockJobInfo("vdb")).toBeNull();
  expect(await daemon.conn.nodeGetCPUMap()).toEqual({ cpumap: Uint8Array.of(7), online: 3, cpus: 4 });
  expect(daemon.last).toEqual({ needMap: 1, needOnline: 1, flags: 0 });
  expect(await domain.getTime()).toEqual({ seconds: 1n, nseconds: 2 });
});

test("methods/text: arrays of chars end at the first NUL", async () => {
  const info = { memory: 1n, cpus: 4, mhz: 1400, nodes: 1, sockets: 1, cores: 2, threads: 2 };
  const model = new Uint8Array(32);
  model.set(Buffer.from("i686"));
  await using daemon = await ScriptedDaemon.start({
    nodeGetInfo: () => ({ model, ...info }),
    nodeGetSecurityModel: () => ({ model: chars("testSecurity"), doi: chars("") }),
    domainGetSecurityLabel: () => ({ label: chars("libvirt-tést"), enforcing: 1 }),
    domainGetSecurityLabelList: () => ({ labels: [{ label: chars("a"), enforcing: 0 }], ret: 1 }),
  });
  const domain = new Domain(daemon.conn, dom);
  expect(await daemon.conn.nodeGetInfo()).toEqual({ model: "i686", ...info });
  expect(await daemon.conn.nodeGetSecurityModel()).toEqual({ model: "testSecurity", doi: "" });
  expect(await domain.getSecurityLabel()).toEqual({ label: "libvirt-tést", enforcing: 1 });
  expect(await domain.getSecurityLabelList()).toEqual([{ label: "a", enforcing: 0 }]);
});

test("methods/text: chars that are no UTF-8 are an error, never replaced", async () => {
  await using daemon = await ScriptedDaemon.start({
    domainGetSecurityLabel: () => ({ label: Uint8Array.of(0x61, 0xff, 0), enforcing: 1 }),
  });
  const asked = new Domain(daemon.conn, dom).getSecurityLabel();
  await expect(asked).rejects.toMatchObject({ name: "XdrError", code: "utf8", path: "label" });
});

test("methods/lists: what is there is asked for with the result, names with all the room there is", async () => {
  await using daemon = await ScriptedDaemon.start({
    connectListAllDomains: () => ({ domains: [dom, { ...dom, name: "db" }], ret: 2 }),
    connectListDefinedDomains: () => ({ names: ["a", "b"] }),
    connectListDomains: () => ({ ids: [1, 2] }),
    domainGetDiskErrors: () => ({ errors: [{ disk: "vda", error: 1 }], nerrors: 1 }),
    domainMemoryStats: () => ({ stats: [{ tag: 6, val: 5n }] }),
    connectGetCpuModelNames: () => ({ models: ["core2duo"], ret: 1 }),
    networkListAllPorts: () => ({ ports: [{ net, uuid }], ret: 1 }),
    domainListAllSnapshots: () => ({ snapshots: [{ name: "s1", dom }], ret: 1 }),
  });
  const { conn } = daemon;
  const domain = new Domain(conn, dom);
  const found = await conn.listAllDomains(1);
  expect(daemon.last).toEqual({ needResults: 1, flags: 1 });
  expect(found.map((each) => [each instanceof Domain, each.getName(), each.connection === conn])).toEqual([
    [true, "web", true],
    [true, "db", true],
  ]);
  expect(await conn.listDefinedDomains()).toEqual(["a", "b"]);
  expect(daemon.last).toEqual({ maxnames: 16_384 });
  expect(await conn.listDomains()).toEqual([1, 2]);
  expect(daemon.last).toEqual({ maxids: 16_384 });
  expect(await domain.getDiskErrors()).toEqual([{ disk: "vda", error: 1 }]);
  expect(daemon.last).toEqual({ dom, maxerrors: 256, flags: 0 });
  expect(await domain.memoryStats()).toEqual([{ tag: 6, val: 5n }]);
  expect(daemon.last).toEqual({ dom, maxStats: 1024, flags: 0 });
  expect(await conn.getCPUModelNames("x86_64")).toEqual(["core2duo"]);
  expect(daemon.last).toEqual({ arch: "x86_64", needResults: 1, flags: 0 });
  const [port] = await new Network(conn, net).listAllPorts();
  expect(port).toBeInstanceOf(NetworkPort);
  expect([port!.getNetwork().getName(), port!.getUUIDString()]).toEqual(["default", UUID]);
  const [snapshot] = await domain.listAllSnapshots();
  expect(snapshot).toBeInstanceOf(DomainSnapshot);
  expect([snapshot!.getName(), snapshot!.getDomain().getName(), snapshot!.getConnect() === conn]).toEqual([
    "s1",
    "web",
    true,
  ]);
});

test("methods/flags: the 32nd bit with others, which `|` makes negative", async () => {
  await using daemon = await ScriptedDaemon.start({
    connectListAllNodeDevices: () => ({ devices: [], ret: 0 }),
    connectGetAllDomainStats: () => ({ retStats: [] }),
  });
  const both =
    VirConnectListAllNodeDeviceFlags.VIR_CONNECT_LIST_NODE_DEVICES_INACTIVE | VIR_CONNECT_LIST_NODE_DEVICES_ACTIVE;
  expect(both).toBeLessThan(0);
  await daemon.conn.listAllNodeDevices(both);
  expect(daemon.last).toEqual({ needResults: 1, flags: 0xc000_0000 });
  await daemon.conn.getAllDomainStats(0, 1 | VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS);
  expect(daemon.last).toEqual({ doms: [], stats: 0, flags: 0x8000_0001 });
});

test("methods/uuid: 16 bytes or text, and text that is none is refused before any call", async () => {
  await using daemon = await ScriptedDaemon.start({ networkLookupByUuid: () => ({ net }) });
  const { conn } = daemon;
  for (const given of [uuid, UUID, UUID.replaceAll("-", "").toUpperCase()]) {
    expect((await conn.lookupNetworkByUUID(given)).getUUIDString()).toBe(UUID);
    expect(daemon.last).toEqual({ uuid });
  }
  expect((await conn.lookupNetworkByUUIDString(UUID)).getName()).toBe("default");
  expect(daemon.calls).toHaveLength(4);
  await expect(conn.lookupNetworkByUUIDString("nope")).rejects.toThrow(VirtError);
  await expect(conn.lookupNetworkByUUID("nope")).rejects.toMatchObject({ code: 8 });
  expect(daemon.calls).toHaveLength(4);
});

test("methods/typed: two calls, the first asks how many, and both for strings", async () => {
  const params = [
    { field: "weight", value: typed.uint(800) },
    { field: "device_weight", value: typed.string("/dev/sda,200") },
  ];
  await using daemon = await ScriptedDaemon.start({
    domainGetBlkioParameters: ({ nparams }) => (nparams === 0 ? { params: [], nparams: 2 } : { params, nparams: 2 }),
    domainSetBlkioParameters: () => {},
    domainGetJobStats: () => ({ type: 2, params: [{ field: "time_elapsed", value: typed.ullong(5) }] }),
    nodeGetSevInfo: () => ({ params: [{ field: "cbitpos", value: typed.uint(47) }], nparams: 1 }),
    nodeGetCpuStats: ({ nparams }) =>
      nparams === 0 ? { params: [], nparams: 1 } : { params: [{ field: "kernel", value: 9n }], nparams: 1 },
  });
  const domain = new Domain(daemon.conn, dom);
  const found = await domain.getBlkioParameters(1);
  expect(daemon.calls).toEqual([
    { name: "CONNECT_SUPPORTS_FEATURE", args: { feature: 9 } },
    { name: "DOMAIN_GET_BLKIO_PARAMETERS", args: { dom, nparams: 0, flags: 5 } },
    { name: "DOMAIN_GET_BLKIO_PARAMETERS", args: { dom, nparams: 2, flags: 5 } },
  ]);
  expect({ ...found }).toEqual({ weight: 800, device_weight: "/dev/sda,200" });
  expect(found[inOrder]).toEqual(params);
  await domain.setBlkioParameters(found, 1);
  expect(daemon.last).toEqual({ dom, params, flags: 1 });
  await domain.setBlkioParameters({ weight: 100 });
  expect(daemon.last).toEqual({ dom, params: [{ field: "weight", value: typed.uint(100) }], flags: 0 });
  await expect(domain.setBlkioParameters({ wieght: 100 })).rejects.toThrow('parameter "wieght": its type is not known');
  const { type, params: stats } = await domain.getJobStats();
  expect([type, stats.time_elapsed]).toEqual([2, 5n]);
  expect({ ...(await daemon.conn.nodeGetSEVInfo()) }).toEqual({ cbitpos: 47 });
  expect(daemon.last).toEqual({ nparams: 0, flags: 4 });
  expect({ ...(await daemon.conn.nodeGetCPUStats(-1)) }).toEqual({ kernel: 9n });
  expect(daemon.last).toEqual({ cpuNum: -1, nparams: 1, flags: 0 });
});

test("methods/typed: a daemon that does not know the flag for strings is not sent it", async () => {
  await using daemon = await ScriptedDaemon.start({ domainGetNumaParameters: () => ({ params: [], nparams: 0 }) }, []);
  await new Domain(daemon.conn, dom).getNumaParameters(2);
  expect(daemon.last).toMatchObject({ flags: 2 });
});

test("methods/id: after what ends a guest it has none, after starting it the one of the reply", async () => {
  await using daemon = await ScriptedDaemon.start({
    domainCreate: () => {},
    domainLookupByUuid: () => ({ dom: { ...dom, id: 8 } }),
    domainCreateWithFlags: () => ({ dom: { ...dom, id: 9 } }),
    domainDestroy: () => {},
    domainDestroyFlags: () => {},
    domainSave: () => {},
    domainSaveFlags: () => {},
    domainSaveParams: () => {},
    domainManagedSave: () => {},
    domainShutdown: () => {},
    domainRename: () => ({ retcode: 0 }),
  });
  const ends: ((domain: Domain) => Promise<void>)[] = [
    (domain) => domain.destroy(),
    (domain) => domain.destroyFlags(),
    (domain) => domain.save("/x"),
    (domain) => domain.saveFlags("/x"),
    (domain) => domain.saveParams({ file: "/x" }),
    (domain) => domain.managedSave(),
  ];
  for (const end of ends) {
    const domain = new Domain(daemon.conn, dom);
    await end(domain);
    expect(domain.getID()).toBe(-1);
  }
  const domain = new Domain(daemon.conn, { ...dom, id: -1 });
  await domain.create();
  expect(domain.getID()).toBe(8);
  await domain.createWithFlags(1);
  expect(domain.getID()).toBe(9);
  await domain.shutdown(); // it may not do it
  expect(domain.getID()).toBe(9);
  await domain.rename("db");
  expect([domain.getName(), domain.getID()]).toEqual(["db", 9]);
});

test("methods/failure: nothing changes where the daemon refuses", async () => {
  await using daemon = await ScriptedDaemon.start({
    domainDestroy: () => {
      throw virtError(55, 20, "domain is not running");
    },
    domainRename: () => {
      throw virtError(55, 20, "domain has to be shutoff before renaming");
    },
  });
  const domain = new Domain(daemon.conn, dom);
  await expect(domain.destroy()).rejects.toMatchObject({ code: 55, domain: 20 });
  await expect(domain.rename("db")).rejects.toMatchObject({ code: 55 });
  expect([domain.getName(), domain.getID()]).toEqual(["web", 3]);
});

test.each([
  [[16], { command: 3, section: 4 }],
  [[], { command: 4, section: 3 }],
])("methods/network-update: with features %j the daemon gets %j", async (features, order) => {
  await using daemon = await ScriptedDaemon.start({ networkUpdate: () => {} }, features);
  await new Network(daemon.conn, net).update(3, 4, -1, "<host/>");
  expect(daemon.last).toEqual({ net, ...order, parentIndex: -1, xml: "<host/>", flags: 0 });
});

test("methods/cpus: how long a map has to be is asked for", async () => {
  await using daemon = await ScriptedDaemon.start({
    nodeGetCpuMap: () => ({ cpumap: new Uint8Array(), online: 0, ret: 12 }),
    domainGetInfo: () => ({ state: 1, maxMem: 1n, memory: 1n, nrVirtCpu: 3, cpuTime: 0n }),
    domainGetVcpusFlags: () => ({ num: 2 }),
    domainGetVcpus: () => ({
      info: [0, 1].map((number) => ({ number, state: 1, cpuTime: 5n, cpu: 0 })),
      cpumaps: Uint8Array.of(1, 0, 2, 0, 0, 0),
    }),
    domainGetVcpuPinInfo: () => ({ cpumaps: Uint8Array.of(1, 0, 2, 0), num: 2 }),
    domainGetEmulatorPinInfo: ({ flags }) => ({ cpumaps: Uint8Array.of(255, 15), ret: flags === 0 ? 1 : 0 }),
  });
  const domain = new Domain(daemon.conn, dom);
  const { info, cpumaps } = await domain.getVcpus();
  expect(info.map(({ number }) => number)).toEqual([0, 1]);
  expect(cpumaps).toEqual([Uint8Array.of(1, 0), Uint8Array.of(2, 0)]);
  expect(daemon.last).toEqual({ dom, maxinfo: 3, maplen: 2 });
  expect(await domain.getVcpuPinInfo(2)).toEqual([Uint8Array.of(1, 0), Uint8Array.of(2, 0)]);
  expect(daemon.last).toEqual({ dom, ncpumaps: 2, maplen: 2, flags: 2 });
  expect(await domain.getEmulatorPinInfo()).toEqual(Uint8Array.of(255, 15));
  expect(await domain.getEmulatorPinInfo(1)).toBeNull();
});

test("methods/cpus: a driver that cannot map its CPUs is asked for its sockets", async () => {
  await using daemon = await ScriptedDaemon.start({
    nodeGetInfo: () => ({
      ...{ model: new Uint8Array(32), memory: 1n, cpus: 4, mhz: 1, nodes: 1 },
      ...{ sockets: 2, cores: 2, threads: 5 },
    }),
    domainGetEmulatorPinInfo: () => ({ cpumaps: new Uint8Array(3), ret: 1 }),
  });
  await new Domain(daemon.conn, dom).getEmulatorPinInfo();
  expect(daemon.last).toMatchObject({ maplen: 3 });
});

test("methods/cpu-stats: the sum, some CPUs, and all of more than one call may carry", async () => {
  const stat = (cpu: number) => ({ field: "cpu_time", value: typed.ullong(Math.max(cpu, 0)) });
  await using daemon = await ScriptedDaemon.start({
    domainGetCpuStats: ({ nparams, startCpu, ncpus }) => {
      if (ncpus === 0) return { params: [], nparams: 130 };
      if (nparams === 0) return { params: [], nparams: 1 };
      return { params: Array.from({ length: ncpus }, (_, i) => stat(startCpu + i)), nparams: 1 };
    },
  });
  const domain = new Domain(daemon.conn, dom);
  const times = async (start: number, count: number) =>
    (await domain.getCPUStats(start, count)).map((each) => Number(each.cpu_time));
  expect(await times(-1, 1)).toEqual([0]);
  expect(await times(2, 3)).toEqual([2, 3, 4]);
  expect(await times(0, 0)).toEqual(Array.from({ length: 130 }, (_, i) => i));
  expect(daemon.calls.slice(-2).map(({ args }) => args)).toEqual([
    { dom, nparams: 1, startCpu: 0, ncpus: 128, flags: 4 },
    { dom, nparams: 1, startCpu: 128, ncpus: 2, flags: 4 },
  ]);
});

test("methods/stats: of all guests, of some, and of none without asking", async () => {
  await using daemon = await ScriptedDaemon.start({
    connectGetAllDomainStats: () => ({ retStats: [{ dom, params: [{ field: "state.state", value: typed.int(1) }] }] }),
  });
  const { conn } = daemon;
  const [first] = await conn.getAllDomainStats();
  expect(daemon.last).toEqual({ doms: [], stats: 0, flags: 0 });
  expect([first!.dom.getName(), first!.params["state.state"]]).toEqual(["web", 1]);
  await conn.domainListGetStats([first!.dom], 1, 2);
  expect(daemon.last).toEqual({ doms: [dom], stats: 1, flags: 2 });
  expect(await conn.domainListGetStats([])).toEqual([]);
  await using other = await ScriptedDaemon.start({});
  await expect(conn.domainListGetStats([new Domain(other.conn, dom)])).rejects.toMatchObject({ code: 8 });
  expect(daemon.calls).toHaveLength(2);
});

test("methods/scheduler: how many parameters there are is what the scheduler says", async () => {
  const params = [{ field: "cpu_shares", value: typed.ullong(1024) }];
  await using daemon = await ScriptedDaemon.start({
    domainGetSchedulerType: () => ({ type: "posix", nparams: 1 }),
    domainGetSchedulerParameters: () => ({ params }),
    domainGetSchedulerParametersFlags: () => ({ params }),
  });
  const domain = new Domain(daemon.conn, dom);
  expect(await domain.getSchedulerType()).toEqual({ type: "posix", nparams: 1 });
  expect({ ...(await domain.getSchedulerParameters()) }).toEqual({ cpu_shares: 1024n });
  expect(daemon.last).toEqual({ dom, nparams: 1 });
  await domain.getSchedulerParametersFlags(2);
  expect(daemon.last).toEqual({ dom, nparams: 1, flags: 6 });
});

test("methods/descriptors: what passes file descriptors is refused here, with a reason", async () => {
  await using daemon = await ScriptedDaemon.start({});
  const domain = new Domain(daemon.conn, dom);
  for (const refused of [
    () => domain.openGraphics(0, 5),
    () => domain.openGraphicsFD(0),
    () => domain.createWithFiles([5]),
    () => domain.fdAssociate("disk", [5]),
    () => domain.lxcOpenNamespace(),
    () => domain.qemuMonitorCommandWithFiles("{}", []),
    () => daemon.conn.createXMLWithFiles("<domain/>", []),
  ]) {
    await expect(refused()).rejects.toThrow(/^this function is not supported.*file descriptors cannot be passed/);
  }
  expect(daemon.calls).toEqual([]);
});

test("methods/qemu: procedures of the other program", async () => {
  await using daemon = await ScriptedDaemon.start({}, [], {
    domainMonitorCommand: ({ cmd }) => ({ result: `did ${cmd}` }),
    domainAgentCommand: () => ({ result: null }),
    domainAttach: ({ pidValue }) => ({ dom: { ...dom, id: pidValue } }),
  });
  const domain = new Domain(daemon.conn, dom);
  expect(await domain.qemuMonitorCommand("info", 1)).toBe("did info");
  expect(await domain.qemuAgentCommand("{}", -1)).toBeNull();
  expect((await daemon.conn.domainQemuAttach(77)).getID()).toBe(77);
});

test("methods/secure: only where both ways are", async () => {
  await using daemon = await ScriptedDaemon.start({ connectIsSecure: () => ({ secure: 1 }) });
  expect(await daemon.conn.isSecure()).toBe(daemon.conn.identity.secure);
  expect(daemon.conn.getURI()).toBe(daemon.conn.uri);
  expect(daemon.conn.isEncrypted()).toBe(false);
});

test("methods/interface: own facts need no call", async () => {
  await using daemon = await ScriptedDaemon.start({});
  const found = new Interface(daemon.conn, { name: "eth1", mac: "aa:bb:cc:dd:ee:ff" });
  expect([found.getName(), found.getMACString()]).toEqual(["eth1", "aa:bb:cc:dd:ee:ff"]);
});

test("methods/signal: a call that is given up rejects at once", async () => {
  const end = new AbortController();
  await using daemon = await ScriptedDaemon.start({
    domainGetXmlDesc: () => new Promise(() => {}),
  });
  const waiting = new Domain(daemon.conn, dom).getXMLDesc(0, { signal: end.signal });
  end.abort();
  await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
});
