import { describe, expect, test } from "vitest";
import type { Connection } from "../../../src/api/index.ts";
import type { NonnullDomain } from "../../../src/generated/remote/index.ts";
import { FakeClock, startGuest, TestHost, UUID, virt } from "../hosts.ts";

const DISKS = `<devices>
    <disk type='file'><source file='/a'/><target dev='vda'/></disk>
    <disk type='file'><source file='/b'/><target dev='vdb'/></disk>
    <disk type='file' device='cdrom'><target dev='hda'/><readonly/></disk>
  </devices>`;

const REDEFINE = 1;
const NO_DOMAIN = 2;
const SIZE = 4;

async function withGuest(host: TestHost, extra = DISKS) {
  const connection = await host.connect();
  const dom = await startGuest(connection, { extra });
  return { connection, dom, remote: connection.remote };
}

async function make(connection: Connection, dom: NonnullDomain, inner = "", flags = 0) {
  const xmlDesc = `<domaincheckpoint>${inner}</domaincheckpoint>`;
  const { checkpoint } = await connection.remote.domainCheckpointCreateXml({ dom, xmlDesc, flags });
  const { xml } = await connection.remote.domainCheckpointGetXmlDesc({ checkpoint, flags: NO_DOMAIN });
  return { checkpoint, xml };
}

describe("making checkpoints", () => {
  test("without a list, every disk that can be written to has a bitmap of the checkpoint's name", async () => {
    await using host = new TestHost({ clock: new FakeClock() });
    const { connection, dom, remote } = await withGuest(host);
    const { checkpoint, xml } = await make(connection, dom, "<description>nightly</description>");
    expect(xml).toBe(`<domaincheckpoint>
  <name>1700000000</name>
  <description>nightly</description>
  <creationTime>1700000000</creationTime>
  <disks>
    <disk name='vda' checkpoint='bitmap' bitmap='1700000000'/>
    <disk name='vdb' checkpoint='bitmap' bitmap='1700000000'/>
    <disk name='hda' checkpoint='no'/>
  </disks>
</domaincheckpoint>
`);
    const whole = await remote.domainCheckpointGetXmlDesc({ checkpoint, flags: SIZE });
    expect(whole.xml).toContain(`<uuid>${UUID}</uuid>`);
    await remote.domainDestroy({ dom });
    await expect(remote.domainCheckpointGetXmlDesc({ checkpoint, flags: SIZE })).rejects.toMatchObject({ code: 55 });
  });

  test("with a list, only those in it", async () => {
    await using host = new TestHost();
    const { connection, dom } = await withGuest(host);
    const { xml } = await make(connection, dom, "<name>c</name><disks><disk name='/b' bitmap='mine'/></disks>");
    expect(xml).toContain(`  <disks>
    <disk name='vda' checkpoint='no'/>
    <disk name='vdb' checkpoint='bitmap' bitmap='mine'/>
    <disk name='hda' checkpoint='no'/>
  </disks>`);
  });

  test.each([
    ["<disks><disk name='hda'/></disks>", 67, "unsupported configuration: disk 'hda' is empty or readonly"],
    ["<disks><disk name='x'/></disks>", 67, "unsupported configuration: no disk named 'x'"],
    [
      "<disks><disk name='vda'/><disk name='vda'/></disks>",
      67,
      "unsupported configuration: disk 'vda' specified twice",
    ],
    ["<state>running</state>", 92, /^XML document failed to validate against schema: /],
    ["<disks><disk name='vda' checkpoint='odd'/></disks>", 92, /^XML document failed to validate/],
  ])("%s is refused", async (inner, code, message) => {
    await using host = new TestHost();
    const { connection, dom } = await withGuest(host);
    await expect(make(connection, dom, inner)).rejects.toMatchObject(virt(code, message));
  });

  test("needs a guest with a disk, and no snapshots; snapshots need no checkpoints", async () => {
    await using host = new TestHost();
    const { connection, dom, remote } = await withGuest(host, "");
    await expect(make(connection, dom)).rejects.toMatchObject(
      virt(67, "unsupported configuration: domain must have at least one disk to perform checkpoints"),
    );
    const { snap } = await remote.domainSnapshotCreateXml({ dom, xmlDesc: "<domainsnapshot/>", flags: 0 });
    await expect(make(connection, dom)).rejects.toMatchObject(
      virt(84, "Operation not supported: cannot create checkpoint while snapshot exists"),
    );
    await remote.domainSnapshotDelete({ snap, flags: 0 });
    await remote.domainDestroy({ dom });
    await expect(make(connection, dom)).rejects.toMatchObject(
      virt(84, "Operation not supported: cannot create checkpoint for inactive domain"),
    );
  });

  test("keep snapshots from being taken", async () => {
    await using host = new TestHost();
    const { connection, dom, remote } = await withGuest(host);
    await make(connection, dom);
    await expect(remote.domainSnapshotCreateXml({ dom, xmlDesc: "<domainsnapshot/>", flags: 0 })).rejects.toMatchObject(
      virt(84, "Operation not supported: cannot create snapshot while checkpoint exists"),
    );
  });
});

