/**
 * Events of real libvirtd. libvirt's Python binding listens to the same daemon and has to hear the same, in the same
 * order.
 */
import { connect as connectSocket } from "node:net";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { domainEvents } from "../../src/api/events/domain-events.ts";
import type { DomainEvents } from "../../src/api/index.ts";
import * as api from "../../src/api/index.ts";
import { VirDomainEventID, VirDomainEventType } from "../../src/generated/libvirt/index.ts";
import { Lab, labObstacle } from "../lab/lab.ts";
import { canonical, type Driver, Reference } from "./api.ts";
import { writeResults } from "./api-report.ts";
import { testSetup } from "./api-table.ts";
import { qemuSetup } from "./api-table-qemu.ts";
import { part } from "./part.ts";
import { setupPython } from "./python.ts";

type Listen = (conn: api.Connection) => Promise<AsyncIterableIterator<object> & { close(): Promise<void> }>;

/** Something that happens, and what is told of it. */
interface Scene {
  readonly driver: Driver;
  readonly name: string;
  /** Our listener. */
  readonly listen: Listen;
  /** Theirs: what the events are of, their number, and what the callback gets besides the object, by our names. */
  readonly what: string;
  readonly which: number;
  readonly fields: string;
  /** Python that makes it happen. */
  readonly provoke: string;
  /** How many events there are at least. */
  readonly least: number;
}

const domain = (
  driver: Driver,
  name: keyof DomainEvents,
  fields: string,
  least: number,
  provoke: string,
  which = number(name),
): Scene => ({
  driver,
  name,
  listen: (conn) => conn.domainEvents(name),
  what: "domain",
  which,
  fields,
  provoke,
  least,
});

/** `blockJob2` is VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2. */
function number(name: string): number {
  const constant = name.replace(/[A-Z]|\d/g, (at) => `_${at}`).toUpperCase();
  const found = Object.entries(VirDomainEventID).find(([each]) => each === `VIR_DOMAIN_EVENT_ID_${constant}`);
  if (found === undefined) throw new Error(`no event ${name}`);
  return found[1];
}

const made = (type: string) =>
  `<domain type='${type}'><name>made</name><uuid>20840000-1111-4222-8333-444455556666</uuid><memory>4096</memory><os><type>hvm</type></os></domain>`;
const tablet = "<input type='tablet' bus='usb'><alias name='ua-tablet'/></input>";
const media = (source: string): string =>
  `<disk type='file' device='cdrom'>${source}<target dev='hdc' bus='ide'/><readonly/></disk>`;

