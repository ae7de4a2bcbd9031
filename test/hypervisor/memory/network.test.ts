import { expect, test } from "vitest";
import { VirErrorNumber as E, VirNetworkEventLifecycleType as Event } from "../../../src/generated/libvirt/index.ts";
import { guestXml, TestHost, virt } from "../hosts.ts";

const UUID = "dd8fe884-6c02-601e-7551-cca97df1c5df";
const xml = ({ name = "net", uuid = "", inside = "" } = {}) => `<network>
  ${uuid === "" ? "" : `<uuid>${uuid}</uuid>`}<name>${name}</name>${inside}
</network>`;
const ADDRESS = `<ip address='10.1.2.1' prefix='24'><dhcp>
  <host mac='52:54:00:AA:bb:1' name='h1' ip='10.1.2.10'/><range start='10.1.2.100' end='10.1.2.200'/>
</dhcp></ip>`;

test("a definition comes back in libvirt's order, with what it adds, and with what it does not know", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const inside = `${ADDRESS}<own:thing xmlns:own='urn:own' a="b'c"/><bridge delay='2' name='virbr7'/><forward/>`;
  const { net } = await remote.networkDefineXml({ xml: xml({ uuid: UUID, inside }) });
  expect((await remote.networkGetXmlDesc({ net, flags: 0 })).xml).toBe(`<network>
  <name>net</name>
  <uuid>${UUID}</uuid>
  <forward mode='nat'/>
  <bridge name='virbr7' stp='on' delay='2'/>
  <ip address='10.1.2.1' prefix='24'>
    <dhcp>
      <range start='10.1.2.100' end='10.1.2.200'/>
      <host mac='52:54:00:AA:bb:1' name='h1' ip='10.1.2.10'/>
    </dhcp>
  </ip>
  <own:thing xmlns:own='urn:own' a='b&apos;c'/>
</network>
`);
  expect(await remote.networkGetBridgeName({ net })).toEqual({ name: "virbr7" });
});

test.each([
  ["<network/>", E.VIR_ERR_NO_NAME, /^missing name/],
  ["<net/>", E.VIR_ERR_XML_ERROR, "XML error: expecting root element of 'network', not 'net'"],
  [xml({ name: "a/b" }), E.VIR_ERR_XML_DETAIL, "invalid char in name: /"],
  [xml({ uuid: "x" }), E.VIR_ERR_INTERNAL_ERROR, "internal error: malformed uuid element"],
  [
    xml({ inside: "<forward/>" }),
    E.VIR_ERR_XML_ERROR,
    "XML error: nat forwarding requested, but no IP address provided for network 'net'",
  ],
  [
    xml({ inside: "<forward mode='up'/>" }),
    E.VIR_ERR_CONFIG_UNSUPPORTED,
    "unsupported configuration: unknown forwarding type 'up'",
  ],
  [
    xml({ inside: "<forward mode='vepa'/><bridge name='b'/>" }),
    E.VIR_ERR_XML_ERROR,
    "XML error: bridge name not allowed in vepa mode (network 'net')",
  ],
  [
    xml({ inside: "<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.1.2' end='10.0.1.3'/></dhcp></ip>" }),
    E.VIR_ERR_INTERNAL_ERROR,
    "internal error: range 10.0.1.2 - 10.0.1.3 is not entirely within network 10.0.0.1/24",
  ],
  [
    xml({
      inside: "<ip family='ipv6' address='fd00::1' prefix='64'/><route family='ipv6' address='::' gateway='fd01::1'/>",
    }),
    E.VIR_ERR_CONFIG_UNSUPPORTED,
    "unsupported configuration: unreachable static route gateway 'fd01::1' specified for network 'net'",
  ],
  [
    xml({ inside: "<route address='10.0.0.0' prefix='8'/>" }),
    E.VIR_ERR_XML_ERROR,
    "XML error: net: Missing required gateway attribute in route definition",
  ],
  [
    xml({ inside: "<ip address='10.0.0.1' prefix='24'/><route address='11.0.0.1' prefix='8' gateway='10.0.0.2'/>" }),
    E.VIR_ERR_XML_ERROR,
    "XML error: net: Address '11.0.0.1' in route definition is not a network address",
  ],
  [
    xml({ inside: "<mac address='01:00:00:00:00:00'/>" }),
    E.VIR_ERR_XML_ERROR,
    "XML error: Invalid multicast bridge mac address '01:00:00:00:00:00' in network 'net'",
  ],
])("what is no network is refused in libvirt's words: %s", async (text, code, message) => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  await expect(remote.networkDefineXml({ xml: text })).rejects.toMatchObject(virt(code, message));
  expect(await remote.connectNumOfDefinedNetworks()).toEqual({ num: 0 });
});

