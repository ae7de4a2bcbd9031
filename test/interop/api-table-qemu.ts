/** What is called on libvirtd's QEMU driver: with a guest that runs, one that is shut off, and a bare one to save. */
import type {
  Connection,
  Domain,
  Network,
  NetworkPort,
  NodeDevice,
  NWFilter,
  NWFilterBinding,
  Secret,
  StoragePool,
  StorageVol,
} from "../../src/api/index.ts";
import {
  VirDomainBlockCommitFlags,
  VirDomainBlockCopyFlags,
  VirDomainBlockResizeFlags,
  VirDomainDeviceModifyFlags,
  VirDomainLifecycle,
  VirDomainLifecycleAction,
  VirDomainMemoryFlags,
  VirDomainModificationImpact,
  VirSecretUsageType,
  VirStorageVolWipeAlgorithm,
} from "../../src/generated/libvirt/index.ts";
import { type Entry, group, type On, received } from "./api.ts";
import { expected, hostCpu, py, uuid, uuidBytes, volXML } from "./api-table.ts";

const { young } = expected;
const images = "/var/lib/libvirt/images";
const CONFIG = VirDomainModificationImpact.VIR_DOMAIN_AFFECT_CONFIG;
const LIVE = VirDomainModificationImpact.VIR_DOMAIN_AFFECT_LIVE;
const theirBytes = `bytes.fromhex("${uuid.replaceAll("-", "")}")`;

const tablet = "<input type='tablet' bus='usb'><alias name='ua-tablet'/></input>";
const nic = (link: string): string =>
  `<interface type='network'><mac address='52:54:00:00:84:02'/><source network='apinet'/><model type='virtio'/><link state='${link}'/></interface>`;
const filterXML = (name: string): string =>
  `<filter name='${name}' chain='root'><uuid>${uuid}</uuid><rule action='drop' direction='in' priority='500'><all/></rule></filter>`;
const bindingXML = `<filterbinding><owner><name>api</name><uuid>${uuid}</uuid></owner><portdev name='apinic0'/>
  <mac address='52:54:00:00:84:01'/><filterref filter='apiempty'/></filterbinding>`;
const secretXML = `<secret ephemeral='yes' private='no'><uuid>${uuid}</uuid><usage type='iscsi'><target>api-secret</target></usage></secret>`;
const portXML = `<networkport><uuid>${uuid}</uuid><owner><name>api</name><uuid>${uuid}</uuid></owner><group>api</group>
  <mac address='52:54:00:00:84:77'/>
  <bandwidth><inbound average='900' peak='1000' burst='400'/><outbound average='100'/></bandwidth></networkport>`;
const copyXML = `<disk type='file'><source file='${images}/apicopy.img'/><driver type='raw'/></disk>`;
const backupXML = `<domainbackup mode='pull'><server transport='unix' socket='${images}/api.backup'/><disks>
  <disk name='vda' backup='no'/><disk name='vdb' backup='yes' type='file'><scratch file='${images}/api.scratch'/></disk></disks></domainbackup>`;

/**
 * Before the first call. The lab has defined `api` with its kernel and `bare` without one, and started neither.
 */
