import { mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { VirDomainJobOperation } from "../../../src/generated/libvirt/index.ts";
import { parseDomainXml } from "../../../src/hypervisor/memory/domain-xml.ts";
import { runJob } from "../../../src/hypervisor/memory/guest-job.ts";
import { Host } from "../../../src/hypervisor/memory/host.ts";
import { jobProcedures } from "../../../src/hypervisor/memory/job-procedures.ts";
import { FakeClock, guestXml, memoryOf, startGuest, TestHost, UUID, virt } from "../hosts.ts";
import { lifecycleOf } from "./lifecycle.ts";

const MIB = 1 << 20;
const string = (field: string, value: string) => ({ field, value: { type: 7 as const, value } });

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "save-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("save and restore", () => {
  test("a guest goes on with the memory that it had, on another host too", async () => {
    await using host = new TestHost();
    await using other = new TestHost();
    const connection = await host.connect();
    const { remote } = connection;
    const dom = await startGuest(connection);
    const memory = await memoryOf(connection, dom, 2 * MIB);
    const heard = await lifecycleOf(connection);
    const to = join(folder, "web");
    await remote.domainSave({ dom, to });
    expect(await remote.domainGetState({ dom, flags: 0 })).toEqual({ state: 5, reason: 5 });
    await remote.domainRestore({ from: to });
    expect(await heard(2)).toEqual(["STOPPED SAVED", "STARTED RESTORED"]);
    expect(await remote.domainGetState({ dom, flags: 0 })).toEqual({ state: 1, reason: 3 });
    await expect(remote.domainRestore({ from: to })).rejects.toMatchObject(
      virt(55, "Requested operation is not valid: domain 'web' is already active"),
    );
    const elsewhere = await other.connect();
    await elsewhere.remote.domainRestore({ from: to });
    const { dom: there } = await elsewhere.remote.domainLookupByName({ name: "web" });
    expect(Buffer.compare(await memoryOf(elsewhere, there, 2 * MIB), memory)).toBe(0);
    expect((await elsewhere.remote.domainIsPersistent({ dom: there })).persistent).toBe(0);
  });

  test("flags and XML change how it goes on", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const { remote } = connection;
    const dom = await startGuest(connection);
    const file = join(folder, "web");
    const state = async () => (await remote.domainGetState({ dom, flags: 0 })).state;
    const dxml = guestXml({ extra: "<title>changed</title>" });
    await remote.domainSaveFlags({ dom, to: file, dxml, flags: 4 });
    expect((await remote.domainSaveImageGetXmlDesc({ file, flags: 0 })).xml).toContain("<title>changed</title>");
    await remote.domainRestoreFlags({ from: file, dxml: null, flags: 0 });
    expect(await state()).toBe(3);
    await remote.domainSaveParams({ dom, params: [string("file", file)], flags: 0 });
    await remote.domainRestoreParams({ params: [string("file", file), string("dxml", guestXml())], flags: 2 });
    expect(await state()).toBe(1);
    expect((await remote.domainGetXmlDesc({ dom, flags: 0 })).xml).not.toContain("<title>");
    await remote.domainSave({ dom, to: file });
    await remote.domainSaveImageDefineXml({ file, dxml, flags: 4 });
    expect((await remote.domainSaveImageGetXmlDesc({ file, flags: 1 })).xml).toContain("<title>changed</title>");
    await expect(
      remote.domainSaveImageDefineXml({ file, dxml: guestXml({ vcpus: 9 }), flags: 0 }),
    ).rejects.toMatchObject({ code: 67 });
    await expect(remote.domainRestoreFlags({ from: file, dxml: null, flags: 6 })).rejects.toMatchObject(
      virt(8, /'VIR_DOMAIN_SAVE_RUNNING' and 'VIR_DOMAIN_SAVE_PAUSED' are mutually exclusive$/),
    );
    await remote.domainRestore({ from: file });
    expect(await state()).toBe(3);
    await remote.domainDestroy({ dom });
    await expect(remote.domainSave({ dom, to: file })).rejects.toMatchObject(
      virt(55, "Requested operation is not valid: domain is not running"),
    );
    await expect(remote.domainRestoreParams({ params: [], flags: 0 })).rejects.toMatchObject({ code: 8 });
  });

  test("where the file cannot be written, the guest goes on and no file is left", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const { remote } = connection;
    const dom = await startGuest(connection);
    const to = join(folder, "no", "web");
    await expect(remote.domainSave({ dom, to })).rejects.toMatchObject({
      ...virt(38, `saving domain 'web' to '${to}': open failed: No such file or directory`),
      int1: 2,
    });
    expect((await remote.domainGetState({ dom, flags: 0 })).state).toBe(1);
  });

  test("what the system says is told in C's words", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const dom = await startGuest(connection);
    const loop = join(folder, "loop");
    await symlink(loop, loop);
    for (const [to, text] of [
      [folder, "Is a directory"],
      [loop, "Too many levels of symbolic links"],
      [join(folder, "x".repeat(300)), "File name too long"],
      [join(folder, "none", "x"), "No such file or directory"],
    ] as const) {
      await expect(connection.remote.domainSave({ dom, to })).rejects.toMatchObject(
        virt(38, `saving domain 'web' to '${to}': open failed: ${text}`),
      );
    }
  });

  test("what is no file, but a device that takes nothing, is left where it is", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const dom = await startGuest(connection);
    const to = join(folder, "full");
    await symlink("/dev/full", to);
    await expect(connection.remote.domainSave({ dom, to })).rejects.toMatchObject(
      virt(38, /write failed: No space left on device/),
    );
    expect(await readlink(to)).toBe("/dev/full");
    expect((await connection.remote.domainGetState({ dom, flags: 0 })).state).toBe(1);
  });

  test("an image that is changed by two at once is whole", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const { remote } = connection;
    const dom = await startGuest(connection, { extra: "<title>before</title>" });
    const file = join(folder, "image");
    await remote.domainSave({ dom, to: file });
    const { xml } = await remote.domainSaveImageGetXmlDesc({ file, flags: 0 });
    const titles = ["a", "much longer"];
    const changed = titles.map((title) => xml.replace("before", title));
    await Promise.all(changed.map((dxml) => remote.domainSaveImageDefineXml({ file, dxml, flags: 0 })));
    await remote.domainRestore({ from: file });
    const { xml: now } = await remote.domainGetXmlDesc({ dom, flags: 0 });
    expect(titles.filter((title) => now.includes(`<title>${title}</title>`))).toHaveLength(1);
    expect(await readdir(folder)).toEqual(["image"]);
  });

  test("an image is not trusted: each byte that is changed, cut or added makes it one that is refused", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const { remote } = connection;
    const dom = await startGuest(connection);
    const from = join(folder, "web");
    await remote.domainSave({ dom, to: from });
    await remote.domainUndefine({ dom });
    const good = await readFile(from);
    expect((await stat(from)).mode & 0o777).toBe(0o600);
    const refused = async (bytes: Uint8Array) => {
      await writeFile(from, bytes);
      await expect(remote.domainRestore({ from })).rejects.toMatchObject({ name: "VirtError" });
      expect((await remote.connectListAllDomains({ needResults: 0, flags: 0 })).ret).toBe(0);
    };
    const xml = good.readUInt32BE(16);
    for (const at of [0, 8, 12, 16, 20, 27, 28, 28 + xml, 28 + xml + 1, good.length - 33, good.length - 1]) {
      const bad = Buffer.from(good);
      bad[at]! ^= 0x55;
      await refused(bad);
    }
    for (const length of [0, 8, 27, 28, 28 + xml - 1, 28 + xml, good.length - 1])
      await refused(good.subarray(0, length));
    await refused(Buffer.concat([good, Buffer.of(0)]));
    await writeFile(from, good);
    await remote.domainRestore({ from });
  });

  test.each([
    ["", 9, /^operation failed: incomplete save header in '.*web'$/],
    ["x".repeat(40), 1, "internal error: mismatched header magic"],
    [`virtwSAV\0\0\0\u0002${"\0".repeat(16)}`, 9, "operation failed: image version is not supported (2 > 1)"],
    [`virtwSAV\0\0\0\u0001${"\0".repeat(16)}`, 1, "internal error: length of metadata out of range"],
  ])("%j is no image", async (text, code, message) => {
    await using host = new TestHost();
    const { remote } = await host.connect();
    const from = join(folder, "web");
    await writeFile(from, text);
    await expect(remote.domainRestore({ from })).rejects.toMatchObject(virt(code, message));
    await expect(remote.domainSaveImageGetXmlDesc({ file: from, flags: 0 })).rejects.toMatchObject(virt(code, message));
  });

  test("a file that is not there says so", async () => {
    await using host = new TestHost();
    const { remote } = await host.connect();
    const from = join(folder, "none");
    await expect(remote.domainRestore({ from })).rejects.toMatchObject(
      virt(38, `cannot read domain image '${from}': No such file or directory`),
    );
  });
});

