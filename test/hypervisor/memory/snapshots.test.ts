import { describe, expect, test } from "vitest";
import type { Connection } from "../../../src/api/index.ts";
import { VirDomainSnapshotListFlags as L } from "../../../src/generated/libvirt/index.ts";
import type { NonnullDomain } from "../../../src/generated/remote/index.ts";
import { FakeClock, guestXml, startGuest, TestHost, UUID, virt } from "../hosts.ts";
import { lifecycleOf } from "./lifecycle.ts";

const DISKS = `<devices>
    <disk type='file' device='disk'><source file='/a'/><target dev='vda'/></disk>
    <disk type='file' device='cdrom'><target dev='hda'/><readonly/></disk>
  </devices>`;

const REDEFINE = 1;
const CURRENT = 2;
const HALT = 8;

function take(connection: Connection, dom: NonnullDomain, inner = "", flags = 0) {
  const xmlDesc = `<domainsnapshot>${inner}</domainsnapshot>`;
  return connection.remote.domainSnapshotCreateXml({ dom, xmlDesc, flags }).then(({ snap }) => snap);
}

/** a, and b on it, and c and d on that; d is current. */
async function family(host: TestHost) {
  const connection = await host.connect();
  const { dom } = await connection.remote.domainDefineXml({ xml: guestXml() });
  const [a, b, c] = await (async () => [
    await take(connection, dom, "<name>a</name>"),
    await take(connection, dom, "<name>b</name>"),
    await take(connection, dom, "<name>c</name>"),
  ])();
  await connection.remote.domainRevertToSnapshot({ snap: b!, flags: 0 });
  const d = await take(connection, dom, "<name>d</name>");
  const { remote } = connection;
  const names = async (flags: number, snap?: { name: string; dom: NonnullDomain }) => {
    const { names } = await (snap === undefined
      ? remote.domainSnapshotListNames({ dom, maxnames: 9, flags })
      : remote.domainSnapshotListChildrenNames({ snap, maxnames: 9, flags }));
    const { num } = await (snap === undefined
      ? remote.domainSnapshotNum({ dom, flags })
      : remote.domainSnapshotNumChildren({ snap, flags }));
    const { snapshots, ret } = await (snap === undefined
      ? remote.domainListAllSnapshots({ dom, needResults: 1, flags })
      : remote.domainSnapshotListAllChildren({ snapshot: snap, needResults: 1, flags }));
    expect([num, ret]).toEqual([names.length, names.length]);
    expect(snapshots.map(({ name }) => name)).toEqual(names);
    return names.join("");
  };
  return { connection, remote, dom, a: a!, b: b!, c: c!, d, names };
}

