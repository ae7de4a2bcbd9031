import { describe, expect, test } from "vitest";
import type { NonnullDomain, TypedParam } from "../../../src/generated/remote/index.ts";
import { iothreadIds, writeIothreadIds } from "../../../src/hypervisor/memory/domain/iothread-ids.ts";
import { vcpuPins } from "../../../src/hypervisor/memory/domain/pinning.ts";
import { parseXml, removeAll, serialize } from "../../../src/hypervisor/memory/xml.ts";
import { guestXml, startGuest, TestHost, virt } from "../hosts.ts";

const LIVE = 1;
const CONFIG = 2;
const parse = (xml: string) => parseXml(xml, "domain_definition");

describe("what would hold up everybody else is refused", () => {
  test("levels that never end, before the parser sees them", async () => {
    await using host = new TestHost();
    const { remote } = await host.connect();
    const define = (extra: string) => remote.domainDefineXml({ xml: guestXml({ extra }) });
    await expect(define("<a b='>'>".repeat(300))).rejects.toMatchObject(virt(27, /nested more than 256 deep$/));
    await define("<a b='/>'/>".repeat(300) + "<!-- <a> --><![CDATA[<a>]]>".repeat(300));
  });

  test("more interfaces than can be listed", async () => {
    await using host = new TestHost();
    const { remote } = await host.connect();
    const extra = `<devices>${"<interface/>".repeat(2049)}</devices>`;
    await expect(remote.domainDefineXml({ xml: guestXml({ extra }) })).rejects.toMatchObject(
      virt(27, "XML error: a domain has at most 2048 interfaces"),
    );
  });

  test("a device that is long, or like too many", async () => {
    await using host = new TestHost();
    const { remote } = await host.connect();
    const extra = `<devices><hostdev>${"<a/>".repeat(2000)}<b/></hostdev></devices>`;
    const { dom } = await remote.domainDefineXml({ xml: guestXml({ extra }) });
    const detach = (inside: string) =>
      remote.domainDetachDeviceFlags({ dom, xml: `<hostdev>${inside}</hostdev>`, flags: CONFIG });
    await expect(detach("<b/>".repeat(5000))).rejects.toMatchObject(virt(27, /16384 at most$/));
    await expect(detach("<b/>".repeat(1000))).rejects.toMatchObject(virt(27, /too many elements to compare$/));
    await detach("<b/>");
  });

  test("free pages of billions of cells", async () => {
    await using host = new TestHost();
    const { remote } = await host.connect();
    const free = (pages: number[], startCell: number, cellCount: number) =>
      remote.nodeGetFreePages({ pages, startCell, cellCount, flags: 0 });
    await expect(free([], 0, 0xffff_ffff)).rejects.toMatchObject(virt(8, /too many pages asked for$/));
    await expect(free([4], -1, 1)).rejects.toMatchObject({ code: 1 });
    const { counts } = await free([4, 2048], 0, 1);
    expect(counts[0]).toBeGreaterThan(0n);
    expect(counts[1]).toBe(0n);
  });

  test("statistics that no message holds", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const doms: NonnullDomain[] = [];
    for (let at = 0; at < 40; at++) {
      const uuid = `6695eb01-f6a4-8304-79aa-${String(at).padStart(12, "0")}`;
      doms.push(
        await startGuest(connection, { name: `g${at}`, uuid, memory: "<memory unit='KiB'>4</memory>", vcpus: 16384 }),
      );
    }
    const stats = (asked: NonnullDomain[]) =>
      connection.remote.connectGetAllDomainStats({ doms: asked, stats: 8, flags: 0 });
    await expect(stats(doms)).rejects.toMatchObject(virt(39, /Unable to encode message payload$/));
    expect((await stats(doms.slice(0, 1))).retStats[0]?.params.length).toBe(2 + 2 * 16384);
  });
});

test("a definition that could not be read again is refused, and what was stays", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const long = guestXml({ extra: `<description>${">".repeat(200_000)}</description>` });
  await expect(remote.domainDefineXml({ xml: long })).rejects.toMatchObject(virt(27, /at most$/));
  const { dom } = await remote.domainDefineXml({ xml: guestXml() });
  const set = (metadata: string) =>
    remote.domainSetMetadata({ dom, type: 2, metadata, key: "k", uri: "u", flags: CONFIG });
  const deep = (levels: number) => "<a>".repeat(levels) + "</a>".repeat(levels);
  await expect(set(deep(255))).rejects.toMatchObject(virt(27, /nested more than 256 deep$/));
  await expect(set(`<a>${"x".repeat(262_000)}</a>`)).rejects.toMatchObject(virt(27, /at most$/));
  await set(deep(254));
  await remote.domainSetMetadata({ dom, type: 1, metadata: "still here", key: null, uri: null, flags: CONFIG });
});