describe("managed save", () => {
  test("the next start goes on from it", async () => {
    await using host = new TestHost({ maxMemory: 3 * MIB });
    const connection = await host.connect();
    const { remote } = connection;
    const dom = await startGuest(connection);
    const memory = await memoryOf(connection, dom, 2 * MIB);
    const heard = await lifecycleOf(connection);
    await remote.domainManagedSave({ dom, flags: 0 });
    expect((await remote.domainHasManagedSaveImage({ dom, flags: 0 })).result).toBe(1);
    const listed = async (flags: number) => (await remote.connectListAllDomains({ needResults: 0, flags })).ret;
    expect([await listed(256), await listed(512)]).toEqual([1, 0]);
    await remote.domainCreate({ dom });
    expect((await remote.domainHasManagedSaveImage({ dom, flags: 0 })).result).toBe(0);
    expect(Buffer.compare(await memoryOf(connection, dom, 2 * MIB), memory)).toBe(0);
    expect(await heard(2)).toEqual(["STOPPED SAVED", "STARTED RESTORED"]);
    expect(await remote.domainGetState({ dom, flags: 0 })).toEqual({ state: 1, reason: 3 });
  });

  test("VIR_DOMAIN_START_FORCE_BOOT and removing it forget it", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const { remote } = connection;
    const dom = await startGuest(connection);
    await remote.domainManagedSave({ dom, flags: 4 });
    await remote.domainCreateWithFlags({ dom, flags: 8 });
    expect(await remote.domainGetState({ dom, flags: 0 })).toEqual({ state: 1, reason: 1 });
    await remote.domainManagedSave({ dom, flags: 0 });
    await remote.domainManagedSaveRemove({ dom, flags: 0 });
    await remote.domainManagedSaveRemove({ dom, flags: 0 });
    expect((await remote.domainHasManagedSaveImage({ dom, flags: 0 })).result).toBe(0);
    await expect(remote.domainManagedSaveGetXmlDesc({ dom, flags: 0 })).rejects.toMatchObject(
      virt(55, "Requested operation is not valid: domain does not have managed save image"),
    );
  });

  test("its XML can be changed, as far as the guest does not see it", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const { remote } = connection;
    const dom = await startGuest(connection);
    await remote.domainManagedSave({ dom, flags: 0 });
    await remote.domainManagedSaveDefineXml({ dom, dxml: guestXml({ extra: "<title>new</title>" }), flags: 4 });
    expect((await remote.domainManagedSaveGetXmlDesc({ dom, flags: 0 })).xml).toContain("<title>new</title>");
    await expect(
      remote.domainManagedSaveDefineXml({ dom, dxml: guestXml({ vcpus: 9 }), flags: 0 }),
    ).rejects.toMatchObject({ code: 67 });
    await remote.domainCreate({ dom });
    expect((await remote.domainGetState({ dom, flags: 0 })).state).toBe(3);
    expect((await remote.domainGetXmlDesc({ dom, flags: 0 })).xml).toContain("<title>new</title>");
    expect((await remote.domainGetXmlDesc({ dom, flags: 2 })).xml).not.toContain("<title>");
  });

  test("a transient domain has none, and one that is undefined must say that it is to go", async () => {
    await using host = new TestHost({ maxMemory: 4 * MIB });
    const connection = await host.connect();
    const { remote } = connection;
    const xmlDesc = guestXml({ name: "t", uuid: UUID.replace("6", "7") });
    const { dom: transient } = await remote.domainCreateXml({ xmlDesc, flags: 0 });
    await expect(remote.domainManagedSave({ dom: transient, flags: 0 })).rejects.toMatchObject(
      virt(55, "Requested operation is not valid: cannot do managed save for transient domain"),
    );
    const dom = await startGuest(connection);
    await remote.domainManagedSave({ dom, flags: 0 });
    await expect(remote.domainUndefine({ dom })).rejects.toMatchObject(
      virt(55, "Requested operation is not valid: Refusing to undefine while domain managed save image exists"),
    );
    await remote.domainUndefineFlags({ dom, flags: 1 });
    await startGuest(connection); // its memory was given back
  });
});

