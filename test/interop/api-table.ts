/** What is called on libvirtd's test driver, object by object. */
import type {
  Connection,
  Domain,
  DomainCheckpoint,
  DomainSnapshot,
  Interface,
  Network,
  NodeDevice,
  StoragePool,
  StorageVol,
} from "../../src/api/index.ts";
import {
  VirConnectListAllDomainsFlags,
  VirDomainMetadataType,
  VirDomainModificationImpact,
  VirDomainStatsTypes,
  VirDomainXMLFlags,
  VirErrorNumber,
  VirKeycodeSet,
  VirNetworkUpdateCommand,
  VirNetworkUpdateFlags,
  VirNetworkUpdateSection,
} from "../../src/generated/libvirt/index.ts";
import { type Entry, group, type On, received } from "./api.ts";

/** A text as a literal of Python. */
export const py = (text: string): string => JSON.stringify(text);

export const uuid = "10840000-1111-4222-8333-444455556666";
export const uuidBytes = Uint8Array.from(Buffer.from(uuid.replaceAll("-", ""), "hex"));
const theirBytes = `bytes.fromhex("${uuid.replaceAll("-", "")}")`;

const guest = (name: string, id = uuid): string =>
  `<domain type='test'><name>${name}</name><uuid>${id}</uuid><memory>262144</memory><vcpu>2</vcpu>
  <iothreads>2</iothreads><os><type>hvm</type></os><devices>
  <disk type='file' device='disk'><source file='/api/disk'/><target dev='vda' bus='virtio'/></disk>
  <interface type='network'><mac address='aa:bb:cc:00:84:01'/><source network='default'/><target dev='apinic0'/></interface>
  </devices></domain>`;
const other = "20840000-1111-4222-8333-444455556666";
const otherGuest = guest("made", other);
const networkXML = (name: string): string =>
  `<network><name>${name}</name><uuid>${other}</uuid><bridge name='apibr0'/>
  <ip address='192.168.84.1' netmask='255.255.255.0'><dhcp><range start='192.168.84.2' end='192.168.84.99'/></dhcp></ip>
  </network>`;
const poolXML = (name: string): string =>
  `<pool type='dir'><name>${name}</name><uuid>${other}</uuid><target><path>/api-pool</path></target></pool>`;
export const volXML = (name: string): string =>
  `<volume><name>${name}</name><capacity>1048576</capacity><allocation>0</allocation></volume>`;
const interfaceXML =
  "<interface type='ethernet' name='api9'><start mode='onboot'/><mac address='aa:bb:cc:00:84:09'/><mtu size='1492'/></interface>";
const hostXML = (wwpn: string): string =>
  `<device><parent>scsi_host1</parent><capability type='scsi_host'><capability type='fc_host'>
  <wwnn>2000000084000001</wwnn><wwpn>${wwpn}</wwpn></capability></capability></device>`;
const snapshotXML = (name: string): string => `<domainsnapshot><name>${name}</name></domainsnapshot>`;
const checkpointXML = (name: string): string => `<domaincheckpoint><name>${name}</name></domaincheckpoint>`;
export const hostCpu = "<cpu><arch>x86_64</arch><model>qemu64</model></cpu>";

/** Before the first call: what the calls are made on. */
export const testSetup = `
CONFIG, LIVE = libvirt.VIR_DOMAIN_AFFECT_CONFIG, libvirt.VIR_DOMAIN_AFFECT_LIVE

def recreate():
    try_(lambda: conn.lookupByName("api").destroy())
    try_(lambda: conn.lookupByName("api").undefine())
    conn.defineXML(${py(guest("api"))}).create()

recreate()
conn.storagePoolLookupByName("default-pool").createXML(${py(volXML("api.img"))})
`;

const connection: On<Connection> = { ours: (conn) => conn, python: "conn" };
const domain: On<Domain> = {
  ours: (conn) => conn.lookupDomainByName("api"),
  python: 'conn.lookupByName("api")',
};
const pool: On<StoragePool> = {
  ours: (conn) => conn.lookupStoragePoolByName("default-pool"),
  python: 'conn.storagePoolLookupByName("default-pool")',
};

/** Fails on purpose: `why` is for the reader. */
const noSupport = { refused: "the driver does not have it" };
/** Functions that are younger than the daemon and its Python. */
const young = { alone: { why: "younger than libvirt 9.0.0", code: VirErrorNumber.VIR_ERR_NO_SUPPORT } };
const descriptors = { alone: { why: "passes file descriptors", code: VirErrorNumber.VIR_ERR_NO_SUPPORT } };
export const expected = { noSupport, young, descriptors };

const made = 'conn.lookupByName("made")';
const undefineMade = `try_(lambda: ${made}.undefine())`;
const restart = 'try_(lambda: conn.lookupByName("api").create())';
const resumeApi = 'try_(lambda: conn.lookupByName("api").resume())';
const image = "/var/lib/libvirt/images/api.save";
const saved = `conn.lookupByName("api").save("${image}")`;
const stateOf = "[o.isActive(), o.state()]";
const apiState = '(lambda d: [d.isActive(), d.state()])(conn.lookupByName("api"))';

