import { expect, test } from "vitest";
import type { Connection } from "../../../src/api/index.ts";
import { VirErrorNumber as E } from "../../../src/generated/libvirt/index.ts";
import type { NonnullStoragePool, NonnullStorageVol } from "../../../src/generated/remote/index.ts";
import { BLOCK } from "../../../src/hypervisor/memory/storage/block-map.ts";
import { TestHost, virt } from "../hosts.ts";

const poolXml = (name = "p", path = `/${name}`) =>
  `<pool type='dir'><name>${name}</name><target><path>${path}</path></target></pool>`;
/** @param allocation null for all of the capacity. */
const volumeXml = (name: string, capacity: number, allocation: number | null = 0) => {
  const aside = allocation === null ? "" : `<allocation>${allocation}</allocation>`;
  return `<volume><name>${name}</name><capacity>${capacity}</capacity>${aside}</volume>`;
};
const MIB = 1 << 20;
const SPARSE = 1;

async function startPool({ remote }: Connection, name = "p"): Promise<NonnullStoragePool> {
  return (await remote.storagePoolCreateXml({ xml: poolXml(name), flags: 0 })).pool;
}

async function makeVolume(
  { remote }: Connection,
  pool: NonnullStoragePool,
  capacity: number,
  name = "v",
): Promise<NonnullStorageVol> {
  return (await remote.storageVolCreateXml({ pool, xml: volumeXml(name, capacity), flags: 0 })).vol;
}

async function upload({ remote }: Connection, vol: NonnullStorageVol, data: Uint8Array, offset = 0n, length = 0n) {
  const { stream } = await remote.storageVolUpload({ vol, offset, length, flags: 0 });
  await stream.write(data);
  await stream.finish();
}

async function download({ remote }: Connection, vol: NonnullStorageVol, offset = 0n, length = 0n): Promise<Buffer> {
  const { stream } = await remote.storageVolDownload({ vol, offset, length, flags: 0 });
  const parts: Buffer[] = [];
  for await (const lease of stream) {
    parts.push(Buffer.from(lease.bytes));
    lease.release();
  }
  await stream.finish();
  return Buffer.concat(parts);
}