const scenes: Scene[] = [
  domain(
    "test",
    "lifecycle",
    "event detail",
    7,
    `
d = conn.defineXML("""${made("test")}""")
d.create()
d.suspend()
d.resume()
d.shutdown()
d.create()
d.destroy()
d.undefine()`,
  ),
  domain(
    "test",
    "metadataChange",
    "type nsuri",
    3,
    `
d = conn.lookupByName("api")
d.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "a title", None, None, 0)
d.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<a/>", "x", "http://api.example/1", 0)
d.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, None, "x", "http://api.example/1", 0)`,
  ),
  {
    driver: "test",
    name: "network lifecycle",
    listen: (conn) => conn.networkEvents("lifecycle"),
    what: "network",
    which: 0,
    fields: "event detail",
    least: 4,
    provoke: `
n = conn.networkDefineXML("<network><name>made</name><bridge name='apibr1'/></network>")
n.create()
n.destroy()
n.undefine()`,
  },
  {
    driver: "test",
    name: "storage pool lifecycle",
    listen: (conn) => conn.storagePoolEvents("lifecycle"),
    what: "storagePool",
    which: 0,
    fields: "event detail",
    least: 4,
    provoke: `
p = conn.storagePoolDefineXML("<pool type='dir'><name>made</name><target><path>/made</path></target></pool>")
p.create()
p.destroy()
p.undefine()`,
  },
  {
    driver: "test",
    name: "storage pool refresh",
    listen: (conn) => conn.storagePoolEvents("refresh"),
    what: "storagePool",
    which: 1,
    fields: "",
    least: 1,
    provoke: 'conn.storagePoolLookupByName("default-pool").refresh()',
  },
  {
    driver: "test",
    name: "node device lifecycle",
    listen: (conn) => conn.nodeDeviceEvents("lifecycle"),
    what: "nodeDevice",
    which: 0,
    fields: "event detail",
    least: 2,
    provoke: `
conn.nodeDeviceCreateXML("""<device><parent>scsi_host1</parent><capability type='scsi_host'><capability type='fc_host'>
  <wwnn>2000000084000001</wwnn><wwpn>1000000084000001</wwpn></capability></capability></device>""", 0).destroy()`,
  },
  {
    driver: "qemu",
    name: "network lifecycle",
    listen: (conn) => conn.networkEvents("lifecycle"),
    what: "network",
    which: 0,
    fields: "event detail",
    least: 2,
    provoke: `conn.networkDefineXML("<network><name>made</name><bridge name='apibr1'/></network>").undefine()`,
  },
  {
    driver: "qemu",
    name: "secret lifecycle",
    listen: (conn) => conn.secretEvents("lifecycle"),
    what: "secret",
    which: 0,
    fields: "event detail",
    least: 2,
    provoke: `conn.secretDefineXML("<secret ephemeral='yes'><usage type='iscsi'><target>t</target></usage></secret>").undefine()`,
  },
  {
    driver: "qemu",
    name: "secret value",
    listen: (conn) => conn.secretEvents("valueChanged"),
    what: "secret",
    which: 1,
    fields: "",
    least: 1,
    provoke: `
s = conn.secretDefineXML("<secret ephemeral='yes'><usage type='iscsi'><target>t</target></usage></secret>")
s.setValue(b"1", 0)
s.undefine()`,
  },
  {
    driver: "qemu",
    name: "storage pool refresh",
    listen: (conn) => conn.storagePoolEvents("refresh"),
    what: "storagePool",
    which: 1,
    fields: "",
    least: 2,
    provoke: "pool.refresh()\npool.refresh()",
  },
  {
    driver: "qemu",
    name: "QEMU's monitor",
    listen: (conn) => conn.qemuMonitorEvents(),
    what: "qemuMonitor",
    which: 0,
    fields: "event seconds micros details",
    least: 2,
    provoke: 'conn.lookupByName("api").suspend()\nconn.lookupByName("api").resume()',
  },
  domain(
    "qemu",
    "lifecycle",
    "event detail",
    4,
    'd = conn.lookupByName("bare")\nd.suspend()\nd.resume()\nd.destroy()\nd.create()',
  ),
  domain("qemu", "reboot", "", 1, 'conn.lookupByName("api").reset()'),
  domain("qemu", "deviceAdded", "devAlias", 1, `conn.lookupByName("api").attachDevice("""${tablet}""")`),
  domain("qemu", "deviceRemoved", "devAlias", 1, `conn.lookupByName("api").detachDevice("""${tablet}""")`),
  domain(
    "qemu",
    "tunable",
    "params",
    2,
    `
conn.lookupByName("api").setBlockIoTune("vda", {"total_bytes_sec": 1000000}, 1)
conn.lookupByName("api").setBlockIoTune("vda", {"total_bytes_sec": 0}, 1)`,
  ),
  domain("qemu", "blockJob", "path type status", 2, "copy()\nend_copy()"),
  domain("qemu", "blockJob2", "dst type status", 2, "copy()\nend_copy()"),
  domain("qemu", "jobCompleted", "params", 1, "backup()\nend_backup()"),
  domain(
    "qemu",
    "trayChange",
    "devAlias reason",
    1,
    `conn.lookupByName("odd").updateDeviceFlags("""${media("")}""", 1)`,
  ),
  domain("qemu", "agentLifecycle", "state reason", 1, 'd = conn.lookupByName("odd")\nd.destroy()\nd.create()'),
  // What a system would write to its devices is written from outside.
  domain("qemu", "rtcChange", "offset", 1, 'hmp("o /b 0x70 2")\nhmp("o /b 0x71 0x30")'),
  domain(
    "qemu",
    "pmsuspendDisk",
    "reason",
    1,
    `
hmp("o /w 0x604 0x2800")
wait(lambda: not conn.lookupByName("odd").isActive())
conn.lookupByName("odd").create()`,
  ),
  domain("qemu", "pmsuspend", "reason", 1, 'hmp("o /w 0x604 0x2400")\nwait(asleep)'),
  domain("qemu", "pmwakeup", "reason", 1, 'conn.lookupByName("odd").pMWakeup(0)\nwait(lambda: not asleep())'),
  domain(
    "qemu",
    "blockThreshold",
    "dev path threshold excess",
    2,
    `
conn.lookupByName("api").setBlockThreshold("vdb", 1000000, 0)
libvirt_qemu.qemuMonitorCommand(conn.lookupByName("api"), 'qemu-io -d /machine/peripheral/virtio-disk1/virtio-backend "write 2M 4k"', 1)`,
  ),
  domain(
    "qemu",
    "diskChange",
    "oldSrcPath newSrcPath devAlias reason",
    1,
    `
d = conn.createXML("""<domain type='qemu'><name>made</name><memory>4096</memory><os><type arch='x86_64'>hvm</type></os><devices>
  <emulator>/usr/bin/qemu-system-x86_64</emulator><disk type='file' device='cdrom'>
  <source file='/var/lib/libvirt/images/nowhere.iso' startupPolicy='optional'/><target dev='hda' bus='ide'/></disk></devices></domain>""")
d.destroy()`,
  ),
  domain(
    "qemu",
    "metadataChange",
    "type nsuri",
    1,
    'conn.lookupByName("api").setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, "text", None, None, 0)',
  ),
  domain(
    "qemu",
    "migrationIteration",
    "iteration",
    1,
    'conn.lookupByName("bare").migrateToURI3("qemu+tcp://beta/system", {}, libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER)',
  ),
];