export const connectionCalls: Entry[] = group<Connection>({
  object: "Connection",
  driver: "test",
  on: connection,
  calls: {
    getLibVersion: "o.getLibVersion()",
    getVersion: "o.getVersion()",
    getType: "o.getType()",
    getHostname: "o.getHostname()",
    getCapabilities: "o.getCapabilities()",
    getURI: { python: "o.getURI()" },
    isAlive: "bool(o.isAlive())",
    isEncrypted: "bool(o.isEncrypted())",
    isSecure: "bool(o.isSecure())",
    nodeGetInfo: {
      python: 'named("model memory cpus mhz nodes sockets cores threads", o.getInfo())',
      // The binding has MiB.
      as: ({ memory, ...rest }: { memory: bigint }) => ({ ...rest, memory: memory / 1024n }),
    },
    nodeGetCPUMap: '(lambda n, map, online: {"cpumap": cpus(map), "online": online, "cpus": n})(*o.getCPUMap())',
    nodeGetFreeMemory: "o.getFreeMemory()",
    nodeGetCellsFreeMemory: { args: [0, 2], python: "o.getCellsFreeMemory(0, 2)" },
    nodeGetSecurityModel: 'named("model doi", o.getSecurityModel())',
    nodeSuspendForDuration: { args: [0, 60], python: "o.suspendForDuration(0, 60)", ...noSupport },
    getSysinfo: { python: "o.getSysinfo()" },
    getMaxVcpus: { args: ["test"], python: 'o.getMaxVcpus("test")' },
    getCPUModelNames: { args: ["x86_64"], python: 'o.getCPUModelNames("x86_64")' },
    listDomains: "o.listDomainsID()",
    numOfDomains: "o.numOfDomains()",
    numOfDefinedDomains: {
      python: "o.numOfDefinedDomains()",
      before: `conn.defineXML(${py(otherGuest)})`,
      undo: undefineMade,
    },
    listDefinedDomains: {
      python: "o.listDefinedDomains()",
      before: `conn.defineXML(${py(otherGuest)})`,
      undo: undefineMade,
    },
    listAllDomains: {
      args: [VirConnectListAllDomainsFlags.VIR_CONNECT_LIST_DOMAINS_PERSISTENT],
      python: "o.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_PERSISTENT)",
      before: `conn.defineXML(${py(otherGuest)})`,
      undo: undefineMade,
    },
    createXML: {
      call: async (conn) => {
        const created = await conn.createXML(otherGuest);
        return [created.getName(), created.getUUIDString(), created.getID() > 0, await created.isActive()];
      },
      python: `(lambda d: [d.name(), d.UUIDString(), d.ID() > 0, bool(d.isActive())])(o.createXML(${py(otherGuest)}))`,
      undo: `${made}.destroy()`,
    },
    createXMLWithFiles: { args: [otherGuest, []], ...descriptors },
    lookupDomainByName: { args: ["api"], python: 'o.lookupByName("api")' },
    lookupDomainByID: {
      call: async (conn) => conn.lookupDomainByID((await conn.lookupDomainByName("api")).getID()),
      python: 'o.lookupByID(o.lookupByName("api").ID())',
    },
    lookupDomainByUUID: { args: [uuidBytes], python: `o.lookupByUUID(${theirBytes})` },
    lookupDomainByUUIDString: { args: [uuid], python: `o.lookupByUUIDString("${uuid}")` },
    domainRestore: { args: [image], python: `o.restore("${image}")`, before: saved, effect: apiState },
    domainRestoreFlags: {
      args: [image, null, 0],
      python: `o.restoreFlags("${image}", None, 0)`,
      before: saved,
      effect: apiState,
    },
    domainSaveImageGetXMLDesc: {
      args: [image],
      python: `o.saveImageGetXMLDesc("${image}")`,
      before: saved,
      undo: `conn.restore("${image}")`,
    },
    domainSaveImageDefineXML: {
      call: async (conn) => {
        const xml = await conn.domainSaveImageGetXMLDesc(image);
        await conn.domainSaveImageDefineXML(image, xml.replace("<vcpu", "<title>changed</title><vcpu"));
      },
      python: `o.saveImageDefineXML("${image}", o.saveImageGetXMLDesc("${image}").replace("<vcpu", "<title>changed</title><vcpu"))`,
      before: saved,
      effect: `o.saveImageGetXMLDesc("${image}")`,
      undo: `conn.restore("${image}")\nrecreate()`,
    },
    defineXML: { args: [otherGuest], python: `o.defineXML(${py(otherGuest)})`, undo: undefineMade },
    defineXMLFlags: { args: [otherGuest, 0], python: `o.defineXMLFlags(${py(otherGuest)}, 0)`, undo: undefineMade },
    getAllDomainStats: {
      args: [VirDomainStatsTypes.VIR_DOMAIN_STATS_STATE],
      python: '[{"dom": d, "params": p} for d, p in o.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE)]',
    },
    domainListGetStats: {
      call: async (conn) =>
        conn.domainListGetStats([await conn.lookupDomainByName("api")], VirDomainStatsTypes.VIR_DOMAIN_STATS_STATE),
      python:
        '[{"dom": d, "params": p} for d, p in o.domainListGetStats([o.lookupByName("api")], libvirt.VIR_DOMAIN_STATS_STATE)]',
    },

    numOfInterfaces: "o.numOfInterfaces()",
    listInterfaces: "o.listInterfaces()",
    numOfDefinedInterfaces: {
      python: "o.numOfDefinedInterfaces()",
      before: `conn.interfaceDefineXML(${py(interfaceXML)})`,
      undo: 'conn.interfaceLookupByName("api9").undefine()',
    },
    listDefinedInterfaces: {
      python: "o.listDefinedInterfaces()",
      before: `conn.interfaceDefineXML(${py(interfaceXML)})`,
      undo: 'conn.interfaceLookupByName("api9").undefine()',
    },
    listAllInterfaces: "o.listAllInterfaces()",
    lookupInterfaceByName: { args: ["eth1"], python: 'o.interfaceLookupByName("eth1")' },
    lookupInterfaceByMACString: {
      args: ["aa:bb:cc:dd:ee:ff"],
      python: 'o.interfaceLookupByMACString("aa:bb:cc:dd:ee:ff")',
    },
    defineInterfaceXML: {
      args: [interfaceXML],
      python: `o.interfaceDefineXML(${py(interfaceXML)})`,
      effect: "o.listDefinedInterfaces()",
      undo: 'conn.interfaceLookupByName("api9").undefine()',
    },
    interfaceChangeBegin: {
      call: async (conn) => {
        await conn.interfaceChangeBegin();
        const second = await conn.interfaceChangeBegin().catch((error: { code: number }) => error.code);
        return second;
      },
      python: `
o.changeBegin()
code = None
try:
    o.changeBegin()
except libvirt.libvirtError as error:
    code = error.get_error_code()
code`,
      undo: "conn.changeRollback()",
    },
    interfaceChangeCommit: {
      call: async (conn) => {
        await conn.interfaceChangeCommit();
        return await conn.interfaceChangeRollback().catch((error: { code: number }) => error.code);
      },
      python: `
o.changeCommit()
code = None
try:
    o.changeRollback()
except libvirt.libvirtError as error:
    code = error.get_error_code()
code`,
      before: "conn.changeBegin()",
    },
    interfaceChangeRollback: {
      call: async (conn) => {
        await conn.interfaceChangeRollback();
        return (await conn.listAllInterfaces()).map((each) => each.getName());
      },
      python: "o.changeRollback()\n[each.name() for each in o.listAllInterfaces()]",
      before: `conn.changeBegin()\nconn.interfaceDefineXML(${py(interfaceXML)})`,
    },

    numOfNetworks: "o.numOfNetworks()",
    listNetworks: "o.listNetworks()",
    numOfDefinedNetworks: {
      python: "o.numOfDefinedNetworks()",
      before: `conn.networkDefineXML(${py(networkXML("made"))})`,
      undo: 'conn.networkLookupByName("made").undefine()',
    },
    listDefinedNetworks: {
      python: "o.listDefinedNetworks()",
      before: `conn.networkDefineXML(${py(networkXML("made"))})`,
      undo: 'conn.networkLookupByName("made").undefine()',
    },
    listAllNetworks: "o.listAllNetworks()",
    lookupNetworkByName: { args: ["default"], python: 'o.networkLookupByName("default")' },
    lookupNetworkByUUID: {
      call: async (conn) => conn.lookupNetworkByUUID((await conn.lookupNetworkByName("default")).getUUID()),
      python: 'o.networkLookupByUUID(o.networkLookupByName("default").UUID())',
    },
    lookupNetworkByUUIDString: {
      args: ["dd8fe884-6c02-601e-7551-cca97df1c5df"],
      python: 'o.networkLookupByUUIDString("dd8fe884-6c02-601e-7551-cca97df1c5df")',
    },
    createNetworkXML: {
      args: [networkXML("made")],
      python: `o.networkCreateXML(${py(networkXML("made"))})`,
      effect: "o.listNetworks()",
      undo: 'conn.networkLookupByName("made").destroy()',
    },
    createNetworkXMLFlags: {
      args: [networkXML("made"), 0],
      python: `o.networkCreateXMLFlags(${py(networkXML("made"))}, 0)`,
      effect: "o.listNetworks()",
      undo: 'conn.networkLookupByName("made").destroy()',
    },
    defineNetworkXML: {
      args: [networkXML("made")],
      python: `o.networkDefineXML(${py(networkXML("made"))})`,
      effect: "o.listDefinedNetworks()",
      undo: 'conn.networkLookupByName("made").undefine()',
    },
    defineNetworkXMLFlags: {
      args: [networkXML("made"), 0],
      python: `o.networkDefineXMLFlags(${py(networkXML("made"))}, 0)`,
      effect: "o.listDefinedNetworks()",
      undo: 'conn.networkLookupByName("made").undefine()',
    },

    nodeNumOfDevices: { args: ["scsi_host"], python: 'o.numOfDevices("scsi_host", 0)' },
    nodeListDevices: {
      args: ["scsi_host"],
      python: 'sorted(o.listDevices("scsi_host", 0))',
      as: (names: string[]) => names.toSorted(),
    },
    listAllNodeDevices: {
      call: async (conn) => (await conn.listAllNodeDevices()).map((each) => each.getName()).toSorted(),
      python: "sorted(each.name() for each in o.listAllDevices())",
    },
    lookupNodeDeviceByName: { args: ["scsi_host2"], python: 'o.nodeDeviceLookupByName("scsi_host2")' },
    createNodeDeviceXML: {
      args: [hostXML("1000000084000001")],
      python: `o.nodeDeviceCreateXML(${py(hostXML("1000000084000001"))}, 0)`,
      effect: "sorted(each.name() for each in o.listAllDevices())",
      undo: 'conn.nodeDeviceLookupByName("scsi_host12").destroy()',
    },
    defineNodeDeviceXML: {
      args: [hostXML("1000000084000002")],
      python: `o.nodeDeviceDefineXML(${py(hostXML("1000000084000002"))}, 0)`,
      ...noSupport,
    },

    numOfStoragePools: "o.numOfStoragePools()",
    listStoragePools: "o.listStoragePools()",
    numOfDefinedStoragePools: {
      python: "o.numOfDefinedStoragePools()",
      before: `conn.storagePoolDefineXML(${py(poolXML("made"))})`,
      undo: 'conn.storagePoolLookupByName("made").undefine()',
    },
    listDefinedStoragePools: {
      python: "o.listDefinedStoragePools()",
      before: `conn.storagePoolDefineXML(${py(poolXML("made"))})`,
      undo: 'conn.storagePoolLookupByName("made").undefine()',
    },
    listAllStoragePools: "o.listAllStoragePools()",
    findStoragePoolSources: {
      args: ["logical", null],
      python: 'o.findStoragePoolSources("logical", None)',
    },
    lookupStoragePoolByName: { args: ["default-pool"], python: 'o.storagePoolLookupByName("default-pool")' },
    lookupStoragePoolByUUID: {
      call: async (conn) => conn.lookupStoragePoolByUUID((await pool.ours(conn)).getUUID()),
      python: `o.storagePoolLookupByUUID(${pool.python}.UUID())`,
    },
    lookupStoragePoolByUUIDString: {
      args: ["dfe224cb-28fb-8dd0-c4b2-64eb3f0f4566"],
      python: 'o.storagePoolLookupByUUIDString("dfe224cb-28fb-8dd0-c4b2-64eb3f0f4566")',
    },
    createStoragePoolXML: {
      args: [poolXML("made")],
      python: `o.storagePoolCreateXML(${py(poolXML("made"))}, 0)`,
      effect: "o.listStoragePools()",
      undo: 'conn.storagePoolLookupByName("made").destroy()',
    },
    defineStoragePoolXML: {
      args: [poolXML("made")],
      python: `o.storagePoolDefineXML(${py(poolXML("made"))}, 0)`,
      effect: "o.listDefinedStoragePools()",
      undo: 'conn.storagePoolLookupByName("made").undefine()',
    },
    lookupStorageVolByKey: {
      args: ["/default-pool/api.img"],
      python: 'o.storageVolLookupByKey("/default-pool/api.img")',
    },
    lookupStorageVolByPath: {
      args: ["/default-pool/api.img"],
      python: 'o.storageVolLookupByPath("/default-pool/api.img")',
    },
  },
});