export const qemuSetup = `
CONFIG, LIVE = libvirt.VIR_DOMAIN_AFFECT_CONFIG, libvirt.VIR_DOMAIN_AFFECT_LIVE
pool = conn.storagePoolLookupByName("default")
conn.networkCreateXML("""<network><name>apinet</name><bridge name='apibr0'/>
  <ip address='192.168.84.1' netmask='255.255.255.0'><dhcp><range start='192.168.84.2' end='192.168.84.99'/></dhcp></ip>
  </network>""")
pool.createXML("<volume><name>apia.qcow2</name><capacity>16777216</capacity><target><format type='qcow2'/></target></volume>")
pool.createXML("<volume><name>apib.img</name><capacity>4194304</capacity><target><format type='raw'/></target></volume>")


def fill(volume):
    """It begins with something that is not zero."""
    stream = conn.newStream()
    volume.upload(stream, 0, 4096)
    stream.send(bytes(range(256)) * 16)
    stream.finish()


def content(volume):
    """What it begins with."""
    stream = conn.newStream()
    volume.download(stream, 0, 16)
    data = stream.recv(16)
    stream.finish()
    return data


devices = """
  <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${images}/apia.qcow2'/><target dev='vda' bus='virtio'/></disk>
  <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${images}/apib.img'/><target dev='vdb' bus='virtio'/></disk>
  <interface type='network'><mac address='52:54:00:00:84:01'/><source network='apinet'/><target dev='apinic0'/><model type='virtio'/></interface>
  <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
"""
xml = conn.lookupByName("api").XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
xml = xml.replace("</devices>", devices + "</devices>").replace("<os>", "<iothreads>1</iothreads><os>")
conn.lookupByName("api").undefine()
conn.defineXML(re.sub("<uuid>.*</uuid>", "<uuid>${uuid}</uuid>", xml)).create()
fill(pool.storageVolLookupByName("apib.img"))

offXML = """<domain type='qemu'><name>apioff</name><uuid>30840000-1111-4222-8333-444455556666</uuid><memory>65536</memory>
  <vcpu current='1'>2</vcpu><vcpus><vcpu id='0' enabled='yes' hotpluggable='no'/><vcpu id='1' enabled='no' hotpluggable='yes'/></vcpus>
  <os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os><devices>
  <emulator>/usr/bin/qemu-system-x86_64</emulator>${nic("up")}</devices></domain>"""
conn.defineXML(offXML)
conn.lookupByName("bare").create()


def stats(name, kind, *keys):
    """Some statistics of a guest."""
    found = conn.domainListGetStats([conn.lookupByName(name)], kind)[0][1]
    return {key: found.get(key) for key in keys}


def off_again():
    """The guest that is off is as it was defined."""
    conn.lookupByName("apioff").undefine()
    conn.defineXML(offXML)


def volumes():
    """The files of the pool."""
    pool.refresh(0)
    return sorted(pool.listVolumes())


def drop(*names):
    """Files of the pool go."""
    pool.refresh(0)
    for name in names:
        try_(lambda: pool.storageVolLookupByName(name).delete(0))


def wait(done):
    """Until it is so: half a minute at most."""
    for _ in range(600):
        if done():
            return
        time.sleep(0.05)
    raise Exception("it never came")


def settled(read):
    """What it is when it has been the same for a while: the call returns before it is done."""
    seen = [read()]
    while len(seen) < 6 or len(set(seen[-6:])) > 1:
        time.sleep(0.1)
        seen.append(read())
    return seen[-1]


def job(disk):
    """The kind of the disk's job."""
    return conn.lookupByName("api").blockJobInfo(disk).get("type")


def copy():
    """A copy job that has copied all and waits."""
    drop("apicopy.img")
    api = conn.lookupByName("api")
    api.blockCopy("vdb", ${py(copyXML)}, {}, libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB)
    wait(lambda: (lambda info: info["end"] > 0 and info["cur"] == info["end"])(api.blockJobInfo("vdb")))


def end_copy():
    try_(lambda: conn.lookupByName("api").blockJobAbort("vdb", 0))
    wait(lambda: job("vdb") is None)
    drop("apicopy.img")


overlays = []


def overlay():
    """A disk-only snapshot: vda becomes a new file on top of what it was."""
    overlays.append("apia.%d" % len(overlays))
    disks = "<disks><disk name='vda'><source file='${images}/%s'/></disk><disk name='vdb' snapshot='no'/></disks>"
    flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA
    conn.lookupByName("api").snapshotCreateXML("<domainsnapshot>" + disks % overlays[-1] + "</domainsnapshot>", flags)


def depth():
    """How many files are below vda, when no job is active any more."""
    wait(lambda: job("vda") is None)
    return conn.lookupByName("api").XMLDesc(0).count("<backingStore type")


def backup():
    drop("api.scratch")
    conn.lookupByName("api").backupBegin(${py(backupXML)}, None, 0)


def end_backup():
    try_(lambda: conn.lookupByName("api").abortJob())
    wait(lambda: conn.lookupByName("api").jobInfo()[0] == 0)
    drop("api.scratch", "api.backup")


def bare_again():
    """The bare guest runs, without anything saved."""
    bare = conn.lookupByName("bare")
    try_(lambda: bare.managedSaveRemove())
    try_(lambda: bare.create())
    drop("bare.save", "bare.core")


conn.nwfilterDefineXML("<filter name='apiempty' chain='root'/>")
`;

/** After the last one. */
export const qemuTeardown = `
for name in ["api", "bare"]:
    try_(lambda: conn.lookupByName(name).destroy())
try_(lambda: conn.networkLookupByName("apinet").destroy())
`;

const filter = `try_(lambda: conn.nwfilterLookupByName("apimade").undefine())`;
const defineFilter = `conn.nwfilterDefineXML(${py(filterXML("apimade"))})`;
const unbind = `try_(lambda: conn.nwfilterBindingLookupByPortDev("apinic0").delete())`;
const defineSecret = `conn.secretDefineXML(${py(secretXML)}, 0)`;
const noSecret = `try_(lambda: conn.secretLookupByUUIDString("${uuid}").undefine())`;
const onFilter = { before: defineFilter, undo: filter };
// Binding and unbinding take seconds: it stays for the next one.
const onBinding = { before: `conn.listAllNWFilterBindings() or conn.nwfilterBindingCreateXML(${py(bindingXML)}, 0)` };
const onSecret = { before: defineSecret, undo: noSecret };
const save = `conn.lookupByName("bare").saveFlags("${images}/bare.save", None, 0)`;
const bareActive = 'conn.lookupByName("bare").isActive()';
const noAgent = { refused: "no agent in the guest" };