/** Kinds that nothing here makes happen, and why. */
const silent: Readonly<Record<string, string>> = {
  watchdog: "needs a system in the guest that stops feeding it",
  ioError: "needs a disk that fails",
  ioErrorReason: "needs a disk that fails",
  controlError: "needs a monitor that talks nonsense",
  graphics: "has a test of its own, below",
  balloonChange: "needs a driver in the guest",
  deviceRemovalFailed: "needs a driver in the guest that refuses",
  memoryFailure: "needs memory that fails",
  memoryDeviceSizeChange: "needs a driver in the guest",
  nicMacChange: "is younger than libvirt 9.0.0",
};

test("every kind of event of guests is made to happen, or it is said why not", () => {
  const known = Object.keys(domainEvents);
  const made = scenes.filter(({ what }) => what === "domain").map(({ name }) => name);
  expect([...new Set([...made, ...Object.keys(silent)])].toSorted()).toEqual(known.toSorted());
});

/** A guest without a system that has a CD, a channel for an agent and a screen, and can sleep. */
const oddGuest = `
def hmp(line):
    return libvirt_qemu.qemuMonitorCommand(conn.lookupByName("odd"), line, libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP)


def asleep():
    return conn.lookupByName("odd").state()[0] == libvirt.VIR_DOMAIN_PMSUSPENDED


pool.createXML("<volume><name>apicd.iso</name><capacity>1048576</capacity></volume>")
conn.defineXML("""<domain type='qemu'><name>odd</name><memory>16384</memory>
  <os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os><features><acpi/></features>
  <pm><suspend-to-mem enabled='yes'/><suspend-to-disk enabled='yes'/></pm><devices>
  <emulator>/usr/bin/qemu-system-x86_64</emulator>
  ${media("<source file='/var/lib/libvirt/images/apicd.iso'/>")}
  <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
  <graphics type='vnc' socket='/run/libvirt/odd.vnc'/></devices></domain>""").create()
`;