const maxVcpus = "o.vcpusFlags(CONFIG)";
const cpuMap = Uint8Array.of(0b0101);
const theirMap = "(True, False, True, False, False, False, False, False)";

export const domainCalls: Entry[] = group<Domain>({
  object: "Domain",
  driver: "test",
  on: domain,
  calls: {
    getConnect: "o.connect()",
    getName: "o.name()",
    getID: "o.ID()",
    getUUID: "o.UUID()",
    getUUIDString: "o.UUIDString()",
    getInfo: { python: 'named("state maxMem memory nrVirtCpu cpuTime", o.info())', moving: true },
    getState: 'named("state reason", o.state())',
    getControlInfo: 'named("state details stateTime", o.controlInfo())',
    getOSType: "o.OSType()",
    getMaxMemory: "o.maxMemory()",
    getMaxVcpus: "o.maxVcpus()",
    getXMLDesc: {
      args: [VirDomainXMLFlags.VIR_DOMAIN_XML_INACTIVE],
      python: "o.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)",
    },
    isActive: "bool(o.isActive())",
    isPersistent: "bool(o.isPersistent())",
    isUpdated: "bool(o.isUpdated())",
    getHostname: "o.hostname()",
    getSchedulerType: 'named("type nparams", o.schedulerType())',
    getSecurityLabel: { python: 'named("label enforcing", o.securityLabel())', as: truth("enforcing") },

    suspend: { python: "o.suspend()", effect: stateOf, undo: resumeApi },
    resume: { python: "o.resume()", before: 'conn.lookupByName("api").suspend()', effect: stateOf },
    shutdown: { python: "o.shutdown()", effect: stateOf, undo: restart },
    shutdownFlags: { args: [0], python: "o.shutdownFlags(0)", effect: stateOf, undo: restart },
    reboot: { args: [0], python: "o.reboot(0)" },
    destroy: { python: "o.destroy()", effect: stateOf, undo: restart },
    destroyFlags: { args: [0], python: "o.destroyFlags(0)", effect: stateOf, undo: restart },
    create: { python: "o.create()", before: 'conn.lookupByName("api").destroy()', effect: stateOf },
    createWithFlags: {
      args: [0],
      python: "o.createWithFlags(0)",
      before: 'conn.lookupByName("api").destroy()',
      effect: stateOf,
    },
    createWithFiles: { args: [[]], ...descriptors },
    save: { args: [image], python: `o.save("${image}")`, effect: stateOf, undo: `conn.restore("${image}")` },
    saveFlags: {
      args: [image, null, 0],
      python: `o.saveFlags("${image}", None, 0)`,
      effect: stateOf,
      undo: `conn.restore("${image}")`,
    },
    managedSave: {
      args: [0],
      python: "o.managedSave(0)",
      effect: "[o.isActive(), o.hasManagedSaveImage()]",
      undo: 'conn.lookupByName("api").create()',
    },
    hasManagedSaveImage: {
      python: "bool(o.hasManagedSaveImage())",
      before: 'conn.lookupByName("api").managedSave()',
      undo: 'conn.lookupByName("api").create()',
    },
    managedSaveRemove: {
      python: "o.managedSaveRemove()",
      before: 'conn.lookupByName("api").managedSave()',
      effect: "o.hasManagedSaveImage()",
      undo: 'conn.lookupByName("api").create()',
    },
    screenshot: {
      call: async (domain) => {
        const { mime, stream } = await domain.screenshot(0);
        return { mime, sha256: await received(stream) };
      },
      python: `(lambda s, d: {"mime": o.screenshot(s, 0), "sha256":
        (s.recvAll(lambda st, x, op: d.update(x), None), s.finish(), d.hexdigest())[2]
      })(conn.newStream(), __import__("hashlib").sha256())`,
    },
    openConsole: { args: [null], python: "o.openConsole(None, conn.newStream(), 0)", ...noSupport },
    openChannel: { args: [null], python: "o.openChannel(None, conn.newStream(), 0)", ...noSupport },
    openGraphics: { args: [0, 0], ...descriptors },
    openGraphicsFD: { args: [0], ...descriptors },
    fdAssociate: { args: ["fd", []], ...descriptors },
    qemuMonitorCommandWithFiles: { args: ["{}", []], ...descriptors },
    lxcOpenNamespace: { ...descriptors },

    getMemoryParameters: "o.memoryParameters()",
    setMemoryParameters: {
      args: [{ soft_limit: 1000 }, 0],
      python: 'o.setMemoryParameters({"soft_limit": 1000}, 0)',
      effect: "o.memoryParameters()",
      undo: 'conn.lookupByName("api").setMemoryParameters({"soft_limit": 9007199254740991}, 0)',
    },
    setMaxMemory: {
      on: { ours: (conn) => conn.lookupDomainByName("made"), python: made },
      args: [300000],
      python: "o.setMaxMemory(300000)",
      before: `conn.defineXML(${py(otherGuest)})`,
      effect: "o.maxMemory()",
      undo: undefineMade,
    },
    setMemory: {
      args: [200000],
      python: "o.setMemory(200000)",
      effect: "o.info()[2]",
      undo: 'conn.lookupByName("api").setMemory(262144)',
    },
    setMemoryFlags: {
      args: [200000n, VirDomainModificationImpact.VIR_DOMAIN_AFFECT_CONFIG],
      python: "o.setMemoryFlags(200000, CONFIG)",
      effect: "o.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)",
      undo: 'conn.lookupByName("api").setMemoryFlags(262144, CONFIG)',
    },
    memoryStats: {
      python: '{key: value for key, value in o.memoryStats().items() if key != "last_update"}',
      as: (stats: { tag: number; val: bigint }[]) => {
        const names = [
          "swap_in swap_out major_fault minor_fault unused available actual rss usable last_update disk_caches",
          "hugetlb_pgalloc hugetlb_pgfail",
        ]
          .join(" ")
          .split(" ");
        const all = Object.fromEntries(stats.map(({ tag, val }) => [names[tag], val]));
        delete all.last_update;
        return all;
      },
    },
    getMetadata: {
      args: [VirDomainMetadataType.VIR_DOMAIN_METADATA_TITLE],
      python: "o.metadata(libvirt.VIR_DOMAIN_METADATA_TITLE, None, 0)",
      before: 'conn.lookupByName("api").setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "a title", None, None, 0)',
      undo: 'conn.lookupByName("api").setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, None, None, None, 0)',
    },
    setMetadata: {
      args: [VirDomainMetadataType.VIR_DOMAIN_METADATA_ELEMENT, "<hint level='3'/>", "api", "http://api.example/1", 0],
      python: `o.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<hint level='3'/>", "api", "http://api.example/1", 0)`,
      effect: "o.XMLDesc(0)",
      undo: 'conn.lookupByName("api").setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, None, "api", "http://api.example/1", 0)',
    },
    blockStats: {
      python: 'named("rdReq rdBytes wrReq wrBytes errs", o.blockStats("vda"))',
      args: ["vda"],
      moving: true,
    },
    interfaceStats: {
      args: ["apinic0"],
      python: 'named("rxBytes rxPackets rxErrs rxDrop txBytes txPackets txErrs txDrop", o.interfaceStats("apinic0"))',
      moving: true,
    },
    getInterfaceParameters: { args: ["apinic0"], python: 'o.interfaceParameters("apinic0", 0)' },
    setInterfaceParameters: {
      args: ["apinic0", { "inbound.average": 400, "inbound.peak": 500 }, 0],
      python: 'o.setInterfaceParameters("apinic0", {"inbound.average": 400, "inbound.peak": 500}, 0)',
      effect: 'o.interfaceParameters("apinic0", 0)',
      undo: 'conn.lookupByName("api").setInterfaceParameters("apinic0", {"inbound.average": 0, "inbound.peak": 0}, 0)',
    },
    interfaceAddresses: {
      args: [0],
      python: `
[{"name": name, "hwaddr": each["hwaddr"], "addrs": each["addrs"]} for name, each in o.interfaceAddresses(0).items()]`,
    },
    getBlockInfo: { args: ["vda"], python: 'named("capacity allocation physical", o.blockInfo("vda"))', as: blockInfo },
    getBlockIoTune: { args: ["vda"], python: 'o.blockIoTune("vda", 0)' },
    setBlockIoTune: {
      args: ["vda", { total_bytes_sec: 1000, total_bytes_sec_max: 2000 }, 0],
      python: 'o.setBlockIoTune("vda", {"total_bytes_sec": 1000, "total_bytes_sec_max": 2000}, 0)',
      effect: 'o.blockIoTune("vda", 0)',
      undo: "recreate()",
    },
    getDiskErrors: {
      python: '[{"disk": disk, "error": error} for disk, error in o.diskErrors().items()]',
    },
    undefine: {
      on: {
        ours: (conn) => conn.lookupDomainByName("made"),
        python: `${made} if "made" in conn.listDefinedDomains() else None`,
      },
      python: "o.undefine()",
      before: `conn.defineXML(${py(otherGuest)})`,
      effect: "conn.listDefinedDomains()",
    },
    undefineFlags: {
      on: {
        ours: (conn) => conn.lookupDomainByName("made"),
        python: `${made} if "made" in conn.listDefinedDomains() else None`,
      },
      args: [0],
      python: "o.undefineFlags(0)",
      before: `conn.defineXML(${py(otherGuest)})`,
      effect: "conn.listDefinedDomains()",
    },
    getAutostart: {
      python: "bool(o.autostart())",
      before: 'conn.lookupByName("api").setAutostart(True)',
      undo: 'conn.lookupByName("api").setAutostart(False)',
    },
    setAutostart: {
      args: [true],
      python: "o.setAutostart(True)",
      effect: "o.autostart()",
      undo: 'conn.lookupByName("api").setAutostart(False)',
    },
    getAutostartOnce: { ...young },
    setAutostartOnce: { args: [true], ...young },
    setVcpus: {
      args: [1],
      python: "o.setVcpus(1)",
      effect: "o.info()[3]",
      undo: 'conn.lookupByName("api").setVcpus(2)',
    },
    setVcpusFlags: {
      args: [1, VirDomainModificationImpact.VIR_DOMAIN_AFFECT_CONFIG],
      python: "o.setVcpusFlags(1, CONFIG)",
      effect: maxVcpus,
      undo: 'conn.lookupByName("api").setVcpusFlags(2, CONFIG)',
    },
    getVcpusFlags: {
      args: [VirDomainModificationImpact.VIR_DOMAIN_AFFECT_LIVE],
      python: "o.vcpusFlags(LIVE)",
    },
    getVcpus: {
      python:
        '(lambda info, maps: {"info": [named("number state cpuTime cpu", each) for each in info], "cpumaps": [cpus(each) for each in maps]})(*o.vcpus())',
      moving: true,
    },
    pinVcpu: {
      args: [0, cpuMap],
      python: `o.pinVcpu(0, ${theirMap})`,
      effect: "o.vcpuPinInfo(0)",
      undo: 'conn.lookupByName("api").pinVcpu(0, (True,) * 8)',
    },
    pinVcpuFlags: {
      args: [1, cpuMap, 0],
      python: `o.pinVcpuFlags(1, ${theirMap}, 0)`,
      effect: "o.vcpuPinInfo(0)",
      undo: 'conn.lookupByName("api").pinVcpu(1, (True,) * 8)',
    },
    getVcpuPinInfo: { args: [0], python: "[cpus(each) for each in o.vcpuPinInfo(0)]" },
    pinEmulator: {
      args: [cpuMap, 0],
      python: `o.pinEmulator(${theirMap}, 0)`,
      effect: "o.emulatorPinInfo(0)",
      undo: 'conn.lookupByName("api").pinEmulator((True,) * 8, 0)',
    },
    getEmulatorPinInfo: {
      args: [0],
      python: "cpus(o.emulatorPinInfo(0))",
      before: `conn.lookupByName("api").pinEmulator(${theirMap}, 0)`,
    },
    getIOThreadInfo: {
      args: [0],
      python: '[{"iothreadId": id, "cpumap": cpus(map)} for id, map in o.ioThreadInfo(0)]',
    },
    pinIOThread: {
      args: [1, cpuMap, 0],
      python: `o.pinIOThread(1, ${theirMap}, 0)`,
      effect: "o.ioThreadInfo(0)",
      undo: 'conn.lookupByName("api").pinIOThread(1, (True,) * 8, 0)',
    },
    addIOThread: {
      args: [7, 0],
      python: "o.addIOThread(7, 0)",
      effect: "o.ioThreadInfo(0)",
      undo: 'conn.lookupByName("api").delIOThread(7, 0)',
    },
    delIOThread: {
      args: [7, 0],
      python: "o.delIOThread(7, 0)",
      before: 'conn.lookupByName("api").addIOThread(7, 0)',
      effect: "o.ioThreadInfo(0)",
    },
    getPerfEvents: { args: [0], python: "o.perfEvents(0)" },
    setPerfEvents: {
      args: [{ cmt: true }, VirDomainModificationImpact.VIR_DOMAIN_AFFECT_CONFIG],
      python: 'o.setPerfEvents({"cmt": True}, CONFIG)',
      effect: "o.perfEvents(CONFIG)",
      undo: 'conn.lookupByName("api").setPerfEvents({"cmt": False}, CONFIG)',
    },
    getCPUStats: { args: [-1, 1], python: "o.getCPUStats(True)", moving: true },
    sendKey: {
      args: [VirKeycodeSet.VIR_KEYCODE_SET_LINUX, 10, [30, 31], 0],
      python: "o.sendKey(libvirt.VIR_KEYCODE_SET_LINUX, 10, [30, 31], 2, 0)",
    },
    sendProcessSignal: { args: [1, 15, 0], python: "o.sendProcessSignal(1, 15, 0)" },
    fsTrim: { args: [null, 0, 0], python: "o.fSTrim(None, 0, 0)" },
    fsFreeze: { args: [["/"], 0], python: 'o.fsFreeze(["/"], 0)', undo: 'conn.lookupByName("api").fsThaw(["/"], 0)' },
    fsThaw: { args: [["/"], 0], python: 'o.fsThaw(["/"], 0)', before: 'conn.lookupByName("api").fsFreeze(["/"], 0)' },
    getFSInfo: {
      python:
        '[{"mountpoint": at, "name": name, "fstype": type, "devAliases": devices} for at, name, type, devices in o.fsInfo()]',
    },
    getTime: {
      python: "o.getTime()",
      moving: true,
      as: ({ seconds }: { seconds: bigint }) => ({ seconds, nseconds: 0 }),
    },
    setTime: { args: [1_600_000_000, 0], python: 'o.setTime({"seconds": 1600000000, "nseconds": 0})' },
    setUserPassword: { args: ["root", "secret", 0], python: 'o.setUserPassword("root", "secret", 0)' },
    rename: {
      on: {
        ours: (conn) => conn.lookupDomainByName("made"),
        python: `${made} if "made" in conn.listDefinedDomains() else None`,
      },
      call: async (object) => {
        await object.rename("renamed");
        return object.getName();
      },
      python: 'o.rename("renamed", 0)\no.name()',
      before: `conn.defineXML(${py(otherGuest)})`,
      effect: "conn.listDefinedDomains()",
      undo: 'conn.lookupByName("renamed").undefine()',
    },
    getMessages: "o.messages()",

    createSnapshotXML: {
      args: [snapshotXML("one")],
      python: `o.snapshotCreateXML(${py(snapshotXML("one"))}, 0)`,
      effect: "o.snapshotListNames()",
      undo: 'conn.lookupByName("api").snapshotLookupByName("one").delete()',
    },
    ...onSnapshots({
      snapshotNum: "o.snapshotNum()",
      snapshotListNames: "o.snapshotListNames()",
      listAllSnapshots: "o.listAllSnapshots()",
      lookupSnapshotByName: { args: ["parent"], python: 'o.snapshotLookupByName("parent")' },
      hasCurrentSnapshot: "bool(o.hasCurrentSnapshot())",
      snapshotCurrent: "o.snapshotCurrent()",
    }),
    createCheckpointXML: {
      args: [checkpointXML("one")],
      python: `o.checkpointCreateXML(${py(checkpointXML("one"))}, 0)`,
      effect: "[each.getName() for each in o.listAllCheckpoints()]",
      undo: 'conn.lookupByName("api").checkpointLookupByName("one").delete()',
    },
    listAllCheckpoints: {
      python: "o.listAllCheckpoints()",
      before: checkpointsBefore(),
      undo: checkpointsUndo(),
    },
    lookupCheckpointByName: {
      args: ["parent"],
      python: 'o.checkpointLookupByName("parent")',
      before: checkpointsBefore(),
      undo: checkpointsUndo(),
    },
  },
});