export const qemuConnectionCalls: Entry[] = group<Connection>({
  object: "Connection",
  driver: "qemu",
  on: { ours: (conn) => conn, python: "conn" },
  calls: {
    nodeGetMemoryParameters: { python: "must(o.getMemoryParameters())", moving: true },
    nodeSetMemoryParameters: {
      // What it is already: the kernel is everybody's.
      call: async (conn) => {
        const { shm_pages_to_scan } = await conn.nodeGetMemoryParameters();
        await conn.nodeSetMemoryParameters({ shm_pages_to_scan });
      },
      python: 'o.setMemoryParameters({"shm_pages_to_scan": must(o.getMemoryParameters())["shm_pages_to_scan"]})',
    },
    nodeGetSEVInfo: { python: "o.getSEVInfo()", refused: "no such processor" },
    nodeGetCPUStats: {
      args: [0],
      // The kernel's count of waiting may fall and rise: that it is there.
      python: "(lambda all: {**all, 'iowait': 'iowait' in all})(o.getCPUStats(0))",
      as: (all: Record<string, bigint>) => ({ ...all, iowait: "iowait" in all }),
      moving: true,
    },
    nodeGetMemoryStats: {
      args: [-1],
      python: "(lambda all: [sorted(all), all['total']])(o.getMemoryStats(-1))",
      as: (all: Record<string, bigint>) => [Object.keys(all).toSorted(), all.total],
    },
    compareCPU: { args: [hostCpu], python: `o.compareCPU(${py(hostCpu)}, 0)` },
    compareHypervisorCPU: {
      args: [null, null, null, "qemu", hostCpu, 0],
      python: `o.compareHypervisorCPU(None, None, None, "qemu", ${py(hostCpu)}, 0)`,
    },
    baselineCPU: { args: [[hostCpu, hostCpu], 0], python: `o.baselineCPU([${py(hostCpu)}] * 2, 0)` },
    baselineHypervisorCPU: {
      args: [null, null, null, "qemu", [hostCpu], 0],
      python: `o.baselineHypervisorCPU(None, None, None, "qemu", [${py(hostCpu)}], 0)`,
    },
    nodeGetFreePages: {
      args: [[2048], 0, 1],
      python: "[count for cell in o.getFreePages([2048], 0, 1).values() for count in cell.values()]",
    },
    nodeAllocPages: { args: [[2048], [0], 0, 1], python: "o.allocPages({2048: 0}, 0, 1, 0)" },
    getDomainCapabilities: {
      args: [null, "x86_64", "pc", "qemu"],
      python: 'o.getDomainCapabilities(None, "x86_64", "pc", "qemu", 0)',
    },
    domainRestoreParams: {
      args: [{ file: `${images}/bare.save` }],
      python: `o.restoreParams({"file": "${images}/bare.save"}, 0)`,
      before: save,
      effect: bareActive,
      undo: "bare_again()",
    },
    domainXMLFromNative: {
      args: ["qemu-argv", "qemu-system-x86_64 -m 4"],
      python: 'o.domainXMLFromNative("qemu-argv", "qemu-system-x86_64 -m 4", 0)',
      refused: "the driver gave it up",
    },
    domainXMLToNative: {
      call: async (conn) =>
        conn.domainXMLToNative("qemu-argv", await (await conn.lookupDomainByName("apioff")).getXMLDesc()),
      python: 'o.domainXMLToNative("qemu-argv", o.lookupByName("apioff").XMLDesc(0), 0)',
    },
    lookupNodeDeviceSCSIHostByWWN: {
      args: ["2000000012341234", "1000000012341234"],
      python: 'o.nodeDeviceLookupSCSIHostByWWN("2000000012341234", "1000000012341234", 0)',
      refused: "no such host bus adapter",
    },
    lookupStoragePoolByTargetPath: { args: [images], python: `o.storagePoolLookupByTargetPath("${images}")` },
    getStoragePoolCapabilities: { args: [0], python: "o.getStoragePoolCapabilities(0)" },
    domainQemuAttach: { args: [1], python: "libvirt_qemu.qemuAttach(o, 1, 0)", refused: "the driver gave it up" },

    numOfNWFilters: { python: "o.numOfNWFilters()", ...onFilter },
    listNWFilters: { python: "o.listNWFilters()", ...onFilter },
    listAllNWFilters: { python: "o.listAllNWFilters()", ...onFilter },
    lookupNWFilterByName: { args: ["apimade"], python: 'o.nwfilterLookupByName("apimade")', ...onFilter },
    lookupNWFilterByUUID: { args: [uuidBytes], python: `o.nwfilterLookupByUUID(${theirBytes})`, ...onFilter },
    lookupNWFilterByUUIDString: { args: [uuid], python: `o.nwfilterLookupByUUIDString("${uuid}")`, ...onFilter },
    defineNWFilterXML: {
      args: [filterXML("apimade")],
      python: `o.nwfilterDefineXML(${py(filterXML("apimade"))})`,
      effect: "sorted(o.listNWFilters())",
      undo: filter,
    },
    defineNWFilterXMLFlags: {
      args: [filterXML("apimade"), 0],
      python: `o.nwfilterDefineXMLFlags(${py(filterXML("apimade"))}, 0)`,
      effect: "sorted(o.listNWFilters())",
      undo: filter,
    },
    createNWFilterBindingXML: {
      args: [bindingXML],
      python: `o.nwfilterBindingCreateXML(${py(bindingXML)}, 0)`,
      effect: "len(o.listAllNWFilterBindings())",
      undo: unbind,
    },
    lookupNWFilterBindingByPortDev: {
      args: ["apinic0"],
      python: 'o.nwfilterBindingLookupByPortDev("apinic0")',
      ...onBinding,
    },
    listAllNWFilterBindings: { python: "o.listAllNWFilterBindings()", ...onBinding },

    numOfSecrets: { python: "o.numOfSecrets()", ...onSecret },
    listSecrets: { python: "o.listSecrets()", ...onSecret },
    listAllSecrets: { python: "o.listAllSecrets()", ...onSecret },
    lookupSecretByUUID: { args: [uuidBytes], python: `o.secretLookupByUUID(${theirBytes})`, ...onSecret },
    lookupSecretByUUIDString: { args: [uuid], python: `o.secretLookupByUUIDString("${uuid}")`, ...onSecret },
    lookupSecretByUsage: {
      args: [VirSecretUsageType.VIR_SECRET_USAGE_TYPE_ISCSI, "api-secret"],
      python: 'o.secretLookupByUsage(libvirt.VIR_SECRET_USAGE_TYPE_ISCSI, "api-secret")',
      ...onSecret,
    },
    defineSecretXML: {
      args: [secretXML],
      python: `o.secretDefineXML(${py(secretXML)}, 0)`,
      effect: "o.listSecrets()",
      undo: noSecret,
    },
  },
});