part("events of libvirtd", labObstacle(), () => {
  let lab: Lab;
  let reference: Reference;
  let socket: string;
  const connections = {} as Record<Driver, api.Connection>;
  let passed = 0;

  beforeAll(async () => {
    await setupPython();
    lab = await Lab.up({ hosts: ["alpha", "beta"], tag: "vk", net: "10.84.0" });
    await lab.guest("alpha", "api", "--no-start", "--video");
    await lab.guest("alpha", "bare", "--bare", "--mem", "4", "--no-start");
    ({ unix: socket } = await lab.host("alpha"));
    const uris = { test: `test+unix:///default?socket=${socket}`, qemu: `qemu+unix:///system?socket=${socket}` };
    reference = await Reference.start(uris);
    connections.test = await api.connect(uris.test);
    connections.qemu = await api.connect(uris.qemu);
    await reference.value("test", testSetup);
    await reference.value("qemu", qemuSetup);
    await reference.value("qemu", oddGuest);
  });
  afterAll(async () => {
    await Promise.allSettled(Object.values(connections).map((conn) => conn.close()));
    await reference?.[Symbol.asyncDispose]();
    await lab?.down();
  });

  /** Notes all that a stream has. */
  async function follow(listen: Listen, conn: api.Connection): Promise<{ seen: unknown[]; close(): Promise<void> }> {
    const stream = await listen(conn);
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const event of stream) {
        const { kind, ...rest } = event as { kind: string } & Record<string, unknown>;
        seen.push(canonical(rest));
      }
    })();
    reading.catch(() => {}); // told by close
    return {
      seen,
      close: async () => {
        await stream.close();
        await reading;
      },
    };
  }

  /** What Python has heard when it has heard enough and there is no more to come. */
  async function theirs({ driver, least }: Pick<Scene, "driver" | "least">): Promise<unknown[]> {
    const enough = `
deadline = time.monotonic() + 60
while len(heard) < ${least} and time.monotonic() < deadline:
    time.sleep(0.02)
before = -1
while before != len(heard):
    before = len(heard)
    time.sleep(0.3)
Raw(heard)`;
    return (await reference.value(driver, enough)) as unknown[];
  }

  const named = scenes.map((scene) => [`${scene.driver}: ${scene.name}`, scene] as const);
  test.each(named)("%s, as Python hears it", async (_, scene) => {
    const { driver, listen, what, which, fields, provoke, least } = scene;
    const object = what === "qemuMonitor" ? "domain" : what;
    const ours = await follow(listen, connections[driver]);
    await reference.value(driver, `heard = watch(conn, "${what}", ${which}, "${fields}", "${object}")`);
    await reference.value(driver, provoke);
    const heard = await theirs(scene);
    expect(heard.length).toBeGreaterThanOrEqual(least);
    await expect.poll(() => ours.seen, { timeout: 30_000 }).toEqual(heard);
    await ours.close();
    passed++;
  });

  test("qemu: graphics, a viewer that comes and goes", async () => {
    const ours = await follow((conn) => conn.domainEvents("graphics"), connections.qemu);
    await reference.value(
      "qemu",
      `heard = watch(conn, "domain", ${VirDomainEventID.VIR_DOMAIN_EVENT_ID_GRAPHICS}, "phase local remote authScheme subject", "domain")`,
    );
    const viewer = connectSocket(join(dirname(socket), "odd.vnc"));
    await new Promise((resolve, reject) => viewer.once("data", resolve).once("error", reject));
    viewer.destroy();
    const heard = await theirs({ driver: "qemu", least: 2 });
    expect(heard.length).toBeGreaterThanOrEqual(2);
    await expect.poll(() => ours.seen, { timeout: 30_000 }).toEqual(heard);
    await ours.close();
  });

  describe("registration", () => {
    const define = `conn.defineXML("""${made("test")}""").undefine()`;

    test("1,000 events one after the other: none is missing, none is out of order", async () => {
      const ours = await follow((conn) => conn.domainEvents("lifecycle", { buffer: 1000 }), connections.test);
      await reference.value("test", 'heard = watch(conn, "domain", 0, "event detail", "domain")');
      await reference.value("test", `for _ in range(500):\n    ${define}`);
      const heard = await theirs({ driver: "test", least: 1000 });
      expect(heard).toHaveLength(1000);
      await expect.poll(() => ours.seen.length, { timeout: 60_000 }).toBe(1000);
      expect(ours.seen).toEqual(heard);
      await ours.close();
    });

    test("the first event after it is heard, a hundred times", async () => {
      const conn = connections.test;
      for (let round = 0; round < 100; round++) {
        const stream = await conn.domainEvents("lifecycle");
        const guest = await conn.defineXML(made("test"));
        const { value } = await stream.next();
        expect(value).toMatchObject({ kind: "lifecycle", event: VirDomainEventType.VIR_DOMAIN_EVENT_DEFINED });
        await stream.close();
        await guest.undefine();
      }
    });

    test("with events under way: from the first on, each is there", async () => {
      const conn = connections.test;
      const busy = reference.value("test", `for _ in range(300):\n    ${define}`);
      for (let round = 0; round < 20; round++) {
        const stream = await conn.domainEvents("lifecycle");
        const guest = await conn.defineXML(made("test").replaceAll("made", "mine").replace("20840000", "50840000"));
        await guest.undefine();
        // Defined and undefined take turns for each guest, however much there was meanwhile.
        const mine: number[] = [];
        for await (const event of stream) {
          if (event.kind === "gap") throw new Error("a gap");
          if (event.domain.getName() === "mine") mine.push(event.event);
          if (mine.length === 2) break;
        }
        expect(mine).toEqual([
          VirDomainEventType.VIR_DOMAIN_EVENT_DEFINED,
          VirDomainEventType.VIR_DOMAIN_EVENT_UNDEFINED,
        ]);
      }
      await busy;
    });

    test("two listeners hear the same; one that left hears nothing, the other one still does", async () => {
      const listen: Listen = (conn) => conn.domainEvents("lifecycle");
      const [first, second] = [await follow(listen, connections.test), await follow(listen, connections.test)];
      await reference.value("test", define);
      await expect.poll(() => [first.seen.length, second.seen.length], { timeout: 30_000 }).toEqual([2, 2]);
      expect(first.seen).toEqual(second.seen);
      await first.close();
      await reference.value("test", define);
      await expect.poll(() => second.seen.length, { timeout: 30_000 }).toBe(4);
      expect(first.seen).toHaveLength(2);
      await second.close();
    });

    test("of one guest only, next to all", async () => {
      const conn = connections.test;
      const guest = await conn.lookupDomainByName("api");
      const one = await follow((at) => at.domainEvents("lifecycle", { domain: guest }), conn);
      const all = await follow((at) => at.domainEvents("lifecycle"), conn);
      await reference.value("test", `${define}\nconn.lookupByName("api").suspend()\nconn.lookupByName("api").resume()`);
      await expect.poll(() => [one.seen.length, all.seen.length], { timeout: 30_000 }).toEqual([2, 4]);
      expect(one.seen).toEqual(all.seen.slice(2));
      await Promise.all([one.close(), all.close()]);
    });

    test("listeners by the C API's functions, and taken back", async () => {
      const conn = connections.test;
      const seen: unknown[] = [];
      const id = await conn.domainEventRegisterAny(null, "lifecycle", (event) => void seen.push(event));
      const pool = await conn.storagePoolEventRegisterAny(null, "refresh", (event) => void seen.push(event));
      await reference.value("test", `${define}\nconn.storagePoolLookupByName("default-pool").refresh()`);
      await expect.poll(() => seen.length, { timeout: 30_000 }).toBe(3);
      await conn.domainEventDeregisterAny(id);
      await conn.storagePoolEventDeregisterAny(pool);
      const after = await follow((at) => at.domainEvents("lifecycle"), conn);
      await reference.value("test", `${define}\nconn.storagePoolLookupByName("default-pool").refresh()`);
      await expect.poll(() => after.seen.length, { timeout: 30_000 }).toBe(2);
      expect(seen).toHaveLength(3);
      await after.close();
    });

    test("what was compared is noted for the table of coverage", async () => {
      expect(passed).toBe(scenes.length);
      const objects = ["Domain", "Network", "StoragePool", "NodeDevice", "Secret"].map(
        (object) => `virConnect${object}Event`,
      );
      const functions = [
        ...objects.flatMap((object) => [`${object}RegisterAny`, `${object}DeregisterAny`]),
        "virConnectDomainQemuMonitorEventRegister",
        "virConnectDomainQemuMonitorEventDeregister",
      ];
      await writeResults(functions, Object.fromEntries(functions.map((name) => [name, "same events"])));
    });

    test("when the daemon goes: the stream ends with the error, the close callback is told", async () => {
      const conn = await api.connect(`test+unix:///default?socket=${socket}`);
      let reason: number | undefined;
      await conn.registerCloseCallback((given) => {
        reason = given;
      });
      const stream = await conn.domainEvents("lifecycle");
      const next = stream.next();
      next.catch(() => {}); // looked at below
      await lab.command("daemon", "alpha", "kill");
      await expect(next).rejects.toMatchObject({ name: "TransportError" });
      expect(reason).toBe(1); // VIR_CONNECT_CLOSE_REASON_EOF
      await conn.close();
    });
  });
});