function truth(name: string): (value: Record<string, unknown>) => Record<string, unknown> {
  return (value) => ({ ...value, [name]: Number(value[name]) !== 0 });
}

function blockInfo(value: { allocation: bigint; capacity: bigint; physical: bigint }): Record<string, unknown> {
  return { capacity: value.capacity, allocation: value.allocation, physical: value.physical };
}

function snapshotsBefore(): string {
  return ["parent", "child"]
    .map((name) => `conn.lookupByName("api").snapshotCreateXML(${py(snapshotXML(name))}, 0)`)
    .join("\n");
}
function snapshotsUndo(): string {
  return ["child", "parent"]
    .map((name) => `try_(lambda: conn.lookupByName("api").snapshotLookupByName("${name}").delete())`)
    .join("\n");
}
function checkpointsBefore(): string {
  return ["parent", "child"]
    .map((name) => `conn.lookupByName("api").checkpointCreateXML(${py(checkpointXML(name))}, 0)`)
    .join("\n");
}
function checkpointsUndo(): string {
  return ["child", "parent"]
    .map((name) => `try_(lambda: conn.lookupByName("api").checkpointLookupByName("${name}").delete())`)
    .join("\n");
}

/** With two snapshots there, the second one a child of the first. */
function onSnapshots<Calls extends Record<string, string | { readonly python?: string }>>(
  calls: Calls,
): {
  [Name in keyof Calls]: (Calls[Name] extends string ? { python: string } : Calls[Name]) & {
    before: string;
    undo: string;
  };
} {
  return Object.fromEntries(
    Object.entries(calls).map(([name, call]) => [
      name,
      { ...(typeof call === "string" ? { python: call } : call), before: snapshotsBefore(), undo: snapshotsUndo() },
    ]),
  ) as never;
}