describe("the tree", () => {
  test("grows, is listed and is cut", async () => {
    await using host = new TestHost();
    const { connection, dom, remote } = await withGuest(host);
    const [a, b, c] = [
      await make(connection, dom, "<name>a</name>"),
      await make(connection, dom, "<name>b</name>"),
      await make(connection, dom, "<name>c</name>"),
    ];
    const names = async (flags: number) => {
      const { checkpoints, ret } = await remote.domainListAllCheckpoints({ dom, needResults: 1, flags });
      expect(ret).toBe(checkpoints.length);
      return checkpoints.map(({ name }) => name).join("");
    };
    const below = async (flags: number) => {
      const found = await remote.domainCheckpointListAllChildren({ checkpoint: a.checkpoint, needResults: 1, flags });
      return found.checkpoints.map(({ name }) => name).join("");
    };
    expect([await names(0), await names(1), await names(4), await names(8)]).toEqual(["abc", "a", "c", "ab"]);
    expect([await below(0), await below(1)]).toEqual(["b", "bc"]);
    const { parent } = await remote.domainCheckpointGetParent({ checkpoint: c.checkpoint, flags: 0 });
    expect(parent.name).toBe("b");
    await expect(remote.domainCheckpointGetParent({ checkpoint: a.checkpoint, flags: 0 })).rejects.toMatchObject(
      virt(103, "Domain checkpoint not found: checkpoint 'a' does not have a parent"),
    );
    await remote.domainCheckpointDelete({ checkpoint: b.checkpoint, flags: 0 });
    expect(await below(0)).toBe("c");
    await remote.domainCheckpointDelete({ checkpoint: a.checkpoint, flags: 4 });
    expect(await names(0)).toBe("a");
    expect((await make(connection, dom, "<name>d</name>")).xml).toContain("<parent>\n    <name>a</name>");
    await remote.domainCheckpointDelete({ checkpoint: a.checkpoint, flags: 1 });
    expect(await names(0)).toBe("");
    await expect(remote.domainCheckpointLookupByName({ dom, name: "a", flags: 0 })).rejects.toMatchObject(
      virt(103, "Domain checkpoint not found: no domain checkpoint with matching name 'a'"),
    );
  });

  test("is made again from its XML", async () => {
    await using host = new TestHost();
    const { connection, dom, remote } = await withGuest(host);
    const texts: string[] = [];
    for (const name of ["a", "b"]) {
      const { checkpoint } = await make(connection, dom, `<name>${name}</name>`);
      texts.push((await remote.domainCheckpointGetXmlDesc({ checkpoint, flags: 0 })).xml);
    }
    const { checkpoint } = await remote.domainCheckpointLookupByName({ dom, name: "a", flags: 0 });
    await remote.domainCheckpointDelete({ checkpoint, flags: 1 });
    await expect(remote.domainCheckpointCreateXml({ dom, xmlDesc: texts[1]!, flags: REDEFINE })).rejects.toMatchObject(
      virt(8, "invalid argument: parent a for moment b not found"),
    );
    for (const xmlDesc of texts) await remote.domainCheckpointCreateXml({ dom, xmlDesc, flags: REDEFINE });
    const again = await remote.domainCheckpointGetXmlDesc({ checkpoint: { ...checkpoint, name: "b" }, flags: 0 });
    expect(again.xml).toBe(texts[1]);
    expect((await make(connection, dom, "<name>c</name>")).xml).toContain("<parent>\n    <name>b</name>");
  });

  test("flags that exclude or need each other are refused by name", async () => {
    await using host = new TestHost();
    const { connection, dom } = await withGuest(host);
    await expect(make(connection, dom, "", 3)).rejects.toMatchObject(virt(8, /REDEFINE' and .*QUIESCE' are mutually/));
    await expect(make(connection, dom, "", 4)).rejects.toMatchObject(
      virt(8, /REDEFINE' is required by flag 'VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE'$/),
    );
  });
});