describe("taking snapshots", () => {
  test("its XML says what the domain was, and what becomes of each disk", async () => {
    const clock = new FakeClock();
    await using host = new TestHost({ clock });
    const connection = await host.connect();
    const dom = await startGuest(connection, { extra: DISKS });
    const snap = await take(connection, dom, "<description>before &amp; after</description>");
    expect(snap.name).toBe("1700000000");
    const { xml } = await connection.remote.domainSnapshotGetXmlDesc({ snap, flags: 0 });
    const [head, domain] = xml.split("  <domain type=");
    expect(head).toBe(`<domainsnapshot>
  <name>1700000000</name>
  <description>before &amp; after</description>
  <state>running</state>
  <creationTime>1700000000</creationTime>
  <memory snapshot='internal'/>
  <disks>
    <disk name='vda' snapshot='internal'/>
    <disk name='hda' snapshot='no'/>
  </disks>
`);
    expect(domain).toMatch(/\n {4}<name>web<\/name>\n(.*\n)+?.*\n {2}<\/domain>\n<\/domainsnapshot>\n$/);
    expect(xml).toContain(`<uuid>${UUID}</uuid>`);
    await expect(take(connection, dom)).rejects.toMatchObject(
      virt(9, "operation failed: domain moment 1700000000 already exists"),
    );
    await connection.remote.domainDestroy({ dom });
    clock.time = 5_000;
    const off = await take(connection, dom);
    expect((await connection.remote.domainSnapshotGetXmlDesc({ snap: off, flags: 1 })).xml).toContain(
      "<state>shutoff</state>\n  <parent>\n    <name>1700000000</name>\n  </parent>\n" +
        "  <creationTime>1700000005</creationTime>\n  <memory snapshot='no'/>",
    );
  });

  test("VIR_DOMAIN_SNAPSHOT_CREATE_HALT stops the guest", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const dom = await startGuest(connection);
    const heard = await lifecycleOf(connection);
    await take(connection, dom, "", HALT);
    expect(await heard(1)).toEqual(["STOPPED FROM_SNAPSHOT"]);
    const { dom: transient } = await connection.remote.domainCreateXml({
      xmlDesc: guestXml({ name: "t", uuid: UUID.replace("6", "7") }),
      flags: 0,
    });
    await expect(take(connection, transient, "", HALT)).rejects.toMatchObject(
      virt(55, "Requested operation is not valid: cannot halt after transient domain snapshot"),
    );
  });

  test.each([
    ["<disks><disk name='vdb'/></disks>", 67, "unsupported configuration: no disk named 'vdb'"],
    ["<disks><disk/></disks>", 1, "internal error: missing name from disk snapshot element"],
    ["<disks><disk name='vda'/><disk name='/a'/></disks>", 67, "unsupported configuration: disk '/a' specified twice"],
    [
      "<disks><disk name='vda' snapshot='external'/></disks>",
      67,
      "unsupported configuration: disk 'vda' must use snapshot mode 'internal'",
    ],
    [
      "<disks><disk name='vda'/><disk name='hda'/><disk name='x'/></disks>",
      67,
      "unsupported configuration: too many disk snapshot requests for domain",
    ],
    ["<memory file='x'/>", 27, "XML error: memory snapshot file path (x) must be absolute"],
    ["<memory snapshot='external'/>", 27, "XML error: external memory snapshots require a filename"],
    ["<memory snapshot='no' file='/x'/>", 27, "XML error: memory filename '/x' requires external snapshot"],
    ["<memory snapshot='manual'/>", 27, "XML error: 'manual' memory snapshot mode not supported"],
    [
      "<disks><disk name='vda' snapshot='manual'/></disks>",
      84,
      "Operation not supported: 'manual' snapshot mode is not supported by the test driver",
    ],
    [
      "<memory file='/x'/><disks><disk name='vda'/></disks>",
      67,
      "unsupported configuration: source for disk 'vda' is not a regular file; refusing to generate external snapshot name",
    ],
  ])("%s is refused", async (inner, code, message) => {
    await using host = new TestHost();
    const connection = await host.connect();
    const dom = await startGuest(connection, { extra: DISKS });
    await expect(take(connection, dom, inner)).rejects.toMatchObject(virt(code, message));
    expect((await connection.remote.domainSnapshotNum({ dom, flags: 0 })).num).toBe(0);
  });

  test("an external snapshot says where it was put", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const dom = await startGuest(connection, { extra: DISKS });
    const snap = await take(
      connection,
      dom,
      "<memory file='/m'/><disks><disk name='/a'><driver type='qcow2'/><source file='/b'/></disk></disks>",
    );
    const { xml } = await connection.remote.domainSnapshotGetXmlDesc({ snap, flags: 0 });
    expect(xml).toContain(`  <memory snapshot='external' file='/m'/>
  <disks>
    <disk name='vda' snapshot='external' type='file'>
      <driver type='qcow2'/>
      <source file='/b'/>
    </disk>
    <disk name='hda' snapshot='no'/>
  </disks>`);
  });

  test("flags that exclude or need each other are refused by name", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const dom = await startGuest(connection);
    await expect(take(connection, dom, "", CURRENT)).rejects.toMatchObject(
      virt(
        8,
        "Flag 'VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE' is required by flag " + "'VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT'",
      ),
    );
    await expect(take(connection, dom, "", REDEFINE | HALT)).rejects.toMatchObject(
      virt(8, /VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE' and 'VIR_DOMAIN_SNAPSHOT_CREATE_HALT' are mutually exclusive$/),
    );
    await expect(take(connection, dom, "", 16)).rejects.toMatchObject(virt(8, /unsupported flags \(0x10\)/));
    await expect(take(connection, dom, "<odd/>", 512)).rejects.toMatchObject({ code: 92 });
    await take(connection, dom, "<name>ok</name>", 512);
  });
});