const snapshot = (name: string): On<DomainSnapshot> => ({
  ours: async (conn) => (await domain.ours(conn)).lookupSnapshotByName(name),
  // A receiver is looked up for the effect too, when there may be none yet.
  python: `(lambda d: d.snapshotLookupByName("${name}") if "${name}" in d.snapshotListNames() else None)(conn.lookupByName("api"))`,
});
const onBoth = { before: snapshotsBefore(), undo: snapshotsUndo() };

export const snapshotCalls: Entry[] = group<DomainSnapshot>({
  object: "DomainSnapshot",
  driver: "test",
  on: snapshot("parent"),
  calls: {
    getConnect: { python: "o.getConnect()", ...onBoth },
    getName: { python: "o.getName()", ...onBoth },
    getDomain: { python: "o.getDomain()", ...onBoth },
    getXMLDesc: {
      python: "re.sub('<creationTime>[0-9]+', '<creationTime>', o.getXMLDesc())",
      as: (xml: string) => xml.replace(/<creationTime>[0-9]+/, "<creationTime>"),
      ...onBoth,
    },
    numChildren: { python: "o.numChildren()", ...onBoth },
    listChildrenNames: { python: "o.listChildrenNames()", ...onBoth },
    listAllChildren: { python: "o.listAllChildren()", ...onBoth },
    getParent: { on: snapshot("child"), python: "o.getParent()", ...onBoth },
    isCurrent: { on: snapshot("child"), python: "bool(o.isCurrent())", ...onBoth },
    hasMetadata: { python: "bool(o.hasMetadata())", ...onBoth },
    revertToSnapshot: {
      python: 'conn.lookupByName("api").revertToSnapshot(o)',
      effect: '[each.getName() for each in conn.lookupByName("api").listAllSnapshots() if each.isCurrent()]',
      ...onBoth,
    },
    delete: {
      on: snapshot("child"),
      python: "o.delete()",
      effect: 'conn.lookupByName("api").snapshotListNames()',
      ...onBoth,
    },
  },
});