const guest = (name: string): On<Domain> => ({
  ours: (conn) => conn.lookupDomainByName(name),
  python: `conn.lookupByName("${name}")`,
});
const off = { on: guest("apioff") };
const bare = { on: guest("bare"), undo: "bare_again()" };
const inactive = "o.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)";
const onCopy = { before: "copy()", undo: "end_copy()" };
const onBackup = { before: "backup()", undo: "end_backup()" };
const jobNames =
  "type timeElapsed timeRemaining dataTotal dataProcessed dataRemaining memTotal memProcessed memRemaining fileTotal fileProcessed fileRemaining";

export const qemuDomainCalls: Entry[] = group<Domain>({
  object: "Domain",
  driver: "qemu",
  on: guest("api"),
  calls: {
    getSchedulerParameters: { ...off, python: "o.schedulerParameters()" },
    getSchedulerParametersFlags: { ...off, args: [CONFIG], python: "o.schedulerParametersFlags(CONFIG)" },
    setSchedulerParameters: {
      ...off,
      args: [{ cpu_shares: 512 }],
      python: 'o.setSchedulerParameters({"cpu_shares": 512})',
      effect: "o.schedulerParametersFlags(CONFIG)",
      undo: "off_again()",
    },
    setSchedulerParametersFlags: {
      ...off,
      args: [{ cpu_shares: 2048, vcpu_quota: -1 }, CONFIG],
      python: 'o.setSchedulerParametersFlags({"cpu_shares": 2048, "vcpu_quota": -1}, CONFIG)',
      effect: "o.schedulerParametersFlags(CONFIG)",
      undo: "off_again()",
    },
    getNumaParameters: { ...off, args: [CONFIG], python: "o.numaParameters(CONFIG)" },
    setNumaParameters: {
      ...off,
      args: [{ numa_mode: 0, numa_nodeset: "0" }, CONFIG],
      python: 'o.setNumaParameters({"numa_mode": 0, "numa_nodeset": "0"}, CONFIG)',
      effect: "o.numaParameters(CONFIG)",
      undo: "off_again()",
    },
    getBlkioParameters: { ...off, args: [CONFIG], python: "o.blkioParameters(CONFIG)" },
    setBlkioParameters: {
      ...off,
      args: [{ weight: 500, device_weight: "/dev/null,300" }, CONFIG],
      python: 'o.setBlkioParameters({"weight": 500, "device_weight": "/dev/null,300"}, CONFIG)',
      effect: "o.blkioParameters(CONFIG)",
      undo: "off_again()",
    },
    setMemoryStatsPeriod: {
      args: [7, LIVE],
      python: "o.setMemoryStatsPeriod(7, LIVE)",
      effect: "re.findall('<stats period.*', o.XMLDesc(0))",
      undo: 'conn.lookupByName("api").setMemoryStatsPeriod(0, LIVE)',
    },
    setVcpu: {
      ...off,
      args: ["1", 1, CONFIG],
      python: 'o.setVcpu("1", 1, CONFIG)',
      effect: inactive,
      undo: "off_again()",
    },
    setLifecycleAction: {
      ...off,
      args: [
        VirDomainLifecycle.VIR_DOMAIN_LIFECYCLE_CRASH,
        VirDomainLifecycleAction.VIR_DOMAIN_LIFECYCLE_ACTION_PRESERVE,
        CONFIG,
      ],
      python:
        "o.setLifecycleAction(libvirt.VIR_DOMAIN_LIFECYCLE_CRASH, libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_PRESERVE, CONFIG)",
      effect: inactive,
      undo: "off_again()",
    },
    updateDeviceFlags: {
      ...off,
      args: [nic("down"), VirDomainDeviceModifyFlags.VIR_DOMAIN_DEVICE_MODIFY_CONFIG],
      python: `o.updateDeviceFlags(${py(nic("down"))}, CONFIG)`,
      effect: inactive,
      undo: "off_again()",
    },
    getSecurityLabelList: {
      python: '[{"label": label, "enforcing": bool(enforcing)} for label, enforcing in o.securityLabelList()]',
      as: (all: { label: string; enforcing: number }[]) =>
        all.map((each) => ({ ...each, enforcing: each.enforcing !== 0 })),
    },
    getLaunchSecurityInfo: { python: "must(o.launchSecurityInfo(0))" },
    setLaunchSecurityState: {
      args: [{ "sev-secret": "x", "sev-secret-header": "y" }, 0],
      python: 'o.setLaunchSecurityState({"sev-secret": "x", "sev-secret-header": "y"}, 0)',
      refused: "the guest has no such protection",
    },

    migrateGetMaxDowntime: { args: [0], python: "must(o.migrateGetMaxDowntime(0))" },
    migrateSetMaxDowntime: {
      args: [444, 0],
      python: "o.migrateSetMaxDowntime(444, 0)",
      effect: "o.migrateGetMaxDowntime(0)",
      undo: 'conn.lookupByName("api").migrateSetMaxDowntime(300, 0)',
    },
    migrateGetCompressionCache: { args: [0], python: "must(o.migrateGetCompressionCache(0))" },
    migrateSetCompressionCache: {
      args: [33_554_432, 0],
      python: "o.migrateSetCompressionCache(33554432, 0)",
      effect: "o.migrateGetCompressionCache(0)",
      undo: 'conn.lookupByName("api").migrateSetCompressionCache(67108864, 0)',
    },
    migrateGetMaxSpeed: { args: [0], python: "must(o.migrateGetMaxSpeed(0))" },
    migrateSetMaxSpeed: {
      args: [17, 0],
      python: "o.migrateSetMaxSpeed(17, 0)",
      effect: "o.migrateGetMaxSpeed(0)",
      undo: 'conn.lookupByName("api").migrateSetMaxSpeed(100, 0)',
    },
    migrateStartPostCopy: { args: [0], python: "o.migrateStartPostCopy(0)", refused: "no migration" },
    startDirtyRateCalc: {
      args: [1, 0],
      python: "o.startDirtyRateCalc(1, 0)",
      effect: 'stats("api", libvirt.VIR_DOMAIN_STATS_DIRTYRATE, "dirtyrate.calc_status")',
      undo: 'wait(lambda: stats("api", libvirt.VIR_DOMAIN_STATS_DIRTYRATE, "dirtyrate.calc_status") == {"dirtyrate.calc_status": 2})',
    },

    saveParams: {
      ...bare,
      args: [{ file: `${images}/bare.save` }, 0],
      python: `o.saveParams({"file": "${images}/bare.save"}, 0)`,
      effect: "[o.isActive(), volumes()]",
      undo: `conn.restore("${images}/bare.save")\nbare_again()`,
    },
    managedSaveGetXMLDesc: {
      ...bare,
      python: "o.managedSaveGetXMLDesc(0)",
      before: 'conn.lookupByName("bare").managedSave(0)',
    },
    managedSaveDefineXML: {
      ...bare,
      call: async (object) => {
        const xml = await object.managedSaveGetXMLDesc();
        await object.managedSaveDefineXML(xml.replace("</uuid>", "</uuid><title>changed</title>"));
      },
      python:
        'o.managedSaveDefineXML(o.managedSaveGetXMLDesc(0).replace("</uuid>", "</uuid><title>changed</title>"), 0)',
      before: 'conn.lookupByName("bare").managedSave(0)',
      effect: "o.managedSaveGetXMLDesc(0)",
      undo: "bare_again()",
    },
    coreDump: {
      ...bare,
      args: [`${images}/bare.core`, 0],
      python: `o.coreDump("${images}/bare.core", 0)`,
      effect: "volumes()",
    },
    coreDumpWithFormat: {
      ...bare,
      args: [`${images}/bare.core`, 0, 0],
      python: `o.coreDumpWithFormat("${images}/bare.core", 0, 0)`,
      effect: "volumes()",
    },
    injectNMI: { args: [0], python: "o.injectNMI(0)" },
    pmWakeup: {
      ...bare,
      args: [0],
      python: "o.pMWakeup(0)",
      // What a system writes to the register of its power management.
      before: `
libvirt_qemu.qemuMonitorCommand(conn.lookupByName("bare"), "o /w 0x604 0x2400", libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP)
wait(lambda: conn.lookupByName("bare").state()[0] == libvirt.VIR_DOMAIN_PMSUSPENDED)`,
      effect: "settled(lambda: o.state()[0])",
    },
    reset: {
      args: [0],
      python: "o.reset(0)",
      before: 'heard = watch(conn, "domain", libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, "", "domain")',
      effect: "settled(lambda: len(heard) > 0)",
    },
    pmSuspendForDuration: { args: [0, 0, 0], python: "o.pMSuspendForDuration(0, 0, 0)", ...noAgent },
    getGuestVcpus: { args: [0], python: "must(o.guestVcpus(0))", ...noAgent },
    setGuestVcpus: { args: ["0", 1, 0], python: 'o.setGuestVcpus("0", 1, 0)', ...noAgent },
    getGuestInfo: { args: [0, 0], python: "must(o.guestInfo(0, 0))", ...noAgent },
    agentSetResponseTimeout: { args: [3, 0], python: "o.agentSetResponseTimeout(3, 0)" },
    authorizedSSHKeysGet: { args: ["root", 0], python: 'must(o.authorizedSSHKeysGet("root", 0))', ...noAgent },
    authorizedSSHKeysSet: {
      args: ["root", ["ssh-ed25519 AAAA api"], 0],
      python: 'o.authorizedSSHKeysSet("root", ["ssh-ed25519 AAAA api"], 0)',
      ...noAgent,
    },
    qemuAgentCommand: {
      args: ['{"execute":"guest-ping"}', 1, 0],
      python: `libvirt_qemu.qemuAgentCommand(o, '{"execute":"guest-ping"}', 1, 0)`,
      ...noAgent,
    },
    qemuMonitorCommand: {
      args: ['{"execute":"query-version"}', 0],
      // The monitor's own id of the request is in it too.
      python: `json.loads(libvirt_qemu.qemuMonitorCommand(o, '{"execute":"query-version"}', 0))["return"]`,
      as: (reply: string) => (JSON.parse(reply) as { return: unknown }).return,
    },
    graphicsReload: { args: [0], ...young },
    setThrottleGroup: { args: ["api", {}], ...young },
    delThrottleGroup: { args: ["api"], ...young },

    memoryPeek: {
      // Of the firmware, which does not change.
      args: [0xf_ff00, 256, VirDomainMemoryFlags.VIR_MEMORY_PHYSICAL],
      python: "o.memoryPeek(0xfff00, 256, libvirt.VIR_MEMORY_PHYSICAL)",
    },
    blockPeek: { args: ["vdb", 0, 512, 0], python: 'o.blockPeek("vdb", 0, 512, 0)' },
    blockStatsFlags: { args: ["vdb", 0], python: 'o.blockStatsFlags("vdb", 0)', moving: true },
    blockResize: {
      args: ["vdb", 8_388_608, VirDomainBlockResizeFlags.VIR_DOMAIN_BLOCK_RESIZE_BYTES],
      python: 'o.blockResize("vdb", 8388608, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)',
      effect: 'o.blockInfo("vdb")[0]',
      undo: 'conn.lookupByName("api").blockResize("vdb", 4194304, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)',
    },
    setBlockThreshold: {
      args: ["vda", 1_000_000, 0],
      python: 'o.setBlockThreshold("vda", 1000000, 0)',
      effect: 'stats("api", libvirt.VIR_DOMAIN_STATS_BLOCK, "block.0.threshold")',
      undo: 'conn.lookupByName("api").setBlockThreshold("vda", 0, 0)',
    },
    setIOThreadParams: {
      args: [1, { poll_max_ns: 1000 }, LIVE],
      python: 'o.setIOThreadParams(1, {"poll_max_ns": 1000}, LIVE)',
      effect: 'stats("api", libvirt.VIR_DOMAIN_STATS_IOTHREAD, "iothread.1.poll-max-ns")',
      undo: 'conn.lookupByName("api").setIOThreadParams(1, {"poll_max_ns": 32768}, LIVE)',
    },
    attachDevice: {
      args: [tablet],
      python: `o.attachDevice(${py(tablet)})`,
      effect: "settled(lambda: o.XMLDesc(0).count('tablet'))",
      undo: `conn.lookupByName("api").detachDevice(${py(tablet)})\nwait(lambda: 'tablet' not in conn.lookupByName("api").XMLDesc(0))`,
    },
    attachDeviceFlags: {
      ...off,
      args: [tablet, VirDomainDeviceModifyFlags.VIR_DOMAIN_DEVICE_MODIFY_CONFIG],
      python: `o.attachDeviceFlags(${py(tablet)}, CONFIG)`,
      effect: inactive,
      undo: "off_again()",
    },
    detachDevice: {
      args: [tablet],
      python: `o.detachDevice(${py(tablet)})`,
      before: `conn.lookupByName("api").attachDevice(${py(tablet)})`,
      effect: "settled(lambda: o.XMLDesc(0).count('tablet'))",
    },
    detachDeviceFlags: {
      args: [tablet, VirDomainDeviceModifyFlags.VIR_DOMAIN_DEVICE_MODIFY_LIVE],
      python: `o.detachDeviceFlags(${py(tablet)}, LIVE)`,
      before: `conn.lookupByName("api").attachDevice(${py(tablet)})`,
      effect: "settled(lambda: o.XMLDesc(0).count('tablet'))",
    },
    detachDeviceAlias: {
      args: ["ua-tablet", LIVE],
      python: 'o.detachDeviceAlias("ua-tablet", LIVE)',
      before: `conn.lookupByName("api").attachDevice(${py(tablet)})`,
      effect: "settled(lambda: o.XMLDesc(0).count('tablet'))",
    },

    getJobInfo: { python: `named("${jobNames}", o.jobInfo())`, as: job },
    getJobStats: {
      args: [0],
      python: "o.jobStats(0)",
      as: ({ type, params }: { type: number; params: object }) => ({ type, ...params }),
    },
    backupBegin: {
      args: [backupXML, null, 0],
      python: `o.backupBegin(${py(backupXML)}, None, 0)`,
      effect: "o.jobInfo()[0]",
      undo: "end_backup()",
    },
    backupGetXMLDesc: {
      args: [0],
      python: "re.sub(\"index='[0-9]+'\", '', o.backupGetXMLDesc(0))",
      as: (xml: string) => xml.replace(/index='[0-9]+'/, ""),
      ...onBackup,
    },
    abortJob: { python: "o.abortJob()", effect: "settled(lambda: o.jobInfo()[0])", ...onBackup },
    abortJobFlags: { args: [0], python: "o.abortJobFlags(0)", effect: "settled(lambda: o.jobInfo()[0])", ...onBackup },
    blockCopy: {
      args: ["vdb", copyXML, { bandwidth: 10_000_000n }, VirDomainBlockCopyFlags.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB],
      python: `o.blockCopy("vdb", ${py(copyXML)}, {"bandwidth": 10000000}, libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB)`,
      effect:
        '(lambda info: [info.get("type"), info.get("bandwidth")])(o.blockJobInfo("vdb", libvirt.VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES))',
      undo: "end_copy()",
    },
    getBlockJobInfo: { args: ["vdb"], python: 'o.blockJobInfo("vdb", 0)', ...onCopy },
    blockJobSetSpeed: {
      args: ["vdb", 5, 0],
      python: 'o.blockJobSetSpeed("vdb", 5, 0)',
      effect: 'o.blockJobInfo("vdb", 0)["bandwidth"]',
      ...onCopy,
    },
    blockJobAbort: { args: ["vdb", 0], python: 'o.blockJobAbort("vdb", 0)', effect: 'job("vdb")', ...onCopy },
    blockPull: { args: ["vda", 0, 0], python: 'o.blockPull("vda", 0, 0)', before: "overlay()", effect: "depth()" },
    blockRebase: {
      args: ["vda", null, 0, 0],
      python: 'o.blockRebase("vda", None, 0, 0)',
      before: "overlay()",
      effect: "depth()",
    },
    blockCommit: {
      args: ["vda", null, null, 0, VirDomainBlockCommitFlags.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE],
      python: 'o.blockCommit("vda", None, None, 0, libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE)',
      before: "overlay()",
      effect: 'job("vda")',
      undo: `
wait(lambda: (lambda info: info["end"] > 0 and info["cur"] == info["end"])(conn.lookupByName("api").blockJobInfo("vda")))
def pivot():
    try:
        conn.lookupByName("api").blockJobAbort("vda", libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)
        return True
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_BLOCK_COPY_ACTIVE: raise
wait(pivot)`,
    },
  },
});