/** Bytes that differ from place to place. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 0xff);
}

const allocated = async ({ remote }: Connection, vol: NonnullStorageVol) =>
  (await remote.storageVolGetInfo({ vol })).allocation;

test("a pool's life is told to who listens, and lists say what it is", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  await using events = await connection.storagePoolEvents("lifecycle");
  const { pool } = await remote.storagePoolDefineXml({ xml: poolXml(), flags: 0 });
  const listed = async (flags: number) => (await remote.connectListAllStoragePools({ needResults: 1, flags })).ret;
  expect(await Promise.all([0, 1, 2, 4, 8, 16, 32, 64, 128].map(listed))).toEqual([1, 1, 0, 1, 0, 0, 1, 1, 0]);
  await remote.storagePoolBuild({ pool, flags: 0 });
  await remote.storagePoolCreate({ pool, flags: 0 });
  const invalid = (detail: string) =>
    virt(E.VIR_ERR_OPERATION_INVALID, `Requested operation is not valid: storage pool 'p' is ${detail}`);
  await expect(remote.storagePoolCreate({ pool, flags: 0 })).rejects.toMatchObject(invalid("active"));
  await expect(remote.storagePoolUndefine({ pool })).rejects.toMatchObject(invalid("active"));
  await remote.storagePoolDestroy({ pool });
  await expect(remote.storagePoolRefresh({ pool, flags: 0 })).rejects.toMatchObject(invalid("not active"));
  await remote.storagePoolDelete({ pool, flags: 0 });
  await remote.storagePoolUndefine({ pool });
  const seen: number[] = [];
  for await (const event of events) {
    if (event.kind === "lifecycle") seen.push(event.event);
    if (seen.length === 6) break;
  }
  expect(seen).toEqual([0, 4, 2, 3, 5, 1]); // defined, created, started, stopped, deleted, undefined
  await expect(remote.storagePoolLookupByName({ name: "p" })).rejects.toMatchObject(
    virt(E.VIR_ERR_NO_STORAGE_POOL, "Storage pool not found: no storage pool with matching name 'p'"),
  );
});

test("a pool's XML comes back with what libvirt adds", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const xml = `<pool type='netfs'><source><dir path='/a/'/><host name='h'/></source><name>n</name>
    <target><path>//mnt///n/</path></target><uuid>dfe224cb-28fb-8dd0-c4b2-64eb3f0f4566</uuid></pool>`;
  const { pool } = await remote.storagePoolDefineXml({ xml, flags: 0 });
  expect((await remote.storagePoolGetXmlDesc({ pool, flags: 0 })).xml).toBe(`<pool type='netfs'>
  <name>n</name>
  <uuid>dfe224cb-28fb-8dd0-c4b2-64eb3f0f4566</uuid>
  <capacity unit='bytes'>107374182400</capacity>
  <allocation unit='bytes'>0</allocation>
  <available unit='bytes'>107374182400</available>
  <source>
    <host name='h'/>
    <dir path='/a'/>
    <format type='auto'/>
  </source>
  <target>
    <path>//mnt/n</path>
  </target>
</pool>
`);
});

test.each([
  ["<pool/>", E.VIR_ERR_XML_ERROR, "XML error: Missing required attribute 'type' in element 'pool'"],
  ["<pool type='x'/>", E.VIR_ERR_XML_ERROR, "XML error: Invalid value for attribute 'type' in element 'pool': 'x'."],
  ["<pool type='dir'/>", E.VIR_ERR_XML_ERROR, "XML error: missing pool source name element"],
  ["<pool type='dir'><name>a</name></pool>", E.VIR_ERR_XML_ERROR, "XML error: missing storage pool target path"],
  ["<pool type='netfs'><name>a</name></pool>", E.VIR_ERR_XML_ERROR, "XML error: missing storage pool source host name"],
  [
    "<pool type='fs'><name>a</name><source><format type='zip'/></source></pool>",
    E.VIR_ERR_CONFIG_UNSUPPORTED,
    "unsupported configuration: unknown pool format type zip",
  ],
])("what is no pool is refused in libvirt's words: %s", async (xml, code, message) => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  await expect(remote.storagePoolDefineXml({ xml, flags: 0 })).rejects.toMatchObject(virt(code, message));
});

test("two pools cannot be made from the same source", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  await remote.storagePoolDefineXml({ xml: poolXml("a", "/same"), flags: 0 });
  await expect(remote.storagePoolDefineXml({ xml: poolXml("b", "/same/"), flags: 0 })).rejects.toMatchObject(
    virt(E.VIR_ERR_OPERATION_FAILED, "operation failed: Storage source conflict with pool: 'a'"),
  );
});

test("two pools cannot be made from the same source, now or when one of them stops", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const { pool } = await remote.storagePoolDefineXml({ xml: poolXml("a", "/a"), flags: 0 });
  await remote.storagePoolCreate({ pool, flags: 0 });
  const uuid = `<uuid>${Buffer.from(pool.uuid).toString("hex")}</uuid>`;
  await remote.storagePoolDefineXml({ xml: poolXml("a", "/later").replace("</name>", `</name>${uuid}`), flags: 0 });
  await expect(remote.storagePoolDefineXml({ xml: poolXml("b", "/later"), flags: 0 })).rejects.toMatchObject(
    virt(E.VIR_ERR_OPERATION_FAILED, "operation failed: Storage source conflict with pool: 'a'"),
  );
});

test("what a defined pool is started with for once is forgotten when it stops, or does not start", async () => {
  await using host = new TestHost({ inventory: "test" });
  const { remote } = await host.connect();
  const uuid = "11111111-2222-3333-4444-555555555555";
  const once = (path: string) => poolXml("p", path).replace("</name>", `</name><uuid>${uuid}</uuid>`);
  const { pool } = await remote.storagePoolDefineXml({ xml: once("/kept"), flags: 0 });
  const path = async (flags: number) =>
    /<path>(.*)<.path>/.exec((await remote.storagePoolGetXmlDesc({ pool, flags })).xml)?.[1];
  await remote.storagePoolCreateXml({ xml: once("/once"), flags: 0 });
  expect([await path(0), await path(1)]).toEqual(["/once", "/kept"]);
  await remote.storagePoolDestroy({ pool });
  expect(await path(0)).toBe("/kept");
  const adapter = `<source><adapter type='fc_host' parent='none' wwnn='1' wwpn='2'/></source>`;
  const scsi = once("/dev").replace("'dir'", "'scsi'").replace("<target>", `${adapter}<target>`);
  await expect(remote.storagePoolCreateXml({ xml: scsi, flags: 0 })).rejects.toMatchObject({
    code: E.VIR_ERR_INTERNAL_ERROR,
  });
  expect(await path(0)).toBe("/kept");
});

test("a volume is set aside in its pool, found by name, key and path, and given back", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const pool = await startPool(connection);
  const { vol } = await remote.storageVolCreateXml({ pool, xml: volumeXml("v", 4 * MIB, null), flags: 0 });
  expect(vol).toEqual({ pool: "p", name: "v", key: "/p/v" });
  expect((await remote.storagePoolGetInfo({ pool })).allocation).toBe(BigInt(4 * MIB));
  expect((await remote.storageVolLookupByKey({ key: "/p/v" })).vol).toEqual(vol);
  expect((await remote.storageVolLookupByPath({ path: "/p///v" })).vol.name).toBe("v");
  expect((await remote.storageVolGetXmlDesc({ vol, flags: 0 })).xml).toBe(`<volume type='file'>
  <name>v</name>
  <key>/p/v</key>
  <capacity unit='bytes'>4194304</capacity>
  <allocation unit='bytes'>4194304</allocation>
  <target>
    <path>/p/v</path>
    <format type='raw'/>
  </target>
</volume>
`);
  const xml = volumeXml("v", 1);
  await expect(remote.storageVolCreateXml({ pool, xml, flags: 0 })).rejects.toMatchObject(
    virt(E.VIR_ERR_OPERATION_FAILED, "operation failed: storage vol already exists"),
  );
  const large = volumeXml("w", 101 * 2 ** 30, null);
  await expect(remote.storageVolCreateXml({ pool, xml: large, flags: 0 })).rejects.toMatchObject(
    virt(E.VIR_ERR_INTERNAL_ERROR, "internal error: Not enough free space in pool for volume 'w'"),
  );
  await remote.storageVolDelete({ vol, flags: 0 });
  expect((await remote.storagePoolGetInfo({ pool })).allocation).toBe(0n);
  await expect(remote.storageVolGetPath({ vol })).rejects.toMatchObject(
    virt(E.VIR_ERR_NO_STORAGE_VOL, "Storage volume not found: no storage vol with matching name 'v'"),
  );
});

test("what is uploaded is downloaded, whole and in part, and takes room as it comes", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const vol = await makeVolume(connection, await startPool(connection), MIB);
  const data = pattern(600_001);
  await upload(connection, vol, data);
  expect(await allocated(connection, vol)).toBe(BigInt(Math.ceil(600_001 / BLOCK) * BLOCK));
  const all = await download(connection, vol);
  expect(all.byteLength).toBe(MIB);
  expect(all.subarray(0, data.length).equals(data)).toBe(true);
  expect(all.subarray(data.length).every((byte) => byte === 0)).toBe(true);
  const part = await download(connection, vol, 99_999n, 300_003n);
  expect(part.equals(data.subarray(99_999, 400_002))).toBe(true);
  await upload(connection, vol, Uint8Array.of(1, 2, 3), BigInt(MIB - 3));
  expect([...(await download(connection, vol, BigInt(MIB - 4)))]).toEqual([0, 1, 2, 3]);
  expect(await download(connection, vol, BigInt(2 * MIB))).toHaveLength(0);
});

test("holes are sent as holes, and take no room", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const capacity = 1 << 30;
  const vol = await makeVolume(connection, await startPool(connection), capacity);
  const up = await remote.storageVolUpload({ vol, offset: 0n, length: 0n, flags: SPARSE });
  await up.stream.writeHole(BigInt(capacity - BLOCK));
  await up.stream.write(pattern(BLOCK));
  await up.stream.finish();
  expect(await allocated(connection, vol)).toBe(BigInt(BLOCK));
  const down = await remote.storageVolDownload({ vol, offset: 0n, length: 0n, flags: SPARSE });
  const parts: (bigint | number)[] = [];
  for await (const part of down.stream.parts()) {
    if ("hole" in part) parts.push(part.hole);
    else {
      parts.push(part.bytes.byteLength);
      part.release();
    }
  }
  await down.stream.finish();
  expect(parts).toEqual([BigInt(capacity - BLOCK), BLOCK]);
});

test("a hole over data makes it zeros", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const vol = await makeVolume(connection, await startPool(connection), 4 * BLOCK);
  await upload(connection, vol, new Uint8Array(4 * BLOCK).fill(7));
  const { stream } = await connection.remote.storageVolUpload({ vol, offset: 10n, length: 0n, flags: SPARSE });
  await stream.writeHole(BigInt(2 * BLOCK));
  await stream.finish();
  const bytes = await download(connection, vol);
  expect(bytes.indexOf(0)).toBe(10);
  expect(bytes.lastIndexOf(0)).toBe(2 * BLOCK + 9);
  expect(await allocated(connection, vol)).toBe(BigInt(3 * BLOCK));
});

const NO_SPACE = { code: E.VIR_ERR_SYSTEM_ERROR, message: "cannot write to stream: No space left on device", int1: 28 };

test("an upload beyond the end fails, and what fitted is written", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const vol = await makeVolume(connection, await startPool(connection), 1000);
  await expect(upload(connection, vol, new Uint8Array(1001).fill(9))).rejects.toMatchObject(NO_SPACE);
  expect(await download(connection, vol)).toEqual(Buffer.alloc(1000, 9));
  await expect(upload(connection, vol, new Uint8Array(11).fill(8), 5n, 10n)).rejects.toMatchObject(NO_SPACE);
  expect((await download(connection, vol, 14n, 2n)).toString("hex")).toBe("0809");
  await expect(upload(connection, vol, Uint8Array.of(1), 1000n)).rejects.toMatchObject(NO_SPACE);
});

test("volumes together hold no more than they may, and give back what they held", async () => {
  await using host = new TestHost({ maxStorage: 4 * BLOCK });
  const connection = await host.connect();
  const { remote } = connection;
  const pool = await startPool(connection);
  const first = await makeVolume(connection, pool, MIB, "first");
  const second = await makeVolume(connection, pool, MIB, "second");
  await upload(connection, first, new Uint8Array(3 * BLOCK).fill(1));
  await expect(upload(connection, second, new Uint8Array(2 * BLOCK).fill(2))).rejects.toMatchObject(NO_SPACE);
  const xml = volumeXml("copy", MIB);
  await expect(remote.storageVolCreateXmlFrom({ pool, xml, clonevol: first, flags: 0 })).rejects.toMatchObject(
    NO_SPACE,
  );
  expect((await remote.storagePoolListVolumes({ pool, maxnames: 9 })).names).toEqual(["first", "second"]);
  await remote.storageVolDelete({ vol: first, flags: 0 });
  await upload(connection, second, new Uint8Array(4 * BLOCK).fill(2));
});

test("an upload that breaks off leaves what came, and the volume is free again", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const pool = await startPool(connection);
  const vol = await makeVolume(connection, pool, MIB);
  await using refreshes = await connection.storagePoolEvents("refresh");
  const { stream } = await remote.storageVolUpload({ vol, offset: 0n, length: 0n, flags: 0 });
  await stream.write(pattern(BLOCK));
  await expect(remote.storageVolDelete({ vol, flags: 0 })).rejects.toMatchObject(
    virt(E.VIR_ERR_OPERATION_INVALID, "Requested operation is not valid: volume 'v' is still in use."),
  );
  await expect(remote.storagePoolDestroy({ pool })).rejects.toMatchObject(
    virt(E.VIR_ERR_INTERNAL_ERROR, "internal error: pool 'p' has asynchronous jobs running."),
  );
  await stream.abort();
  expect((await refreshes.next()).value).toMatchObject({ kind: "refresh" });
  await remote.storageVolWipe({ vol, flags: 0 });
  await remote.storagePoolDestroy({ pool });
});

test("a client that goes in the middle of a download leaves the volume free", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const vol = await makeVolume(connection, await startPool(connection), 64 * MIB);
  const other = await host.connect();
  const { stream } = await other.remote.storageVolDownload({ vol, offset: 0n, length: 0n, flags: 0 });
  for await (const lease of stream) {
    lease.release();
    break;
  }
  await other.close();
  await expect
    .poll(() => connection.remote.storageVolDelete({ vol, flags: 0 }).then(() => "deleted", String))
    .toBe("deleted");
});

test("a copy has the bytes and the holes, and at least the room", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const from = await startPool(connection);
  const into = await startPool(connection, "q");
  const original = await makeVolume(connection, from, 8 * BLOCK);
  await upload(connection, original, pattern(BLOCK), BigInt(3 * BLOCK));
  const xml = "<volume><name>copy</name><allocation>0</allocation></volume>";
  const { vol } = await remote.storageVolCreateXmlFrom({ pool: into, xml, clonevol: original, flags: 0 });
  expect((await download(connection, vol)).equals(await download(connection, original))).toBe(true);
  expect(await allocated(connection, vol)).toBe(BigInt(BLOCK));
  await upload(connection, original, new Uint8Array(8 * BLOCK));
  expect((await download(connection, vol, BigInt(3 * BLOCK), 100n)).equals(pattern(100))).toBe(true);
});

test("a copy takes no room that is set aside for others", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const from = await startPool(connection);
  const into = await startPool(connection, "q");
  const original = await makeVolume(connection, from, BLOCK);
  await upload(connection, original, pattern(BLOCK));
  await remote.storageVolCreateXml({ pool: into, xml: volumeXml("all", 100 * 2 ** 30, null), flags: 0 });
  const xml = "<volume><name>copy</name><allocation>0</allocation></volume>";
  await expect(remote.storageVolCreateXmlFrom({ pool: into, xml, clonevol: original, flags: 0 })).rejects.toMatchObject(
    NO_SPACE,
  );
  expect((await remote.storagePoolListVolumes({ pool: into, maxnames: 9 })).names).toEqual(["all"]);
});

test("a resize needs leave to shrink, keeps what is allocated, and what was cut off is gone", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const vol = await makeVolume(connection, await startPool(connection), 4 * BLOCK);
  const resize = (capacity: number, flags: number) =>
    remote.storageVolResize({ vol, capacity: BigInt(capacity), flags });
  const [ALLOCATE, DELTA, SHRINK] = [1, 2, 4] as const;
  const refused = (detail: string) => virt(E.VIR_ERR_INVALID_ARG, `invalid argument: ${detail}`);
  await expect(resize(2 * BLOCK, 0)).rejects.toMatchObject(
    refused("Can't shrink capacity below current capacity unless shrink flag explicitly specified"),
  );
  await upload(connection, vol, pattern(BLOCK), BigInt(3 * BLOCK));
  await resize(2 * BLOCK, SHRINK);
  await resize(2 * BLOCK, DELTA);
  expect((await download(connection, vol)).every((byte) => byte === 0)).toBe(true);
  await resize(BLOCK, DELTA | ALLOCATE);
  expect(await remote.storageVolGetInfo({ vol })).toEqual({
    type: 0,
    capacity: BigInt(5 * BLOCK),
    allocation: BigInt(5 * BLOCK),
  });
  await expect(resize(BLOCK, SHRINK)).rejects.toMatchObject(refused("can't shrink capacity below existing allocation"));
  for (const capacity of [2n ** 63n, 2n ** 64n - 1n]) {
    await expect(remote.storageVolResize({ vol, capacity, flags: DELTA })).rejects.toMatchObject({
      code: E.VIR_ERR_OVERFLOW,
    });
  }
  await expect(resize(2 ** 40, ALLOCATE)).rejects.toMatchObject(
    virt(E.VIR_ERR_OPERATION_FAILED, "operation failed: Not enough space left in storage pool"),
  );
});

test.each([
  [0, "zeros"],
  [3, "a pattern"],
  [8, "random bytes"],
])("wiping with algorithm %i leaves %s and nothing of what was there", async (algorithm, left) => {
  await using host = new TestHost();
  const connection = await host.connect();
  const vol = await makeVolume(connection, await startPool(connection), 3 * BLOCK);
  const data = pattern(BLOCK);
  await upload(connection, vol, data, BigInt(BLOCK));
  await connection.remote.storageVolWipePattern({ vol, algorithm, flags: 0 });
  const bytes = (await download(connection, vol)).subarray(BLOCK, 2 * BLOCK);
  const kinds = new Set(bytes);
  if (left === "zeros") expect([...kinds]).toEqual([0]);
  if (left === "a pattern") expect([...kinds]).toEqual([0x7f]);
  if (left === "random bytes") expect(kinds.size).toBeGreaterThan(200);
  expect(bytes.equals(data)).toBe(false);
});

test("wiping leaves zeros behind the volume's end", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const vol = await makeVolume(connection, await startPool(connection), 1000);
  await upload(connection, vol, pattern(1000));
  await connection.remote.storageVolWipePattern({ vol, algorithm: 3, flags: 0 });
  await connection.remote.storageVolResize({ vol, capacity: 2000n, flags: 0 });
  expect(await download(connection, vol)).toEqual(Buffer.concat([Buffer.alloc(1000, 0x7f), Buffer.alloc(1000)]));
});

test("an algorithm that there is not is refused", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const vol = await makeVolume(connection, await startPool(connection), BLOCK);
  const wipe = (algorithm: number) => connection.remote.storageVolWipePattern({ vol, algorithm, flags: 0 });
  await expect(wipe(9)).rejects.toMatchObject(
    virt(E.VIR_ERR_ARGUMENT_UNSUPPORTED, "argument unsupported: 'trim' algorithm not supported"),
  );
  await expect(wipe(10)).rejects.toMatchObject(
    virt(E.VIR_ERR_INVALID_ARG, "invalid argument: wiping algorithm 10 not supported"),
  );
});

test("physical size is the file's length", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const vol = await makeVolume(connection, await startPool(connection), MIB);
  const { allocation } = await connection.remote.storageVolGetInfoFlags({ vol, flags: 1 });
  expect(allocation).toBe(BigInt(MIB));
});

test("sources of pools are those of libvirt's test driver, with nothing of the caller's unescaped", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const find = (type: string, srcSpec: string | null) =>
    remote.connectFindStoragePoolSources({ type, srcSpec, flags: 0 });
  expect((await find("logical", null)).xml).toContain("<name>testvg2</name>");
  const { xml } = await find("netfs", "<source><host name='a&lt;b&apos;'/></source>");
  expect(xml).toContain("<host name='a&lt;b&apos;'/>");
  await expect(find("netfs", null)).rejects.toMatchObject(
    virt(E.VIR_ERR_INVALID_ARG, "invalid argument: hostname must be specified for netfs sources"),
  );
  await expect(find("mpath", null)).rejects.toMatchObject({ code: E.VIR_ERR_NO_SUPPORT });
});

test("a pool on a virtual host adapter makes it, and destroys it when it stops", async () => {
  await using host = new TestHost({ inventory: "test" });
  const { remote } = await host.connect();
  const xml = `<pool type='scsi'><name>fc</name><source>
    <adapter type='fc_host' wwnn='2001000012341234' wwpn='1001000012341234'/></source>
    <target><path>/dev/disk/by-path</path></target></pool>`;
  const { pool } = await remote.storagePoolCreateXml({ xml, flags: 0 });
  const devices = async () => (await remote.nodeNumOfDevices({ cap: "fc_host", flags: 0 })).num;
  expect(await devices()).toBe(4);
  await remote.storagePoolDestroy({ pool });
  expect(await devices()).toBe(3);
  // A client may have destroyed what it was made on, which nothing can be destroyed without otherwise.
  const { pool: second } = await remote.storagePoolCreateXml({ xml, flags: 0 });
  await remote.nodeDeviceDestroy({ name: "scsi_host1" });
  await remote.storagePoolDestroy({ pool: second });
  expect(await devices()).toBe(2);
  // Or it itself, and another has its name since.
  const { pool: third } = await remote.storagePoolCreateXml({ xml, flags: 0 });
  await remote.nodeDeviceDestroy({ name: "scsi_host12" });
  const { pool: fourth } = await remote.storagePoolCreateXml({
    xml: xml.replace(">fc<", ">fc2<").replace("wwnn='2", "wwnn='3"),
    flags: 0,
  });
  await remote.storagePoolDestroy({ pool: third });
  expect(await devices()).toBe(3);
  await remote.storagePoolDestroy({ pool: fourth });
  expect(await devices()).toBe(2);
});