test("a network's life is told to who listens, and lists say what it is", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  await using events = await connection.networkEvents("lifecycle");
  const { net } = await remote.networkDefineXml({ xml: xml() });
  await remote.networkSetAutostart({ net, autostart: 1 });
  const listed = async (flags: number) => (await remote.connectListAllNetworks({ needResults: 1, flags })).ret;
  expect(await Promise.all([1, 2, 1 | 2, 4, 8, 16, 32, 1 | 8].map(listed))).toEqual([1, 0, 1, 1, 0, 1, 0, 0]);
  await remote.networkCreate({ net });
  const running = "Requested operation is not valid: Network 'net' is";
  await expect(remote.networkCreate({ net })).rejects.toMatchObject(
    virt(E.VIR_ERR_OPERATION_INVALID, `${running} already running`),
  );
  await expect(remote.networkUndefine({ net })).rejects.toMatchObject(
    virt(E.VIR_ERR_OPERATION_INVALID, `${running} still running`),
  );
  expect(await remote.connectListNetworks({ maxnames: 5 })).toEqual({ names: ["net"] });
  await remote.networkDestroy({ net });
  await remote.networkUndefine({ net });
  await expect(remote.networkLookupByName({ name: "net" })).rejects.toMatchObject(
    virt(E.VIR_ERR_NO_NETWORK, "Network not found: no network with matching name 'net'"),
  );
  const seen: number[] = [];
  for await (const event of events) {
    if (event.kind === "lifecycle") seen.push(event.event);
    if (seen.length === 4) break;
  }
  const { VIR_NETWORK_EVENT_DEFINED, VIR_NETWORK_EVENT_STARTED, VIR_NETWORK_EVENT_STOPPED } = Event;
  const { VIR_NETWORK_EVENT_UNDEFINED } = Event;
  expect(seen).toEqual([
    VIR_NETWORK_EVENT_DEFINED,
    VIR_NETWORK_EVENT_STARTED,
    VIR_NETWORK_EVENT_STOPPED,
    VIR_NETWORK_EVENT_UNDEFINED,
  ]);
});

test("a transient network is gone when it stops; name and UUID of another are refused", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const { net } = await remote.networkCreateXml({ xml: xml({ uuid: UUID }) });
  expect(await remote.networkIsPersistent({ net })).toEqual({ persistent: 0 });
  await expect(remote.networkDefineXml({ xml: xml({ name: "other", uuid: UUID }) })).rejects.toMatchObject(
    virt(E.VIR_ERR_OPERATION_FAILED, `operation failed: network 'net' is already defined with uuid ${UUID}`),
  );
  await expect(remote.networkDefineXml({ xml: xml() })).rejects.toMatchObject(
    virt(E.VIR_ERR_OPERATION_FAILED, `operation failed: network 'net' already exists with uuid ${UUID}`),
  );
  await remote.networkDestroy({ net });
  await expect(remote.networkIsActive({ net })).rejects.toMatchObject({ code: E.VIR_ERR_NO_NETWORK });
});

test("what would be too long to be read again, as it would be kept, is refused", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const inside = `<description>${">".repeat(100_000)}</description>`;
  await expect(remote.networkDefineXml({ xml: xml({ inside }) })).rejects.toMatchObject(
    virt(E.VIR_ERR_XML_ERROR, /^XML error: document of 4\d{5} characters, 261120 at most$/),
  );
  expect(await remote.connectNumOfDefinedNetworks()).toEqual({ num: 0 });
});