function job(info: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(jobNames.split(" ").map((name) => [name, info[name]]));
}

const net: On<Network> = {
  ours: (conn) => conn.lookupNetworkByName("apinet"),
  python: 'conn.networkLookupByName("apinet")',
};
const createPort = `${net.python}.portCreateXML(${py(portXML)}, 0)`;
const dropPort = `try_(lambda: ${net.python}.portLookupByUUIDString("${uuid}").delete(0))`;
const onPort = { before: createPort, undo: dropPort };

export const qemuNetworkCalls: Entry[] = group<Network>({
  object: "Network",
  driver: "qemu",
  on: net,
  calls: {
    getDHCPLeases: { python: "o.DHCPLeases()" },
    createPortXML: {
      args: [portXML],
      python: `o.portCreateXML(${py(portXML)}, 0)`,
      effect: "len(o.listAllPorts())",
      undo: dropPort,
    },
    lookupPortByUUID: { args: [uuidBytes], python: `o.portLookupByUUID(${theirBytes})`, ...onPort },
    lookupPortByUUIDString: { args: [uuid], python: `o.portLookupByUUIDString("${uuid}")`, ...onPort },
    listAllPorts: { python: "o.listAllPorts()", ...onPort },
  },
});

export const networkPortCalls: Entry[] = group<NetworkPort>({
  object: "NetworkPort",
  driver: "qemu",
  on: {
    ours: async (conn) => (await net.ours(conn)).lookupPortByUUIDString(uuid),
    python: `next((each for each in ${net.python}.listAllPorts() if each.UUIDString() == "${uuid}"), None)`,
  },
  calls: {
    getConnect: { python: "o.connect()", ...onPort },
    getUUID: { python: "o.UUID()", ...onPort },
    getUUIDString: { python: "o.UUIDString()", ...onPort },
    getNetwork: { python: "o.network()", ...onPort },
    getXMLDesc: { python: "o.XMLDesc(0)", ...onPort },
    getParameters: {
      python: "o.parameters(0)",
      ...onPort,
    },
    setParameters: {
      args: [{ "inbound.average": 700, "inbound.peak": 800 }, 0],
      python: 'o.setParameters({"inbound.average": 700, "inbound.peak": 800}, 0)',
      effect: "[o.parameters(0), o.XMLDesc(0)]",
      ...onPort,
    },
    delete: { args: [0], python: "o.delete(0)", effect: `len(${net.python}.listAllPorts())`, ...onPort },
  },
});