const checkpoint = (name: string): On<DomainCheckpoint> => ({
  ours: async (conn) => (await domain.ours(conn)).lookupCheckpointByName(name),
  python: `next((each for each in conn.lookupByName("api").listAllCheckpoints() if each.getName() == "${name}"), None)`,
});
const onBothCheckpoints = { before: checkpointsBefore(), undo: checkpointsUndo() };

export const checkpointCalls: Entry[] = group<DomainCheckpoint>({
  object: "DomainCheckpoint",
  driver: "test",
  on: checkpoint("parent"),
  calls: {
    getConnect: { python: "o.getConnect()", ...onBothCheckpoints },
    getName: { python: "o.getName()", ...onBothCheckpoints },
    getDomain: { python: "o.getDomain()", ...onBothCheckpoints },
    getXMLDesc: {
      python: "re.sub('<creationTime>[0-9]+', '<creationTime>', o.getXMLDesc())",
      as: (xml: string) => xml.replace(/<creationTime>[0-9]+/, "<creationTime>"),
      ...onBothCheckpoints,
    },
    listAllChildren: { python: "o.listAllChildren()", ...onBothCheckpoints },
    getParent: { on: checkpoint("child"), python: "o.getParent()", ...onBothCheckpoints },
    delete: {
      on: checkpoint("child"),
      python: "o.delete()",
      effect: '[each.getName() for each in conn.lookupByName("api").listAllCheckpoints()]',
      ...onBothCheckpoints,
    },
  },
});