describe("redefining", () => {
  test("the XML that a snapshot gives makes it again elsewhere", async () => {
    await using host = new TestHost();
    const { connection, remote, dom, a, b, names } = await family(host);
    const texts = await Promise.all(
      ["a", "b", "c", "d"].map(
        async (name) => (await remote.domainSnapshotGetXmlDesc({ snap: { name, dom }, flags: 0 })).xml,
      ),
    );
    await remote.domainSnapshotDelete({ snap: a, flags: 1 });
    expect(await names(0)).toBe("");
    for (const xmlDesc of texts) await remote.domainSnapshotCreateXml({ dom, xmlDesc, flags: REDEFINE });
    expect(await names(L.VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL)).toBe("abcd");
    expect((await remote.domainHasCurrentSnapshot({ dom, flags: 0 })).result).toBe(0);
    await remote.domainSnapshotCreateXml({ dom, xmlDesc: texts[1]!, flags: REDEFINE | CURRENT });
    expect((await remote.domainSnapshotCurrent({ dom, flags: 0 })).snap.name).toBe("b");
    expect((await remote.domainSnapshotIsCurrent({ snap: b, flags: 0 })).current).toBe(1);
    const again = await remote.domainSnapshotGetXmlDesc({ snap: b, flags: 0 });
    expect(again.xml).toBe(texts[1]);
    await connection.close();
  });

  test.each([
    ["", 27, "XML error: a redefined snapshot must have a name"],
    ["<name>x</name>", 1, "internal error: missing creationTime from existing snapshot"],
    ["<name>x</name><creationTime>1</creationTime>", 27, "XML error: missing state from existing snapshot"],
    [
      "<name>x</name><creationTime>1</creationTime><state>nostate</state>",
      67,
      "unsupported configuration: Invalid state 'nostate' in domain snapshot XML",
    ],
    [
      "<name>x</name><creationTime>1</creationTime><state>shutoff</state><memory snapshot='internal'/>",
      27,
      "XML error: memory state cannot be saved with offline or disk-only snapshot",
    ],
    [
      "<name>x</name><creationTime>1</creationTime><state>shutoff</state><parent><name>x</name></parent>",
      8,
      "invalid argument: cannot set moment x as its own parent",
    ],
    [
      "<name>x</name><creationTime>1</creationTime><state>shutoff</state><parent><name>y</name></parent>",
      8,
      "invalid argument: parent y for moment x not found",
    ],
    [
      "<name>a</name><creationTime>1</creationTime><state>shutoff</state><parent><name>c</name></parent>",
      8,
      "invalid argument: parent b would create cycle to a",
    ],
    [
      "<name>a</name><creationTime>1</creationTime><state>running</state>",
      8,
      "invalid argument: cannot change between online and offline snapshot state in snapshot a",
    ],
    [
      "<name>a</name><creationTime>1</creationTime><state>disk-snapshot</state>",
      8,
      "invalid argument: cannot change between disk only and full system in snapshot a",
    ],
    [
      `<name>x</name><creationTime>1</creationTime><state>shutoff</state>${guestXml({ uuid: UUID.replace("6", "7") })}`,
      8,
      `invalid argument: definition for snapshot x must use uuid ${UUID}`,
    ],
    [
      "<name>x</name><creationTime>1</creationTime><state>shutoff</state>",
      1,
      "internal error: missing domain in snapshot",
    ],
  ])("%s is refused", async (inner, code, message) => {
    await using host = new TestHost();
    const { connection, dom, names } = await family(host);
    await expect(take(connection, dom, inner, REDEFINE)).rejects.toMatchObject(virt(code, message));
    expect((await names(0)).length).toBe(4);
  });
});

