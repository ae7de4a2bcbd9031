import { createHash } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Connection, connectTransport, type Domain } from "../../src/api/index.ts";
import { VirDomainMemoryFlags, VirDomainMigrateFlags, VirDomainState } from "../../src/generated/libvirt/index.ts";
import { createMemoryHypervisor, remoteProgram } from "../../src/hypervisor/index.ts";
import { type MigrationEvent, migrate, startMigration } from "../../src/migration/index.ts";
import { createServer, type Server } from "../../src/server/index.ts";
import { pair } from "../../src/transport/index.ts";

// Two hosts of ours in this process: our client between them, and the guest's memory over a real socket.

interface TestHost {
  readonly conn: Connection;
  readonly server: Server;
  close(): Promise<void>;
}

async function host(hostname: string): Promise<TestHost> {
  const hypervisor = createMemoryHypervisor({ hostname });
  const server = createServer({ programs: [remoteProgram(hypervisor)] });
  const conn = await connectTo(server);
  const close = async () => {
    await conn.close();
    await server.close();
    await hypervisor.close();
  };
  return { conn, server, close };
}

async function connectTo(server: Server, readOnly = false): Promise<Connection> {
  const [ours, theirs] = pair();
  server.accept(theirs);
  return connectTransport(ours, { readOnly });
}

let alpha: TestHost;
let beta: TestHost;
let guest: Domain;

beforeEach(async () => {
  [alpha, beta] = await Promise.all([host("alpha"), host("beta")]);
  guest = await alpha.conn.defineXML(
    "<domain type='virtwire'><name>web</name><title>old</title><memory unit='MiB'>8</memory></domain>",
  );
  await guest.create();
});

afterEach(async () => {
  await alpha.close();
  await beta.close();
});

async function memoryHash(domain: Domain): Promise<string> {
  const hash = createHash("sha256");
  for (const offset of [0n, 4n << 20n]) {
    hash.update(await domain.memoryPeek(offset, 4 << 20, VirDomainMemoryFlags.VIR_MEMORY_PHYSICAL));
  }
  return hash.digest("hex");
}

const { VIR_DOMAIN_RUNNING, VIR_DOMAIN_SHUTOFF } = VirDomainState;

test("migration/live: the guest runs on the destination under its new name, with the new XML and the same memory", async () => {
  const before = await memoryHash(guest);
  const dxml = (await guest.getXMLDesc()).replace("<title>old<", "<title>new<");
  const moved = await migrate(guest, beta.conn, { live: true, name: "web2", dxml });
  expect([moved.connection, moved.getName(), moved.getUUIDString()]).toEqual([
    beta.conn,
    "web2",
    guest.getUUIDString(),
  ]);
  expect((await moved.getState()).state).toBe(VIR_DOMAIN_RUNNING);
  expect(await moved.getXMLDesc()).toContain("<title>new</title>");
  expect(await memoryHash(moved)).toBe(before);
  expect((await guest.getState()).state).toBe(VIR_DOMAIN_SHUTOFF);
});

test("migration/back-and-forth: a guest that was moved can be moved back", async () => {
  const flags = VirDomainMigrateFlags.VIR_MIGRATE_PERSIST_DEST | VirDomainMigrateFlags.VIR_MIGRATE_UNDEFINE_SOURCE;
  const before = await memoryHash(guest);
  let moved = guest;
  for (const to of [beta, alpha, beta]) moved = await migrate(moved, to.conn, { live: true, flags });
  expect(await memoryHash(moved)).toBe(before);
  expect(await alpha.conn.listAllDomains()).toEqual([]);
});

test("migration/abort: the guest goes on running on the source, and nothing of it is on the destination", async () => {
  const control = new AbortController();
  const onProgress = ({ step, phase }: MigrationEvent) => {
    if (step === "perform" && phase === "started") control.abort();
  };
  const result = migrate(guest, beta.conn, {
    live: true,
    bandwidth: 1,
    signal: control.signal,
    onProgress,
    jobInterval: 5,
  });
  await expect(result).rejects.toMatchObject({ name: "AbortError" });
  expect((await guest.getState()).state).toBe(VIR_DOMAIN_RUNNING);
  expect(await beta.conn.listAllDomains()).toEqual([]);
});

test("migration/destination-lost: the guest goes on running on the source", async () => {
  const onProgress = ({ step, phase }: MigrationEvent) => {
    if (step === "perform" && phase === "started") void beta.conn.close();
  };
  const result = migrate(guest, beta.conn, { live: true, bandwidth: 1, onProgress });
  await expect(result).rejects.toBeInstanceOf(Error);
  expect((await guest.getState()).state).toBe(VIR_DOMAIN_RUNNING);
});

test("migration/events: as an async iterable, with the result beside it", async () => {
  const migration = startMigration(guest, beta.conn, { live: true });
  const seen: string[] = [];
  for await (const { step, phase } of migration) if (phase !== "running") seen.push(`${step} ${phase}`);
  expect(seen).toEqual(
    ["begin", "prepare", "perform", "finish", "confirm"].flatMap((step) => [`${step} started`, `${step} done`]),
  );
  expect((await migration.result).connection).toBe(beta.conn);
});

test("migration/events: the iteration ends with the migration's error", async () => {
  const migration = startMigration(guest, alpha.conn, { live: true });
  const read = async () => {
    for await (const event of migration) expect(event.step).not.toBe("perform");
  };
  await expect(read()).rejects.toThrow("Attempt to migrate guest to the same host");
  await expect(migration.result).rejects.toThrow("Attempt to migrate guest to the same host");
});

test("migration/read-only: refused for either side before anything is asked", async () => {
  const reader = await connectTo(beta.server, true);
  await expect(migrate(guest, reader)).rejects.toMatchObject({
    code: 29,
    domain: 20,
    message: "operation forbidden: read only access prevents virDomainMigrate3",
  });
  await reader.close();
});
