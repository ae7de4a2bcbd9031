import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Connection, connectTransport, formatUUID, parseUUID, VirtError } from "../../src/api/index.ts";
import {
  VirConnectListAllDomainsFlags,
  VirDomainMemoryFlags,
  VirDomainState,
  VirErrorNumber,
} from "../../src/generated/libvirt/index.ts";
import { createMemoryHypervisor, type Hypervisor, remoteProgram } from "../../src/hypervisor/index.ts";
import { createServer, type Server } from "../../src/server/index.ts";
import { pair } from "../../src/transport/index.ts";

let hypervisor: Hypervisor;
let server: Server;
let conn: Connection;

beforeEach(async () => {
  hypervisor = createMemoryHypervisor({ hostname: "alpha" });
  server = createServer({ programs: [remoteProgram(hypervisor)] });
  const [ours, theirs] = pair();
  server.accept(theirs);
  conn = await connectTransport(ours);
});

afterEach(async () => {
  await conn.close();
  await server.close();
  await hypervisor.close();
});

const UUID = "11111111-2222-4333-8444-555555555555";
const xml = `<domain type='virtwire'><name>web</name><uuid>${UUID}</uuid><memory unit='MiB'>2</memory><vcpu>2</vcpu></domain>`;

test("domain/names: a definition is found by name and by UUID, with no id while it is not running", async () => {
  const defined = await conn.defineXML(xml);
  for (const domain of [
    defined,
    await conn.lookupDomainByName("web"),
    await conn.lookupDomainByUUID(defined.getUUID()),
    await conn.lookupDomainByUUIDString(UUID.toUpperCase().replaceAll("-", "")),
    (await conn.listAllDomains())[0]!,
  ]) {
    expect([domain.getName(), domain.getID(), domain.getUUIDString()]).toEqual(["web", -1, UUID]);
    expect(domain.connection).toBe(conn);
  }
  expect(await conn.listAllDomains(VirConnectListAllDomainsFlags.VIR_CONNECT_LIST_DOMAINS_ACTIVE)).toEqual([]);
});

test("domain/id: known after create, gone after destroy", async () => {
  const domain = await conn.defineXMLFlags(xml);
  await domain.create();
  expect(domain.getID()).toBe(1);
  expect((await conn.lookupDomainByID(1)).getName()).toBe("web");
  await domain.destroy();
  expect(domain.getID()).toBe(-1);
  await domain.createWithFlags();
  expect(domain.getID()).toBe(2);
  await domain.destroyFlags();
  expect(domain.getID()).toBe(-1);
});

test("domain/facts: info, state, XML and the like", async () => {
  const domain = await conn.defineXML(xml);
  await domain.create();
  expect(await domain.getInfo()).toMatchObject({ state: 1, maxMem: 2048n, memory: 2048n, nrVirtCpu: 2 });
  expect((await domain.getState()).state).toBe(VirDomainState.VIR_DOMAIN_RUNNING);
  expect(await domain.getXMLDesc()).toContain("<name>web</name>");
  expect(await domain.getOSType()).toBe("hvm");
  expect(await domain.getMaxMemory()).toBe(2048n);
  expect([await domain.isActive(), await domain.isPersistent()]).toEqual([true, true]);
  await domain.suspend();
  expect((await domain.getState()).state).toBe(VirDomainState.VIR_DOMAIN_PAUSED);
  await domain.resume();
  const bytes = await domain.memoryPeek(4096n, 16, VirDomainMemoryFlags.VIR_MEMORY_PHYSICAL);
  expect(bytes).toHaveLength(16);
});

test("domain/transient: vanishes when it stops, and then no call finds it", async () => {
  const domain = await conn.createXML(xml);
  expect(await domain.isPersistent()).toBe(false);
  await domain.destroy();
  const error: unknown = await domain.getInfo().catch((e: unknown) => e);
  expect(error).toBeInstanceOf(VirtError);
  expect(error).toMatchObject({
    code: VirErrorNumber.VIR_ERR_NO_DOMAIN,
    message: `Domain not found: no domain with matching uuid '${UUID}' (web)`,
  });
});

describe("domain/uuid", () => {
  test("16 bytes, hyphens where RFC 9562 has them", () => {
    expect(formatUUID(parseUUID(UUID)!)).toBe(UUID);
  });

  test.each(["", "web", UUID.slice(1), `${UUID}0`, UUID.replace("1", "g")])("%j is none", async (text) => {
    expect(parseUUID(text)).toBeUndefined();
    await expect(conn.lookupDomainByUUIDString(text)).rejects.toThrow("not a UUID");
  });

  test("a copy: what the caller does with it stays with the caller", async () => {
    const domain = await conn.defineXML(xml);
    domain.getUUID().fill(0);
    expect(domain.getUUIDString()).toBe(UUID);
  });
});
