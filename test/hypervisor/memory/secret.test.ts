import { expect, test } from "vitest";
import { VirErrorNumber as E } from "../../../src/generated/libvirt/index.ts";
import { TestHost, virt } from "../hosts.ts";

const UUID = "11111111-2222-3333-4444-555555555555";
const xml = ({ isPrivate = "no", uuid = UUID, name = "client" } = {}) =>
  `<secret private='${isPrivate}'><uuid>${uuid}</uuid><description>a &amp; b</description>
   <usage type='ceph'><name>${name}</name></usage></secret>`;

test("a value is kept and given back, and stands in no XML", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  await using changes = await connection.secretEvents("valueChanged");
  const { secret } = await remote.secretDefineXml({ xml: xml(), flags: 0 });
  await expect(remote.secretGetValue({ secret, flags: 0 })).rejects.toMatchObject(
    virt(E.VIR_ERR_NO_SECRET, `Secret not found: secret '${UUID}' does not have a value`),
  );
  const value = new TextEncoder().encode("open sesame");
  await remote.secretSetValue({ secret, value, flags: 0 });
  expect((await changes.next()).value).toMatchObject({ kind: "valueChanged" });
  expect(await remote.secretGetValue({ secret, flags: 0 })).toEqual({ value });
  expect((await remote.secretGetXmlDesc({ secret, flags: 0 })).xml).toBe(`<secret ephemeral='no' private='no'>
  <uuid>${UUID}</uuid>
  <description>a &amp; b</description>
  <usage type='ceph'>
    <name>client</name>
  </usage>
</secret>
`);
  await remote.secretDefineXml({ xml: xml(), flags: 0 });
  expect(await remote.secretGetValue({ secret, flags: 0 })).toEqual({ value });
});

test("a private secret's value is told to nobody, and it stays private", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const { secret } = await remote.secretDefineXml({ xml: xml({ isPrivate: "yes" }), flags: 0 });
  await remote.secretSetValue({ secret, value: Uint8Array.of(1, 2), flags: 0 });
  await expect(remote.secretGetValue({ secret, flags: 0 })).rejects.toMatchObject(
    virt(E.VIR_ERR_INVALID_SECRET, "Invalid secret: secret is private"),
  );
  await expect(remote.secretDefineXml({ xml: xml(), flags: 0 })).rejects.toMatchObject(
    virt(E.VIR_ERR_INTERNAL_ERROR, "internal error: cannot change private flag on existing secret"),
  );
});

test("a read-only connection gets no value", async () => {
  await using host = new TestHost();
  const { secret } = await (await host.connect()).remote.secretDefineXml({ xml: xml(), flags: 0 });
  const { remote } = await host.connect({ readOnly: true });
  await expect(remote.secretGetValue({ secret, flags: 0 })).rejects.toMatchObject({ code: E.VIR_ERR_OPERATION_DENIED });
});

test("one secret for one use; lists filter by what secrets are", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const { secret } = await remote.secretDefineXml({ xml: xml(), flags: 0 });
  const other = "21111111-2222-3333-4444-555555555555";
  await expect(remote.secretDefineXml({ xml: xml({ uuid: other }), flags: 0 })).rejects.toMatchObject(
    virt(E.VIR_ERR_INTERNAL_ERROR, `internal error: a secret with UUID ${UUID} already defined for use with client`),
  );
  await remote.secretDefineXml({ xml: xml({ uuid: other, name: "b", isPrivate: "yes" }), flags: 0 });
  const count = async (flags: number) => (await remote.connectListAllSecrets({ needResults: 0, flags })).ret;
  expect(await Promise.all([0, 1, 2, 4, 8].map(count))).toEqual([2, 0, 2, 1, 1]);
  expect((await remote.secretLookupByUsage({ usageType: 2, usageID: "client" })).secret).toEqual(secret);
  const volume = "31111111-2222-3333-4444-555555555555";
  const { secret: moved } = await remote.secretDefineXml({
    xml: `<secret><uuid>${volume}</uuid><usage type='volume'><volume>client</volume></usage></secret>`,
    flags: 0,
  });
  await expect(remote.secretDefineXml({ xml: xml({ uuid: volume }), flags: 0 })).rejects.toMatchObject(
    virt(E.VIR_ERR_INTERNAL_ERROR, `internal error: a secret with UUID ${UUID} already defined for use with client`),
  );
  await remote.secretUndefine({ secret: moved });
  await remote.secretUndefine({ secret });
  await expect(remote.secretLookupByUsage({ usageType: 2, usageID: "client" })).rejects.toMatchObject(
    virt(E.VIR_ERR_NO_SECRET, "Secret not found: no secret with matching usage 'client'"),
  );
  expect((await remote.connectListSecrets({ maxuuids: 9 })).uuids).toEqual([other]);
});

test.each([
  ["<secret private='maybe'/>", E.VIR_ERR_XML_ERROR, "XML error: invalid value of 'private'"],
  ["<secret><usage/></secret>", E.VIR_ERR_XML_ERROR, "XML error: unknown secret usage type"],
  [
    "<secret><usage type='tls'/></secret>",
    E.VIR_ERR_INTERNAL_ERROR,
    "internal error: TLS usage specified, but name is missing",
  ],
])("what is no secret is refused in libvirt's words: %s", async (text, code, message) => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  await expect(remote.secretDefineXml({ xml: text, flags: 0 })).rejects.toMatchObject(virt(code, message));
});