export const nwfilterCalls: Entry[] = group<NWFilter>({
  object: "NWFilter",
  driver: "qemu",
  on: {
    ours: (conn) => conn.lookupNWFilterByName("apimade"),
    python: 'next((each for each in conn.listAllNWFilters() if each.name() == "apimade"), None)',
  },
  calls: {
    getConnect: { python: "conn", ...onFilter },
    getName: { python: "o.name()", ...onFilter },
    getUUID: { python: "o.UUID()", ...onFilter },
    getUUIDString: { python: "o.UUIDString()", ...onFilter },
    getXMLDesc: { python: "o.XMLDesc(0)", ...onFilter },
    undefine: { python: "o.undefine()", effect: "sorted(conn.listNWFilters())", ...onFilter },
  },
});

export const nwfilterBindingCalls: Entry[] = group<NWFilterBinding>({
  object: "NWFilterBinding",
  driver: "qemu",
  on: {
    ours: (conn) => conn.lookupNWFilterBindingByPortDev("apinic0"),
    python: 'next((each for each in conn.listAllNWFilterBindings() if each.portDev() == "apinic0"), None)',
  },
  calls: {
    getConnect: { python: "conn", ...onBinding },
    getPortDev: { python: "o.portDev()", ...onBinding },
    getFilterName: { python: "o.filterName()", ...onBinding },
    getXMLDesc: { python: "o.XMLDesc(0)", ...onBinding },
    delete: { python: "o.delete()", effect: "len(conn.listAllNWFilterBindings())", ...onBinding },
  },
});