test.each([
  ["xml", "u"],
  ["xmlns", "u"],
  ["k", ""],
  ["k", "http://www.w3.org/2000/xmlns/"],
  ["k", "http://www.w3.org/XML/1998/namespace"],
])("metadata under a prefix that nobody can have: %s, %s", async (key, uri) => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const { dom } = await remote.domainDefineXml({ xml: guestXml() });
  await expect(
    remote.domainSetMetadata({ dom, type: 2, metadata: "<a/>", key, uri, flags: CONFIG }),
  ).rejects.toMatchObject(virt(1, "internal error: failed to create a new XML namespace"));
});

test("many elements are taken out with the lines that they stood on", () => {
  const root = parse("<d>\n  <m>\n    <a/>\n    <!-- b --><b/>\n    <a>1</a>\n  </m>\n</d>");
  const list = root.getElementsByTagName("m").item(0)!;
  removeAll(list, new Set(root.getElementsByTagName("a")));
  expect(serialize(root)).toBe("<d>\n  <m>\n    <!-- b --><b/>\n  </m>\n</d>\n");
});

test("pins: the first of several counts, and what has none goes where all may", () => {
  const pins = "<vcpupin vcpu='1' cpuset='0-2,^1'/><vcpupin vcpu='1' cpuset='7'/>";
  const pinned = vcpuPins(parse(`<domain><vcpu cpuset='5,4'>3</vcpu><cputune>${pins}</cputune></domain>`));
  expect([0, 1, 2].map(pinned)).toEqual([
    [4, 5],
    [0, 2],
    [4, 5],
  ]);
});

test("I/O threads: ids that no number of the protocol is, and what is said of one that stays", () => {
  const named =
    "<iothread id='4294967296'/><iothread id='1e1'/><iothread id='0'/><iothread id='7' thread_pool_max='2'/>";
  const root = parse(`<domain><name>a</name><iothreads>2</iothreads><iothreadids>${named}</iothreadids></domain>`);
  expect(iothreadIds(root)).toEqual([7, 1]);
  writeIothreadIds(root, [7, 9]);
  expect(iothreadIds(root)).toEqual([7, 9]);
  expect(serialize(root)).toMatch(
    /<iothread id='7' thread_pool_max='2'\/>\n {4}<iothread id='9'\/>\n {2}<\/iothreadids>/,
  );
  writeIothreadIds(root, []);
  expect(serialize(root)).toBe("<domain><name>a</name></domain>\n");
});

test("two interfaces of one MAC address are told apart by their names", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const net = (name: string) => `<interface><mac address='52:54:00:00:00:01'/><target dev='${name}'/></interface>`;
  const extra = `<devices>${net("a")}${net("b")}</devices>`;
  const { dom } = await remote.domainDefineXml({ xml: guestXml({ extra }) });
  const params: TypedParam[] = [{ field: "inbound.average", value: { type: 2, value: 5 } }];
  await remote.domainSetInterfaceParameters({ dom, device: "b", params, flags: CONFIG });
  const average = async (device: string) =>
    (await remote.domainGetInterfaceParameters({ dom, device, nparams: 7, flags: CONFIG })).params[0]?.value.value;
  expect([await average("a"), await average("b")]).toEqual([0, 5]);
});

test("a device that comes gets an alias that none has", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const dom = await startGuest(connection, { extra: "<devices/>" });
  const disk = (dev: string) => `<disk><source file='/${dev}'/><target dev='${dev}'/></disk>`;
  for (const dev of ["vda", "vdb"]) await remote.domainAttachDevice({ dom, xml: disk(dev) });
  await remote.domainDetachDevice({ dom, xml: disk("vda") });
  await remote.domainAttachDevice({ dom, xml: disk("vdc") });
  const { xml } = await remote.domainGetXmlDesc({ dom, flags: 0 });
  const aliases = [...xml.matchAll(/alias name='([^']*)'/g)].map(([, alias]) => alias);
  expect(aliases).toEqual(["virtio-disk1", "virtio-disk2"]);
});

test("processors that were taken away are not missing twice", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const dom = await startGuest(connection, { vcpus: 4 });
  await remote.domainSetGuestVcpus({ dom, cpumap: "3", state: 0, flags: 0 });
  await remote.domainSetVcpus({ dom, nvcpus: 2 });
  expect(await remote.domainGetVcpusFlags({ dom, flags: 8 | LIVE })).toEqual({ num: 2 });
});

test("a clock that is set beyond what the event can say", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  await remote.connectDomainEventCallbackRegisterAny({ eventID: 2, dom: null });
  const dom = await startGuest(connection);
  const seconds = -(1n << 63n);
  await remote.domainSetTime({ dom, seconds, nseconds: 0, flags: 0 });
  expect((await remote.domainGetTime({ dom, flags: 0 })).seconds).toBe(seconds);
});