const made9 = 'conn.interfaceLookupByName("api9")';
export const interfaceCalls: Entry[] = group<Interface>({
  object: "Interface",
  driver: "test",
  on: { ours: (conn) => conn.lookupInterfaceByName("eth1"), python: 'conn.interfaceLookupByName("eth1")' },
  calls: {
    getConnect: "o.connect()",
    getName: "o.name()",
    getMACString: "o.MACString()",
    getXMLDesc: "o.XMLDesc(0)",
    isActive: "bool(o.isActive())",
    destroy: {
      args: [0],
      python: "o.destroy(0)",
      // It may have been stopped by the rollback of a change.
      before: 'try_(lambda: conn.interfaceLookupByName("eth1").create(0))',
      effect: "o.isActive()",
      undo: 'conn.interfaceLookupByName("eth1").create(0)',
    },
    create: {
      args: [0],
      python: "o.create(0)",
      before: 'try_(lambda: conn.interfaceLookupByName("eth1").destroy(0))',
      effect: "o.isActive()",
    },
    undefine: {
      on: {
        ours: (conn) => conn.lookupInterfaceByName("api9"),
        python: `${made9} if "api9" in conn.listDefinedInterfaces() else None`,
      },
      python: "o.undefine()",
      before: `conn.interfaceDefineXML(${py(interfaceXML)})`,
      effect: "conn.listDefinedInterfaces()",
    },
  },
});

const leased = "<host mac='52:54:00:00:84:01' ip='192.168.122.84'/>";
export const networkCalls: Entry[] = group<Network>({
  object: "Network",
  driver: "test",
  on: { ours: (conn) => conn.lookupNetworkByName("default"), python: 'conn.networkLookupByName("default")' },
  calls: {
    getConnect: "o.connect()",
    getName: "o.name()",
    getUUID: "o.UUID()",
    getUUIDString: "o.UUIDString()",
    getXMLDesc: "o.XMLDesc(0)",
    getBridgeName: "o.bridgeName()",
    getAutostart: "bool(o.autostart())",
    setAutostart: {
      args: [true],
      python: "o.setAutostart(True)",
      effect: "o.autostart()",
      undo: 'conn.networkLookupByName("default").setAutostart(False)',
    },
    isActive: "bool(o.isActive())",
    isPersistent: "bool(o.isPersistent())",
    destroy: { python: "o.destroy()", effect: "o.isActive()", undo: 'conn.networkLookupByName("default").create()' },
    create: { python: "o.create()", before: 'conn.networkLookupByName("default").destroy()', effect: "o.isActive()" },
    undefine: {
      on: {
        ours: (conn) => conn.lookupNetworkByName("made"),
        python: 'conn.networkLookupByName("made") if "made" in conn.listDefinedNetworks() else None',
      },
      python: "o.undefine()",
      before: `conn.networkDefineXML(${py(networkXML("made"))})`,
      effect: "conn.listDefinedNetworks()",
    },
    update: {
      args: [
        VirNetworkUpdateCommand.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST,
        VirNetworkUpdateSection.VIR_NETWORK_SECTION_IP_DHCP_HOST,
        -1,
        leased,
        VirNetworkUpdateFlags.VIR_NETWORK_UPDATE_AFFECT_LIVE,
      ],
      python: `o.update(libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST, -1, ${py(leased)}, libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE)`,
      effect: "o.XMLDesc(0)",
      undo: `conn.networkLookupByName("default").update(libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE, libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST, -1, ${py(leased)}, libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE)`,
    },
    setMetadata: { args: [1, "a title", null, null, 0], ...young },
    getMetadata: { args: [1], ...young },
  },
});