test("elements in a name count as its text alone, in what is kept, too", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const { net } = await remote.networkDefineXml({ xml: xml({ name: "<b>x</b>" }) });
  expect(net.name).toBe("x");
  expect((await remote.networkGetXmlDesc({ net, flags: 0 })).xml).toContain("<name>x</name>");
});

test("an update changes what it names and nothing else, live or for the next start", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const { net } = await remote.networkDefineXml({ xml: xml({ inside: ADDRESS }) });
  await remote.networkCreate({ net });
  const update = (command: number, section: number, text: string, flags = 0) =>
    remote.networkUpdate({ net, command, section, parentIndex: -1, xml: text, flags });
  const shown = async (flags: number) => (await remote.networkGetXmlDesc({ net, flags })).xml;
  const second = "<host mac='52:54:00:00:00:02' name='h2' ip='10.1.2.11'/>";
  await update(3, 4, second);
  expect(await shown(0)).toContain(second);
  expect(await shown(1)).not.toContain(second);
  await expect(update(3, 4, second)).rejects.toMatchObject(
    virt(
      E.VIR_ERR_OPERATION_INVALID,
      `Requested operation is not valid: there is an existing dhcp host entry in network 'net' that matches "${second}"`,
    ),
  );
  await update(1, 4, "<host mac='52:54:00:00:00:02' name='h2' ip='10.1.2.12'/>");
  expect(await shown(0)).toContain("ip='10.1.2.12'");
  await update(2, 4, "<host name='h2'/>");
  expect(await shown(0)).toBe(await shown(1));
  await update(4, 10, "<host ip='10.1.2.5'><hostname>a</hostname></host>", 2);
  expect(await shown(1)).toContain("<hostname>a</hostname>");
  await expect(update(3, 1, "<bridge/>")).rejects.toMatchObject(
    virt(E.VIR_ERR_OPERATION_UNSUPPORTED, "Operation not supported: can't update 'bridge' section of network 'net'"),
  );
  await expect(update(3, 4, "<range/>")).rejects.toMatchObject({ code: E.VIR_ERR_XML_ERROR });
});

test("ports come and go with an active network, and keep the bandwidth they are given", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const { net } = await remote.networkDefineXml({ xml: xml() });
  const portXml = `<networkport><uuid>${UUID}</uuid><owner><name>g</name><uuid>${UUID}</uuid></owner>
    <mac address='52:54:0:0:0:1'/></networkport>`;
  await expect(remote.networkPortCreateXml({ network: net, xml: portXml, flags: 0 })).rejects.toMatchObject(
    virt(E.VIR_ERR_OPERATION_INVALID, "Requested operation is not valid: network 'net' is not active"),
  );
  await remote.networkCreate({ net });
  const { port } = await remote.networkPortCreateXml({ network: net, xml: portXml, flags: 0 });
  await expect(remote.networkPortCreateXml({ network: net, xml: portXml, flags: 0 })).rejects.toMatchObject({
    code: E.VIR_ERR_NETWORK_PORT_EXIST,
  });
  const params = [{ field: "inbound.average", value: { type: 2 as const, value: 100 } }];
  await remote.networkPortSetParameters({ port, params, flags: 0 });
  const got = await remote.networkPortGetParameters({ port, nparams: 0, flags: 0 });
  expect(got.params.map(({ field, value }) => [field, value.value])).toEqual([
    ["inbound.average", 100],
    ["inbound.peak", 0],
    ["inbound.floor", 0],
    ["inbound.burst", 0],
  ]);
  expect((await remote.networkPortGetXmlDesc({ port, flags: 0 })).xml).toContain("<inbound average='100'/>");
  expect((await remote.networkListAllPorts({ network: net, needResults: 1, flags: 0 })).ports).toHaveLength(1);
  await remote.networkPortDelete({ port, flags: 0 });
  await expect(remote.networkPortDelete({ port, flags: 0 })).rejects.toMatchObject({ code: E.VIR_ERR_NO_NETWORK_PORT });
});