describe("dumps", () => {
  test("are ELF core files with all of the guest's memory", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const { remote } = connection;
    const dom = await startGuest(connection);
    const memory = await memoryOf(connection, dom, 2 * MIB);
    const to = join(folder, "core");
    await remote.domainCoreDump({ dom, to, flags: 0 });
    const core = await readFile(to);
    expect(core.subarray(0, 4).toString("latin1")).toBe("\x7fELF");
    expect(core.readUInt16LE(16)).toBe(4);
    const offset = Number(core.readBigUInt64LE(64 + 8));
    expect(core.readBigUInt64LE(64 + 32)).toBe(BigInt(2 * MIB));
    expect(Buffer.compare(core.subarray(offset), memory)).toBe(0);
    const heard = await lifecycleOf(connection);
    await remote.domainCoreDumpWithFormat({ dom, to, dumpformat: 0, flags: 1 });
    expect(await heard(1)).toEqual(["STOPPED CRASHED"]);
    expect(await remote.domainGetState({ dom, flags: 0 })).toEqual({ state: 5, reason: 3 });
  });

  test("formats and flags that do not fit are refused", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const dom = await startGuest(connection);
    const dump = (dumpformat: number, flags: number) =>
      connection.remote.domainCoreDumpWithFormat({ dom, to: join(folder, "core"), dumpformat, flags });
    await expect(dump(1, 0)).rejects.toMatchObject(
      virt(84, "Operation not supported: kdump-compressed format is not supported here"),
    );
    await expect(dump(99, 0)).rejects.toMatchObject(virt(8, "invalid argument: dumpformat '99' is not supported"));
    await expect(dump(0, 3)).rejects.toMatchObject(virt(8, /VIR_DUMP_CRASH' and 'VIR_DUMP_LIVE' are mutually/));
  });
});