describe("the tree", () => {
  test("lists by what is above and below", async () => {
    await using host = new TestHost();
    const { a, b, c, names } = await family(host);
    expect(await names(0)).toBe("abcd");
    expect(await names(L.VIR_DOMAIN_SNAPSHOT_LIST_ROOTS)).toBe("a");
    expect(await names(L.VIR_DOMAIN_SNAPSHOT_LIST_LEAVES)).toBe("cd");
    expect(await names(L.VIR_DOMAIN_SNAPSHOT_LIST_NO_LEAVES)).toBe("ab");
    expect(await names(L.VIR_DOMAIN_SNAPSHOT_LIST_METADATA)).toBe("abcd");
    expect(await names(L.VIR_DOMAIN_SNAPSHOT_LIST_NO_METADATA)).toBe("");
    expect(await names(0, a)).toBe("b");
    expect(await names(0, b)).toBe("cd");
    expect(await names(L.VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS, a)).toBe("bcd");
    expect(await names(L.VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS | L.VIR_DOMAIN_SNAPSHOT_LIST_LEAVES, a)).toBe("cd");
    expect(await names(0, c)).toBe("");
  });

  test("lists by the state that the domain was in, and by where the snapshot is", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const { remote } = connection;
    const { dom } = await remote.domainDefineXml({ xml: guestXml({ extra: DISKS }) });
    await take(connection, dom, "<name>off</name>");
    await remote.domainCreate({ dom });
    await take(connection, dom, "<name>on</name>");
    const { xml } = await remote.domainGetXmlDesc({ dom, flags: 2 });
    const disks = "<disks><disk name='vda' snapshot='external'><source file='/x'/></disk></disks>";
    const diskOnly = `<name>disk</name><creationTime>1</creationTime><state>disk-snapshot</state>${disks}${xml}`;
    await take(connection, dom, diskOnly, REDEFINE);
    const names = async (flags: number) =>
      (await remote.domainSnapshotListNames({ dom, maxnames: 9, flags })).names.sort().join();
    expect(await names(L.VIR_DOMAIN_SNAPSHOT_LIST_INACTIVE)).toBe("off");
    expect(await names(L.VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE)).toBe("on");
    expect(await names(L.VIR_DOMAIN_SNAPSHOT_LIST_DISK_ONLY)).toBe("disk");
    expect(await names(L.VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE | L.VIR_DOMAIN_SNAPSHOT_LIST_INACTIVE)).toBe("off,on");
    expect(await names(L.VIR_DOMAIN_SNAPSHOT_LIST_INTERNAL)).toBe("off,on");
    expect(await names(L.VIR_DOMAIN_SNAPSHOT_LIST_EXTERNAL)).toBe("disk");
  });

  test("what was deleted leaves its children to its parent, or takes them along", async () => {
    await using host = new TestHost();
    const { remote, dom, a, b, d, names } = await family(host);
    const parent = async (name: string) =>
      (await remote.domainSnapshotGetParent({ snap: { name, dom }, flags: 0 })).snap.name;
    await remote.domainSnapshotDelete({ snap: b, flags: 0 });
    expect(await names(0, a)).toBe("cd");
    expect(await parent("c")).toBe("a");
    await expect(parent("a")).rejects.toMatchObject(
      virt(72, "Domain snapshot not found: snapshot 'a' does not have a parent"),
    );
    await remote.domainSnapshotDelete({ snap: d, flags: 0 });
    expect((await remote.domainSnapshotCurrent({ dom, flags: 0 })).snap.name).toBe("a");
    await remote.domainSnapshotDelete({ snap: a, flags: 4 });
    expect(await names(0)).toBe("a");
    await expect(remote.domainSnapshotDelete({ snap: a, flags: 1 | 4 })).rejects.toMatchObject({ code: 8 });
    await remote.domainSnapshotDelete({ snap: a, flags: 1 });
    await expect(remote.domainSnapshotCurrent({ dom, flags: 0 })).rejects.toMatchObject(
      virt(72, "Domain snapshot not found: the domain does not have a current snapshot"),
    );
    await expect(remote.domainSnapshotLookupByName({ dom, name: "a", flags: 0 })).rejects.toMatchObject(
      virt(72, "Domain snapshot not found: no domain snapshot with matching name 'a'"),
    );
  });

  test("a domain with snapshots is listed so, and undefined only where that is meant", async () => {
    await using host = new TestHost();
    const { remote, dom } = await family(host);
    const listed = async (flags: number) => (await remote.connectListAllDomains({ needResults: 0, flags })).ret;
    expect([await listed(4096), await listed(8192)]).toEqual([1, 0]);
    await expect(remote.domainUndefine({ dom })).rejects.toMatchObject(
      virt(55, "Requested operation is not valid: cannot delete inactive domain with 4 snapshots"),
    );
    await remote.domainUndefineFlags({ dom, flags: 2 });
    expect(await listed(0)).toBe(0);
  });
});

