import { expect, test } from "vitest";
import { VirErrorNumber as E } from "../../../src/generated/libvirt/index.ts";
import { TestHost, virt } from "../hosts.ts";

const UUID = "11111111-2222-3333-4444-555555555555";
const including = (name: string, ...others: string[]) =>
  `<filter name='${name}'>${others.map((other) => `<filterref filter='${other}'/>`).join("")}</filter>`;
const binding = (filter: string) => `<filterbinding><owner><name>g</name><uuid>${UUID}</uuid></owner>
  <portdev name='vnet0'/><mac address='52:54:0:0:0:1'/><filterref filter='${filter}'/></filterbinding>`;

test("a filter comes back with libvirt's defaults", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const xml = `<filter chain='ipv4-in' name='f'><rule direction='in' action='drop' statematch='FALSE'><tcp/></rule>
    <uuid>${UUID}</uuid></filter>`;
  const { nwfilter } = await remote.nwfilterDefineXml({ xml });
  expect(
    (await remote.nwfilterGetXmlDesc({ nwfilter, flags: 0 })).xml,
  ).toBe(`<filter name='f' chain='ipv4-in' priority='-700'>
  <uuid>${UUID}</uuid>
  <rule action='drop' direction='in' priority='500' statematch='false'>
    <tcp/>
  </rule>
</filter>
`);
  expect(await remote.connectListNwfilters({ maxnames: 3 })).toEqual({ names: ["f"] });
  expect((await remote.nwfilterLookupByName({ name: "f" })).nwfilter).toEqual(nwfilter);
});

test("filters cannot include each other in a circle, however long", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  await remote.nwfilterDefineXml({ xml: including("a", "b") });
  await remote.nwfilterDefineXml({ xml: including("b", "c", "d") });
  for (const last of ["a", "b", "c"]) {
    await expect(remote.nwfilterDefineXml({ xml: including("c", last) })).rejects.toMatchObject(
      virt(E.VIR_ERR_OPERATION_FAILED, "operation failed: filter would introduce a loop"),
    );
  }
  await remote.nwfilterDefineXml({ xml: including("c", "d") });
});

test("a filter stays while a binding needs it, itself or through another", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const { nwfilter: outer } = await remote.nwfilterDefineXml({ xml: including("outer", "inner") });
  await expect(remote.nwfilterBindingCreateXml({ xml: binding("outer"), flags: 0 })).rejects.toMatchObject(
    virt(E.VIR_ERR_INTERNAL_ERROR, "internal error: referenced filter 'inner' is missing"),
  );
  const { nwfilter: inner } = await remote.nwfilterDefineXml({ xml: including("inner") });
  const { nwfilter: bound } = await remote.nwfilterBindingCreateXml({ xml: binding("outer"), flags: 0 });
  expect(bound).toEqual({ portdev: "vnet0", filtername: "outer" });
  await expect(remote.nwfilterBindingCreateXml({ xml: binding("inner"), flags: 0 })).rejects.toMatchObject(
    virt(E.VIR_ERR_OPERATION_FAILED, "operation failed: binding 'vnet0' already exists"),
  );
  const { uuid } = outer;
  const other = including("outer", "nowhere").replace("'>", `'><uuid>${Buffer.from(uuid).toString("hex")}</uuid>`);
  await expect(remote.nwfilterDefineXml({ xml: other })).rejects.toMatchObject(
    virt(E.VIR_ERR_INTERNAL_ERROR, "internal error: referenced filter 'nowhere' is missing"),
  );
  for (const nwfilter of [inner, outer]) {
    await expect(remote.nwfilterUndefine({ nwfilter })).rejects.toMatchObject(
      virt(E.VIR_ERR_OPERATION_INVALID, "Requested operation is not valid: nwfilter is in use"),
    );
  }
  expect((await remote.nwfilterBindingGetXmlDesc({ nwfilter: bound, flags: 0 })).xml).toContain("52:54:00:00:00:01");
  await remote.nwfilterBindingDelete({ nwfilter: bound });
  await remote.nwfilterUndefine({ nwfilter: inner });
  await expect(remote.nwfilterBindingLookupByPortDev({ name: "vnet0" })).rejects.toMatchObject({
    code: E.VIR_ERR_NO_NWFILTER_BINDING,
  });
});

test.each([
  ["<filter/>", E.VIR_ERR_INTERNAL_ERROR, "internal error: filter has no name"],
  [
    "<filter name='f' priority='1001'/>",
    E.VIR_ERR_INVALID_ARG,
    "invalid argument: Priority '1001' is outside valid range of [-1000,1000]",
  ],
  ["<filter name='f' chain='a b'/>", E.VIR_ERR_INVALID_ARG, "invalid argument: Chain name contains invalid characters"],
  ["<filter name='f' chain='zz'/>", E.VIR_ERR_INVALID_ARG, /^invalid argument: Invalid chain name 'zz'\./],
  [
    "<filter name='f'><rule action='drop'/></filter>",
    E.VIR_ERR_INTERNAL_ERROR,
    "internal error: rule node requires direction attribute",
  ],
])("what is no filter is refused in libvirt's words: %s", async (xml, code, message) => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  await expect(remote.nwfilterDefineXml({ xml })).rejects.toMatchObject(virt(code, message));
});