const wwn = "1000000084000009";
const madeHost = `next((each for each in conn.listAllDevices() if each.name() == "scsi_host12"), None)`;
export const nodeDeviceCalls: Entry[] = group<NodeDevice>({
  object: "NodeDevice",
  driver: "test",
  on: {
    ours: (conn) => conn.lookupNodeDeviceByName("scsi_host2"),
    python: 'conn.nodeDeviceLookupByName("scsi_host2")',
  },
  calls: {
    getConnect: "o.connect()",
    getName: "o.name()",
    getParent: "o.parent()",
    numOfCaps: "o.numOfCaps()",
    listCaps: "o.listCaps()",
    getXMLDesc: "o.XMLDesc(0)",
    destroy: {
      on: { ours: (conn) => conn.lookupNodeDeviceByName("scsi_host12"), python: madeHost },
      python: "o.destroy()",
      before: `conn.nodeDeviceCreateXML(${py(hostXML(wwn))}, 0)`,
      effect: "sorted(each.name() for each in conn.listAllDevices())",
    },
    dettach: { python: "o.dettach()", ...noSupport },
    detachFlags: { args: [null, 0], python: "o.detachFlags(None, 0)", ...noSupport },
    reAttach: { python: "o.reAttach()", ...noSupport },
    reset: { python: "o.reset()", ...noSupport },
    undefine: { args: [0], python: "o.undefine(0)", ...noSupport },
    create: { args: [0], python: "o.create(0)", ...noSupport },
    setAutostart: { args: [true], python: "o.setAutostart(True)", ...noSupport },
    getAutostart: { python: "o.autostart()", ...noSupport },
    update: { args: ["<device/>", 0], ...young },
  },
});

const madePool: On<StoragePool> = {
  ours: (conn) => conn.lookupStoragePoolByName("made"),
  python: 'next((each for each in conn.listAllStoragePools() if each.name() == "made"), None)',
};
const definePool = `conn.storagePoolDefineXML(${py(poolXML("made"))})`;
const dropPool = `
try_(lambda: conn.storagePoolLookupByName("made").destroy())
try_(lambda: conn.storagePoolLookupByName("made").undefine())`;

export const storagePoolCalls: Entry[] = group<StoragePool>({
  object: "StoragePool",
  driver: "test",
  on: pool,
  calls: {
    getConnect: "o.connect()",
    getName: "o.name()",
    getUUID: "o.UUID()",
    getUUIDString: "o.UUIDString()",
    getInfo: 'named("state capacity allocation available", o.info())',
    getXMLDesc: "o.XMLDesc(0)",
    getAutostart: "bool(o.autostart())",
    setAutostart: {
      args: [true],
      python: "o.setAutostart(True)",
      effect: "o.autostart()",
      undo: `${pool.python}.setAutostart(False)`,
    },
    isActive: "bool(o.isActive())",
    isPersistent: "bool(o.isPersistent())",
    numOfVolumes: "o.numOfVolumes()",
    listVolumes: "o.listVolumes()",
    listAllVolumes: "o.listAllVolumes()",
    lookupStorageVolByName: { args: ["api.img"], python: 'o.storageVolLookupByName("api.img")' },
    createStorageVolXML: {
      args: [volXML("made.img"), 0],
      python: `o.createXML(${py(volXML("made.img"))}, 0)`,
      effect: "[o.listVolumes(), o.info()]",
      undo: `${pool.python}.storageVolLookupByName("made.img").delete(0)`,
    },
    createStorageVolXMLFrom: {
      call: async (object) =>
        object.createStorageVolXMLFrom(volXML("made.img"), await object.lookupStorageVolByName("api.img"), 0),
      python: `o.createXMLFrom(${py(volXML("made.img"))}, o.storageVolLookupByName("api.img"), 0)`,
      effect: "[o.listVolumes(), o.info()]",
      undo: `${pool.python}.storageVolLookupByName("made.img").delete(0)`,
    },
    create: {
      on: madePool,
      args: [0],
      python: "o.create(0)",
      before: definePool,
      effect: "o.isActive()",
      undo: dropPool,
    },
    destroy: {
      on: madePool,
      python: "o.destroy()",
      before: `${definePool}.create()`,
      effect: "o.isActive()",
      undo: dropPool,
    },
    undefine: {
      on: madePool,
      python: "o.undefine()",
      before: definePool,
      effect: "conn.listDefinedStoragePools()",
    },
  },
});

const vol: On<StorageVol> = {
  ours: async (conn) => (await pool.ours(conn)).lookupStorageVolByName("api.img"),
  python: `${pool.python}.storageVolLookupByName("api.img")`,
};
export const storageVolCalls: Entry[] = group<StorageVol>({
  object: "StorageVol",
  driver: "test",
  on: vol,
  calls: {
    getConnect: "o.connect()",
    getName: "o.name()",
    getKey: "o.key()",
    getPath: "o.path()",
    getInfo: 'named("type capacity allocation", o.info())',
    getXMLDesc: "o.XMLDesc(0)",
    lookupStoragePoolByVolume: "o.storagePoolLookupByVolume()",
    delete: {
      on: {
        ours: async (conn) => (await pool.ours(conn)).lookupStorageVolByName("made.img"),
        python: `next((each for each in ${pool.python}.listAllVolumes() if each.name() == "made.img"), None)`,
      },
      args: [0],
      python: "o.delete(0)",
      before: `${pool.python}.createXML(${py(volXML("made.img"))}, 0)`,
      effect: `${pool.python}.listVolumes()`,
    },
  },
});