const secret: On<Secret> = {
  ours: (conn) => conn.lookupSecretByUUIDString(uuid),
  python: `next((each for each in conn.listAllSecrets() if each.UUIDString() == "${uuid}"), None)`,
};
export const secretCalls: Entry[] = group<Secret>({
  object: "Secret",
  driver: "qemu",
  on: secret,
  calls: {
    getConnect: { python: "o.connect()", ...onSecret },
    getUUID: { python: "o.UUID()", ...onSecret },
    getUUIDString: { python: "o.UUIDString()", ...onSecret },
    getUsageType: { python: "o.usageType()", ...onSecret },
    getUsageID: { python: "o.usageID()", ...onSecret },
    getXMLDesc: { python: "o.XMLDesc(0)", ...onSecret },
    getValue: {
      python: "o.value(0)",
      before: `${defineSecret}.setValue(bytes([0, 255, 10, 65]), 0)`,
      undo: noSecret,
    },
    setValue: {
      args: [Uint8Array.of(0, 255, 10, 65), 0],
      python: "o.setValue(bytes([0, 255, 10, 65]), 0)",
      before: `${defineSecret}.setValue(b"before", 0)`,
      effect: "o.value(0)",
      undo: noSecret,
    },
    undefine: { python: "o.undefine()", effect: "conn.listSecrets()", ...onSecret },
  },
});