test("metadata is kept in the XML, and a change of it is an event", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  await using events = await connection.networkEvents("metadataChange");
  const { net: network } = await remote.networkDefineXml({ xml: xml() });
  const element = { network, type: 2, key: "app", uri: "urn:app", flags: 0 };
  await remote.networkSetMetadata({ ...element, metadata: "<a x='1'>t<b/></a>" });
  const { xml: shown } = await remote.networkGetXmlDesc({ net: network, flags: 0 });
  expect(shown).toContain("<app:a x='1' xmlns:app='urn:app'>t<app:b/></app:a>");
  const { value } = await events.next();
  expect(value).toMatchObject({ kind: "metadataChange", type: 2, nsuri: "urn:app" });
  expect(await remote.networkGetMetadata({ network, type: 2, uri: "urn:app", flags: 0 })).toEqual({
    metadata: "<a x='1'>t<b/></a>",
  });
  await expect(remote.networkSetMetadata({ ...element, uri: null, metadata: "<a/>" })).rejects.toMatchObject(
    virt(E.VIR_ERR_INVALID_ARG, /uri in virNetworkSetMetadata must not be NULL$/),
  );
  await remote.networkSetMetadata({ ...element, uri: "urn:other", metadata: "<o/>" });
  await remote.networkSetMetadata({ ...element, metadata: "<again/>" });
  const kept = async (uri: string) => (await remote.networkGetMetadata({ network, type: 2, uri, flags: 0 })).metadata;
  expect([await kept("urn:app"), await kept("urn:other")]).toEqual(["<again/>", "<o/>"]);
  await remote.networkSetMetadata({ ...element, metadata: null });
  await expect(remote.networkGetMetadata({ network, type: 2, uri: "urn:app", flags: 0 })).rejects.toMatchObject(
    virt(E.VIR_ERR_NO_NETWORK_METADATA, "metadata not found: Requested metadata element is not present"),
  );
});

test("leases are those of running guests: a static host's address, or one of the range", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const { net } = await remote.networkCreateXml({ xml: xml({ inside: ADDRESS }) });
  const nic = (mac: string) => `<interface type='network'><mac address='${mac}'/><source network='net'/></interface>`;
  const extra = `<devices>${nic("52:54:00:aa:bb:01")}${nic("52:54:00:aa:bb:02")}</devices>`;
  await remote.domainCreateXml({ xmlDesc: guestXml({ extra }), flags: 0 });
  const all = await remote.networkGetDhcpLeases({ net, mac: null, needResults: 1, flags: 0 });
  expect(all.leases.map(({ ipaddr, hostname, prefix }) => [ipaddr, hostname, prefix])).toEqual([
    ["10.1.2.10", "web", 24],
    ["10.1.2.102", "web", 24],
  ]);
  const one = await remote.networkGetDhcpLeases({ net, mac: "52:54:00:AA:BB:02", needResults: 0, flags: 0 });
  expect(one).toEqual({ leases: [], ret: 1 });
});

test("as many elements as XML may have are defined, listed and shown without holding up others for long", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const { net } = await remote.networkDefineXml({ xml: xml({ inside: "<a/>".repeat(30_000) }) });
  const shown = (await remote.networkGetXmlDesc({ net, flags: 0 })).xml;
  expect(shown.match(/<a\/>/g)).toHaveLength(30_000);
  const many = (text: (i: number) => string) => Array.from({ length: 2_500 }, (_, i) => text(i)).join("");
  const addresses = many((i) => `<ip address='10.${i >> 8}.${i & 255}.1' prefix='24'/>`);
  const routes = many(() => "<route address='0.0.0.0' gateway='10.0.0.9'/>");
  await remote.networkDefineXml({ xml: xml({ name: "routes", inside: `${addresses}${routes}` }) });
  const uuid = `<uuid>${UUID}${"<a/>".repeat(30_000)}</uuid>`;
  await expect(remote.networkDefineXml({ xml: xml({ name: "other", inside: uuid }) })).rejects.toMatchObject(
    virt(E.VIR_ERR_XML_ERROR, "XML error: more than 1000 nodes in element 'uuid'"),
  );
});