describe("reverting", () => {
  test.each([
    ["off", "off", 0, [], 5],
    ["off", "running", 0, ["STARTED FROM_SNAPSHOT"], 1],
    ["off", "paused", 0, ["STARTED FROM_SNAPSHOT", "SUSPENDED FROM_SNAPSHOT"], 3],
    ["running", "off", 0, ["STOPPED FROM_SNAPSHOT"], 5],
    ["running", "running", 0, ["STOPPED FROM_SNAPSHOT", "STARTED FROM_SNAPSHOT"], 1],
    ["paused", "paused", 0, ["STOPPED FROM_SNAPSHOT", "STARTED FROM_SNAPSHOT", "SUSPENDED FROM_SNAPSHOT"], 3],
    ["off", "off", 1, ["STARTED FROM_SNAPSHOT"], 1],
    ["off", "running", 2, ["STARTED FROM_SNAPSHOT", "SUSPENDED FROM_SNAPSHOT"], 3],
    ["off", "paused", 1, ["STARTED FROM_SNAPSHOT"], 1],
  ] as const)("from %s to one that was %s, flags %i", async (now, then, flags, events, state) => {
    await using host = new TestHost();
    const connection = await host.connect();
    const { remote } = connection;
    const { dom } = await remote.domainDefineXml({ xml: guestXml() });
    const into = async (what: string) => {
      if ((await remote.domainIsActive({ dom })).active === 1) await remote.domainDestroy({ dom });
      if (what !== "off") await remote.domainCreateWithFlags({ dom, flags: what === "paused" ? 1 : 0 });
    };
    await into(then);
    const snap = await take(connection, dom, "<name>s</name>");
    await into(now);
    const heard = await lifecycleOf(connection);
    await remote.domainRevertToSnapshot({ snap, flags });
    expect(await heard(events.length)).toEqual(events);
    expect((await remote.domainGetState({ dom, flags: 0 })).state).toBe(state);
    expect((await remote.domainSnapshotIsCurrent({ snap, flags: 0 })).current).toBe(1);
  });

  test("one that is deleted while the guest boots is not the current one", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const { remote } = connection;
    const dom = await startGuest(connection);
    const snap = await take(connection, dom);
    await Promise.all([
      remote.domainRevertToSnapshot({ snap, flags: 0 }),
      remote.domainSnapshotDelete({ snap, flags: 0 }),
    ]);
    expect((await remote.domainHasCurrentSnapshot({ dom, flags: 0 })).result).toBe(0);
  });

  test("gives the definition back", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const { remote } = connection;
    const { dom } = await remote.domainDefineXml({ xml: guestXml() });
    const snap = await take(connection, dom);
    await remote.domainDefineXml({ xml: guestXml({ vcpus: 7 }) });
    await remote.domainRevertToSnapshot({ snap, flags: 0 });
    expect((await remote.domainGetInfo({ dom })).nrVirtCpu).toBe(2);
  });

  test("a transient domain stays, or says what it wants to be", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const { remote } = connection;
    const { dom } = await remote.domainCreateXml({ xmlDesc: guestXml(), flags: 0 });
    const snap = await take(connection, dom, "<name>s</name>");
    await remote.domainRevertToSnapshot({ snap, flags: 0 });
    expect((await remote.domainIsPersistent({ dom })).persistent).toBe(0);
    const { xml } = await remote.domainSnapshotGetXmlDesc({ snap, flags: 0 });
    const off = xml
      .replace("<name>s<", "<name>off<")
      .replace("running", "shutoff")
      .replace("snapshot='internal'", "snapshot='no'");
    const { snap: second } = await remote.domainSnapshotCreateXml({ dom, xmlDesc: off, flags: REDEFINE });
    await expect(remote.domainRevertToSnapshot({ snap: second, flags: 0 })).rejects.toMatchObject(
      virt(
        55,
        "Requested operation is not valid: transient domain needs to request run or pause to revert to inactive snapshot",
      ),
    );
    await remote.domainRevertToSnapshot({ snap: second, flags: 2 });
    expect((await remote.domainGetState({ dom, flags: 0 })).state).toBe(3);
    await expect(remote.domainRevertToSnapshot({ snap, flags: 3 })).rejects.toMatchObject(
      virt(8, /mutually exclusive/),
    );
  });
});
