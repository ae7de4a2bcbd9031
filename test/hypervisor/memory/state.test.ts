import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createMemoryHypervisor } from "../../../src/hypervisor/index.ts";
import { diskFiles } from "../../../src/hypervisor/memory/state/store-files.ts";
import { FakeClock, guestXml, memoryOf, startGuest, TestHost, UUID, virt } from "../hosts.ts";

const MIB = 1 << 20;
const POOL = "<pool type='dir'><name>p</name><target><path>/p</path></target></pool>";
const DISKS = "<devices><disk type='file'><source file='/a'/><target dev='vda'/></disk></devices>";

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "state-"));
});
afterEach(() => rmSync(stateDir, { recursive: true }));

/** Two lives of a host, the second with what the first left. */
async function lives<T>(first: (host: TestHost) => Promise<T>, second: (host: TestHost, left: T) => Promise<void>) {
  let left: T;
  {
    await using host = new TestHost({ stateDir });
    left = await first(host);
  }
  await using host = new TestHost({ stateDir });
  await second(host, left);
}

describe("a host with a folder for its state", () => {
  test("has its domains again, with snapshots and all; guests are off", async () => {
    await lives(
      async (host) => {
        const connection = await host.connect();
        const { remote } = connection;
        const dom = await startGuest(connection, { extra: "<title>t</title>" });
        await remote.domainMigrateSetMaxSpeed({ dom, bandwidth: 7n, flags: 0 });
        for (const name of ["a", "b"]) {
          const xmlDesc = `<domainsnapshot><name>${name}</name></domainsnapshot>`;
          await remote.domainSnapshotCreateXml({ dom, xmlDesc, flags: 0 });
        }
        const transient = guestXml({ name: "t", uuid: UUID.replace("6", "7") });
        await remote.domainCreateXml({ xmlDesc: transient, flags: 0 });
        const { xml } = await remote.domainGetXmlDesc({ dom, flags: 2 });
        const { xml: b } = await remote.domainSnapshotGetXmlDesc({ snap: { name: "b", dom }, flags: 0 });
        return { xml, b };
      },
      async (host, { xml, b }) => {
        const { remote } = await host.connect();
        expect((await remote.connectListAllDomains({ needResults: 1, flags: 0 })).domains).toMatchObject([
          { name: "web", id: -1 },
        ]);
        const { dom } = await remote.domainLookupByName({ name: "web" });
        expect((await remote.domainGetXmlDesc({ dom, flags: 0 })).xml).toBe(xml);
        expect((await remote.domainSnapshotListNames({ dom, maxnames: 9, flags: 0 })).names).toEqual(["a", "b"]);
        expect((await remote.domainSnapshotCurrent({ dom, flags: 0 })).snap.name).toBe("b");
        expect((await remote.domainSnapshotGetXmlDesc({ snap: { name: "b", dom }, flags: 0 })).xml).toBe(b);
        expect((await remote.domainMigrateGetMaxSpeed({ dom, flags: 0 })).bandwidth).toBe(7n);
      },
    );
  });

  test("has every snapshot that could be made", async () => {
    const clock = new FakeClock();
    clock.date = () => 0; // a creation time that no XML shows
    const names: string[] = [];
    {
      await using host = new TestHost({ stateDir, clock });
      const connection = await host.connect();
      const { remote } = connection;
      const { dom } = await remote.domainDefineXml({ xml: guestXml() });
      const external = "<memory snapshot='external' file='/m'/>";
      for (const inside of ["<name>a</name>", `<name>b</name>${external}`, "<name> c\n\t</name>"]) {
        const xmlDesc = `<domainsnapshot>${inside}</domainsnapshot>`;
        const made = await remote.domainSnapshotCreateXml({ dom, xmlDesc, flags: 0 }).catch(() => undefined);
        if (made !== undefined) names.push(made.snap.name);
      }
    }
    await using host = new TestHost({ stateDir });
    const { remote } = await host.connect();
    const { dom } = await remote.domainLookupByName({ name: "web" });
    expect((await remote.domainSnapshotListNames({ dom, maxnames: 9, flags: 1024 })).names.sort()).toEqual(
      names.sort(),
    );
    expect(names).toContain("a");
  });

  test("has checkpoints again", async () => {
    await lives(
      async (host) => {
        const connection = await host.connect();
        const dom = await startGuest(connection, { extra: DISKS });
        const xmlDesc = "<domaincheckpoint><name>c</name></domaincheckpoint>";
        const { checkpoint } = await connection.remote.domainCheckpointCreateXml({ dom, xmlDesc, flags: 0 });
        return (await connection.remote.domainCheckpointGetXmlDesc({ checkpoint, flags: 0 })).xml;
      },
      async (host, xml) => {
        const { remote } = await host.connect();
        const { dom } = await remote.domainLookupByName({ name: "web" });
        const { checkpoint } = await remote.domainCheckpointLookupByName({ dom, name: "c", flags: 0 });
        expect((await remote.domainCheckpointGetXmlDesc({ checkpoint, flags: 0 })).xml).toBe(xml);
      },
    );
  });

  test("starts what is to start with it, from its managed save where there is one", async () => {
    await lives(
      async (host) => {
        const connection = await host.connect();
        const { remote } = connection;
        const dom = await startGuest(connection);
        const memory = await memoryOf(connection, dom, 2 * MIB);
        await remote.domainSetAutostart({ dom, autostart: 1 });
        await remote.domainManagedSave({ dom, flags: 4 });
        const other = guestXml({ name: "b", uuid: UUID.replace("6", "7") });
        const { dom: second } = await remote.domainDefineXml({ xml: other });
        await remote.domainSetAutostart({ dom: second, autostart: 1 });
        return memory;
      },
      async (host, memory) => {
        const connection = await host.connect();
        const { remote } = connection;
        const { dom } = await remote.domainLookupByName({ name: "web" });
        const { dom: second } = await remote.domainLookupByName({ name: "b" });
        const state = async (of: typeof dom) => Object.values(await remote.domainGetState({ dom: of, flags: 0 }));
        await expect.poll(() => state(dom)).toEqual([3, 1]);
        await expect.poll(() => state(second)).toEqual([1, 1]);
        expect(Buffer.compare(await memoryOf(connection, dom, 2 * MIB), memory)).toBe(0);
      },
    );
  });

  test("has networks, pools, interfaces, secrets and filters again", async () => {
    await lives(
      async (host) => {
        const { remote } = await host.connect();
        const { net } = await remote.networkDefineXml({ xml: "<network><name>n</name><bridge name='br'/></network>" });
        await remote.networkCreate({ net });
        await remote.networkSetAutostart({ net, autostart: 1 });
        await remote.networkCreateXml({ xml: "<network><name>gone</name><bridge name='br2'/></network>" });
        const { pool } = await remote.storagePoolDefineXml({ xml: POOL, flags: 0 });
        await remote.storagePoolSetAutostart({ pool, autostart: 1 });
        const { secret } = await remote.secretDefineXml({
          xml: "<secret><usage type='volume'><volume>/v</volume></usage></secret>",
          flags: 0,
        });
        await remote.secretSetValue({ secret, value: Buffer.from("secret"), flags: 0 });
        await remote.secretDefineXml({ xml: "<secret ephemeral='yes'/>", flags: 0 });
        await remote.nwfilterDefineXml({ xml: "<filter name='f' chain='root'/>" });
        const { iface } = await remote.interfaceDefineXml({
          xml: "<interface type='ethernet' name='eth7'><mac address='02:00:00:00:00:07'/></interface>",
          flags: 0,
        });
        await remote.interfaceCreate({ iface, flags: 0 });
        return { net, secret };
      },
      async (host, { net, secret }) => {
        const { remote } = await host.connect();
        expect((await remote.connectListAllNetworks({ needResults: 1, flags: 0 })).nets).toEqual([net]);
        expect((await remote.networkIsActive({ net })).active).toBe(1);
        const { pools } = await remote.connectListAllStoragePools({ needResults: 1, flags: 2 });
        expect(pools.map(({ name }) => name)).toEqual(["p"]);
        expect((await remote.connectListAllSecrets({ needResults: 1, flags: 0 })).secrets).toEqual([secret]);
        expect(Buffer.from((await remote.secretGetValue({ secret, flags: 0 })).value).toString()).toBe("secret");
        expect((await remote.connectListAllNwfilters({ needResults: 0, flags: 0 })).ret).toBe(1);
        const { iface } = await remote.interfaceLookupByName({ name: "eth7" });
        expect((await remote.interfaceIsActive({ iface })).active).toBe(1);
      },
    );
  });

  test("has volumes again with the bytes that were uploaded, and not those of one that was deleted", async () => {
    const text = Buffer.from("some bytes of a volume");
    await lives(
      async (host) => {
        const connection = await host.connect();
        const { remote } = connection;
        const { pool } = await remote.storagePoolDefineXml({ xml: POOL, flags: 0 });
        await remote.storagePoolCreate({ pool, flags: 0 });
        await remote.storagePoolSetAutostart({ pool, autostart: 1 });
        const make = async (name: string) => {
          const xml = `<volume><name>${name}</name><capacity>1048576</capacity></volume>`;
          return (await remote.storageVolCreateXml({ pool, xml, flags: 0 })).vol;
        };
        const upload = async (path: string) => {
          const volume = await connection.lookupStorageVolByPath(path);
          const stream = await volume.upload(100_000n, 0n);
          await stream.write(text);
          await stream.finish();
        };
        const gone = await make("gone");
        await make("v");
        await upload("/p/gone");
        await upload("/p/v");
        await remote.storageVolDelete({ vol: gone, flags: 0 });
        await make("gone");
      },
      async (host) => {
        const connection = await host.connect();
        const read = async (path: string) => {
          const volume = await connection.lookupStorageVolByPath(path);
          const stream = await volume.download(100_000n, BigInt(text.length));
          const parts: Uint8Array[] = [];
          for await (const lease of stream) {
            parts.push(Uint8Array.from(lease.bytes));
            lease.release();
          }
          await stream.finish();
          return Buffer.concat(parts);
        };
        expect(await read("/p/v")).toEqual(text);
        expect(await read("/p/gone")).toEqual(Buffer.alloc(text.length));
      },
    );
  });

  test("starts with an inventory once only", async () => {
    const listed = async (host: TestHost) => {
      const { remote } = await host.connect();
      return (await remote.connectListAllNetworks({ needResults: 1, flags: 0 })).nets;
    };
    {
      await using host = new TestHost({ stateDir, inventory: "test" });
      const [net] = await listed(host);
      const { remote } = await host.connect();
      await remote.networkDestroy({ net: net! });
      await remote.networkUndefine({ net: net! });
    }
    await using host = new TestHost({ stateDir, inventory: "test" });
    expect(await listed(host)).toEqual([]);
    const { remote } = await host.connect();
    expect((await remote.connectListAllNodeDevices({ needResults: 0, flags: 0 })).ret).toBe(4);
  });

  test("a call whose change cannot be kept fails, and the next one keeps it", async () => {
    await lives(
      async (host) => {
        const { remote } = await host.connect();
        await remote.domainDefineXml({ xml: guestXml() });
        await rm(join(stateDir, "domains"), { recursive: true });
        const define = () => remote.domainDefineXml({ xml: guestXml({ vcpus: 3 }) });
        await expect(define()).rejects.toMatchObject(
          virt(38, "cannot save the state of the host: No such file or directory"),
        );
        expect(await readdir(stateDir)).not.toContain("domains");
        await mkdir(join(stateDir, "domains"));
        await define();
      },
      async (host) => {
        const { remote } = await host.connect();
        const { dom } = await remote.domainLookupByName({ name: "web" });
        expect((await remote.domainGetInfo({ dom })).nrVirtCpu).toBe(3);
      },
    );
  });

  test("is the only one with that folder, until it is closed", async () => {
    {
      await using host = new TestHost({ stateDir });
      await (await host.connect()).remote.domainDefineXml({ xml: guestXml() });
      expect(() => createMemoryHypervisor({ stateDir })).toThrow(`${stateDir} is in use: this process`);
    }
    await using host = new TestHost({ stateDir });
    expect((await (await host.connect()).remote.connectNumOfDefinedDomains()).num).toBe(1);
  });

  test("does not start where something cannot be read, and leaves it and the folder alone", async () => {
    {
      await using host = new TestHost({ stateDir });
      await (await host.connect()).remote.domainDefineXml({ xml: guestXml() });
    }
    const path = join(stateDir, "domains", `${UUID}.json`);
    const good = await readFile(path);
    await writeFile(path, "{}");
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(() => createMemoryHypervisor({ stateDir })).toThrow(
        expect.objectContaining({ name: "StateError", message: `${path} is damaged` }),
      );
    }
    expect(await readFile(path, "utf8")).toBe("{}");
    await writeFile(path, good);
    await createMemoryHypervisor({ stateDir }).close();
  });

  test("tells of a guest that does not start with it, and of a first write that fails", async () => {
    {
      await using host = new TestHost({ stateDir });
      const { remote } = await host.connect();
      const { dom } = await remote.domainDefineXml({ xml: guestXml() });
      await remote.domainSetAutostart({ dom, autostart: 1 });
    }
    const heard: string[] = [];
    const onError = ({ message }: Error) => heard.push(message);
    {
      await using _host = new TestHost({ stateDir, onError, maxMemory: MIB });
      await expect
        .poll(() => heard)
        .toEqual([expect.stringMatching(/^Failed to autostart VM 'web': out of memory: guest wants/)]);
    }
    heard.length = 0;
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { errno: -28, code: "ENOSPC" });
    const write = vi.spyOn(diskFiles, "write").mockRejectedValueOnce(full);
    try {
      await using _host = new TestHost({ stateDir: join(stateDir, "new"), onError, inventory: "test" });
      const told = "cannot save the state of the host: No space left on device";
      await expect.poll(() => heard).toEqual([expect.stringContaining(told)]);
    } finally {
      write.mockRestore();
    }
  });

  test("that was killed while it first wrote what it starts with starts anew", async () => {
    await createMemoryHypervisor({ stateDir, inventory: "test" }).close();
    await rm(join(stateDir, "host"), { recursive: true }); // the last to be written
    await using host = new TestHost({ stateDir, inventory: "test" });
    const { remote } = await host.connect();
    expect((await remote.connectListAllNetworks({ needResults: 0, flags: 0 })).ret).toBe(1);
    expect((await remote.connectListAllDomains({ needResults: 0, flags: 0 })).ret).toBe(1);
  });

  test("that is closed while somebody uploads keeps its volumes", async () => {
    {
      await using host = new TestHost({ stateDir });
      const connection = await host.connect();
      const { remote } = connection;
      const { pool } = await remote.storagePoolDefineXml({ xml: POOL, flags: 0 });
      await remote.storagePoolCreate({ pool, flags: 0 });
      await remote.storagePoolSetAutostart({ pool, autostart: 1 });
      const xml = "<volume><name>v</name><capacity>1048576</capacity></volume>";
      await remote.storageVolCreateXml({ pool, xml, flags: 0 });
      const stream = await (await connection.lookupStorageVolByPath("/p/v")).upload(0n, 0n);
      await stream.write(Buffer.from("half"));
      await host.hypervisor.close();
      await expect(stream.finish()).rejects.toMatchObject(virt(9, /the host has been shut down/));
    }
    await using host = new TestHost({ stateDir });
    const volume = await (await host.connect()).lookupStorageVolByPath("/p/v");
    expect((await volume.getInfo()).capacity).toBe(1_048_576n);
  });
});