describe("jobs", () => {
  const { VIR_DOMAIN_JOB_OPERATION_SAVE } = VirDomainJobOperation;

  test("what is over can be asked about", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const { remote } = connection;
    const dom = await startGuest(connection, { memory: "<memory unit='MiB'>4</memory>" });
    expect((await remote.domainGetJobInfo({ dom })).type).toBe(0);
    await expect(remote.domainAbortJob({ dom })).rejects.toMatchObject(
      virt(55, "Requested operation is not valid: no job is active on the domain"),
    );
    await remote.domainSave({ dom, to: join(folder, "web") });
    const { type, params } = await remote.domainGetJobStats({ dom, flags: 1 });
    expect(type).toBe(3);
    const value = (name: string) => params.find(({ field }) => field === name)?.value.value;
    expect(value("operation")).toBe(VIR_DOMAIN_JOB_OPERATION_SAVE);
    expect(value("memory_processed")).toBe(BigInt(4 * MIB));
    expect(value("success")).toBe(1);
  });

  test("one at a time: it is aborted, or ends with its guest, and says how", async () => {
    const host = new Host({ clock: new FakeClock() });
    const domain = host.domains.claim(parseDomainXml(guestXml()), "any");
    domain.config = parseDomainXml(guestXml());
    await host.boot(domain, domain.config, false);
    const run = () =>
      runJob(host, domain, VIR_DOMAIN_JOB_OPERATION_SAVE, "domain save job", async (job) => {
        job.job.moved(MIB);
        while (true) {
          await turn();
          job.check();
        }
      });
    const aborted = expect(run()).rejects.toMatchObject(
      virt(78, "operation aborted: domain save job: canceled by client"),
    );
    const dom = domain.reference;
    const jobs = jobProcedures(host);
    expect(jobs.domainGetJobInfo({ dom })).toMatchObject({
      type: 2,
      memTotal: 2n * 2n ** 20n,
      memProcessed: 2n ** 20n,
    });
    expect(jobs.domainGetJobStats({ dom, flags: 0 }).type).toBe(2);
    await expect(run()).rejects.toMatchObject(virt(68, "Timed out during operation: cannot acquire state change lock"));
    jobs.domainAbortJob({ dom });
    await aborted;
    expect(jobs.domainGetJobInfo({ dom }).type).toBe(0);
    expect(jobs.domainGetJobStats({ dom, flags: 3 }).type).toBe(5);
    const ended = expect(run()).rejects.toMatchObject(virt(55, /domain is not running$/));
    host.stop(domain, 2);
    await ended;
    expect(jobs.domainGetJobStats({ dom, flags: 1 }).type).toBe(4);
    expect(jobs.domainGetJobStats({ dom, flags: 1 })).toEqual({ type: 0, params: [] });
  });
});