const volOfPool = 'conn.storagePoolLookupByName("default")';
const onVol = {
  before: `fill(${volOfPool}.createXML(${py(volXML("api.vol"))}, 0))`,
  undo: `${volOfPool}.storageVolLookupByName("api.vol").delete(0)`,
};
export const qemuVolCalls: Entry[] = group<StorageVol>({
  object: "StorageVol",
  driver: "qemu",
  on: {
    ours: async (conn) => (await conn.lookupStoragePoolByName("default")).lookupStorageVolByName("api.vol"),
    python: `${volOfPool}.storageVolLookupByName("api.vol")`,
  },
  calls: {
    getInfoFlags: { args: [0], python: 'named("type capacity allocation", o.infoFlags(0))', ...onVol },
    wipe: { args: [0], python: "o.wipe(0)", effect: "content(o)", ...onVol },
    wipePattern: {
      args: [VirStorageVolWipeAlgorithm.VIR_STORAGE_VOL_WIPE_ALG_ZERO, 0],
      python: "o.wipePattern(libvirt.VIR_STORAGE_VOL_WIPE_ALG_ZERO, 0)",
      effect: "content(o)",
      ...onVol,
    },
    download: {
      call: async (volume) => received(await volume.download(0, 0)),
      python: `(lambda s, d: (
        o.download(s, 0, 0), s.recvAll(lambda st, x, op: d.update(x), None), s.finish(), d.hexdigest()
      )[3])(conn.newStream(), __import__("hashlib").sha256())`,
      ...onVol,
    },
    upload: {
      call: async (volume) => {
        const stream = await volume.upload(0, 4);
        await stream.write(Buffer.from("abcd"));
        await stream.finish();
      },
      python: '(lambda s: (o.upload(s, 0, 4), s.send(b"abcd"), s.finish())[2])(conn.newStream())',
      effect: "content(o)",
      ...onVol,
    },
    resize: { args: [2_097_152, 0], python: "o.resize(2097152, 0)", effect: "o.info()", ...onVol },
  },
});

const poolXML = `<pool type='dir'><name>apipool</name><target><path>${images}/apipool</path></target></pool>`;
const dropPool = `
try_(lambda: conn.storagePoolLookupByName("apipool").delete())
try_(lambda: conn.storagePoolLookupByName("apipool").undefine())`;
const onPool: On<StoragePool> = {
  ours: (conn) => conn.lookupStoragePoolByName("apipool"),
  python: 'conn.storagePoolLookupByName("apipool")',
};
export const qemuPoolCalls: Entry[] = group<StoragePool>({
  object: "StoragePool",
  driver: "qemu",
  on: { ours: (conn) => conn.lookupStoragePoolByName("default"), python: volOfPool },
  calls: {
    build: {
      on: onPool,
      args: [0],
      python: "o.build(0)",
      before: `conn.storagePoolDefineXML(${py(poolXML)})`,
      // Its folder is in another pool's.
      effect: "volumes()",
      undo: dropPool,
    },
    delete: {
      on: onPool,
      args: [0],
      python: "o.delete(0)",
      before: `conn.storagePoolDefineXML(${py(poolXML)}).build(0)`,
      effect: "volumes()",
      undo: dropPool,
    },
    refresh: {
      args: [0],
      python: "o.refresh(0)",
      before: `conn.lookupByName("bare").coreDump("${images}/bare.core", 0)`,
      effect: "o.listVolumes()",
      undo: "bare_again()",
    },
  },
});

export const qemuNodeDeviceCalls: Entry[] = group<NodeDevice>({
  object: "NodeDevice",
  driver: "qemu",
  on: { ours: (conn) => conn.lookupNodeDeviceByName("computer"), python: 'conn.nodeDeviceLookupByName("computer")' },
  calls: {
    isActive: "bool(o.isActive())",
    isPersistent: "bool(o.isPersistent())",
  },
});

/** The last one, for it changes who the connection is. */
export const identityCalls: Entry[] = group<Connection>({
  object: "Connection",
  driver: "qemu",
  on: { ours: (conn) => conn, python: "conn" },
  calls: {
    setIdentity: { args: [{ "user-name": "api" }, 0], python: 'o.setIdentity({"user-name": "api"}, 0)' },
  },
});
