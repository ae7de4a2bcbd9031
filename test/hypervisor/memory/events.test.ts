import { describe, expect, test } from "vitest";
import { type Connection, connectTransport, type DomainEvents } from "../../../src/api/index.ts";
import {
  VirDomainEventDefinedDetailType as Defined,
  VirDomainEventResumedDetailType as Resumed,
  VirDomainEventStartedDetailType as Started,
  VirDomainEventStoppedDetailType as Stopped,
  VirDomainEventSuspendedDetailType as Suspended,
  VirDomainEventType as Type,
  VirDomainEventUndefinedDetailType as Undefined,
  VirErrorNumber,
} from "../../../src/generated/libvirt/index.ts";
import {
  connectDomainEventCallbackDeregisterAny,
  connectDomainEventCallbackRegisterAny,
} from "../../../src/generated/remote/index.ts";
import { createMemoryHypervisor, type Hypervisor, remoteProgram } from "../../../src/hypervisor/index.ts";
import { migrate } from "../../../src/migration/index.ts";
import { createServer } from "../../../src/server/index.ts";
import { pair } from "../../../src/transport/index.ts";

const xml = (name: string) =>
  `<domain type='test'><name>${name}</name><memory>4096</memory><os><type>hvm</type></os></domain>`;

async function open(hypervisor: Hypervisor): Promise<Connection> {
  const server = createServer({ programs: [remoteProgram(hypervisor)] });
  const [near, far] = pair();
  server.accept(far);
  return connectTransport(near, { name: "test:///default" });
}

/** What each of a number of events says. */
async function take(events: AsyncIterator<DomainEvents["lifecycle"] | { kind: "gap" }>, count: number) {
  const seen: [string, number, number][] = [];
  for (let i = 0; i < count; i++) {
    const { value } = await events.next();
    if (value?.kind !== "lifecycle") throw new Error("no event");
    seen.push([value.domain.getName(), value.event, value.detail]);
  }
  return seen;
}

describe("lifecycle events of guests in memory", () => {
  test("a whole life, as libvirt's drivers tell it, to every connection that asked", async () => {
    await using hypervisor = createMemoryHypervisor({ hostname: "one" });
    await using conn = await open(hypervisor);
    await using other = await open(hypervisor);
    await using events = await conn.domainEvents("lifecycle");
    await using elsewhere = await other.domainEvents("lifecycle");
    await using reboots = await other.domainEvents("reboot");
    const web = await conn.defineXML(xml("web"));
    await conn.defineXML((await web.getXMLDesc()).replace("4096", "8192"));
    await web.create();
    await web.suspend();
    await web.resume();
    await web.reboot();
    await web.shutdown();
    await web.createWithFlags(1); // paused
    await web.destroy();
    await web.rename("www");
    await web.undefine();
    const life = [
      ["web", Type.VIR_DOMAIN_EVENT_DEFINED, Defined.VIR_DOMAIN_EVENT_DEFINED_ADDED],
      ["web", Type.VIR_DOMAIN_EVENT_DEFINED, Defined.VIR_DOMAIN_EVENT_DEFINED_UPDATED],
      ["web", Type.VIR_DOMAIN_EVENT_STARTED, Started.VIR_DOMAIN_EVENT_STARTED_BOOTED],
      ["web", Type.VIR_DOMAIN_EVENT_SUSPENDED, Suspended.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED],
      ["web", Type.VIR_DOMAIN_EVENT_RESUMED, Resumed.VIR_DOMAIN_EVENT_RESUMED_UNPAUSED],
      ["web", Type.VIR_DOMAIN_EVENT_STOPPED, Stopped.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN],
      ["web", Type.VIR_DOMAIN_EVENT_STARTED, Started.VIR_DOMAIN_EVENT_STARTED_BOOTED],
      ["web", Type.VIR_DOMAIN_EVENT_SUSPENDED, Suspended.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED],
      ["web", Type.VIR_DOMAIN_EVENT_STOPPED, Stopped.VIR_DOMAIN_EVENT_STOPPED_DESTROYED],
      ["web", Type.VIR_DOMAIN_EVENT_UNDEFINED, Undefined.VIR_DOMAIN_EVENT_UNDEFINED_RENAMED],
      ["www", Type.VIR_DOMAIN_EVENT_DEFINED, Defined.VIR_DOMAIN_EVENT_DEFINED_RENAMED],
      ["www", Type.VIR_DOMAIN_EVENT_UNDEFINED, Undefined.VIR_DOMAIN_EVENT_UNDEFINED_REMOVED],
    ];
    expect(await take(events, life.length)).toEqual(life);
    expect(await take(elsewhere, life.length)).toEqual(life);
    const { value } = await reboots.next();
    expect(value.kind === "reboot" && value.domain.getName()).toBe("web");
  });

  test("of one guest only, and none after deregistering", async () => {
    await using hypervisor = createMemoryHypervisor();
    await using conn = await open(hypervisor);
    const web = await conn.defineXML(xml("web"));
    const db = await conn.defineXML(xml("db"));
    await using events = await conn.domainEvents("lifecycle", { domain: db });
    await web.create();
    await db.create();
    expect(await take(events, 1)).toEqual([["db", Type.VIR_DOMAIN_EVENT_STARTED, 0]]);
    await events.close();
    await db.destroy();
    await expect(conn.call(connectDomainEventCallbackDeregisterAny, { callbackID: 0 })).rejects.toMatchObject({
      code: VirErrorNumber.VIR_ERR_INTERNAL_ERROR,
      message: "internal error: domain event callback 0 not registered",
    });
  });

  test("a guest that is destroyed before it has started neither starts nor stops", async () => {
    await using hypervisor = createMemoryHypervisor();
    await using conn = await open(hypervisor);
    const web = await conn.defineXML(xml("web").replace("4096", `${64 * 1024}`));
    await using events = await conn.domainEvents("lifecycle");
    const starting = web.create();
    starting.catch(() => {});
    await web.destroy();
    await expect(starting).rejects.toMatchObject({ code: VirErrorNumber.VIR_ERR_OPERATION_INVALID });
    await web.undefine();
    expect(await take(events, 1)).toEqual([["web", Type.VIR_DOMAIN_EVENT_UNDEFINED, 0]]);
  });

  test.each([-1, 28])("event %i is none that the daemon knows", async (eventID) => {
    await using hypervisor = createMemoryHypervisor();
    await using conn = await open(hypervisor);
    await expect(conn.call(connectDomainEventCallbackRegisterAny, { eventID, dom: null })).rejects.toMatchObject({
      code: VirErrorNumber.VIR_ERR_INTERNAL_ERROR,
      domain: 7,
      message: `internal error: unsupported event ID ${eventID}`,
    });
  });

  test("a migration: the destination has it started before it runs, the source has it stopped after", async () => {
    await using one = createMemoryHypervisor({ hostname: "one" });
    await using two = createMemoryHypervisor({ hostname: "two" });
    await using source = await open(one);
    await using destination = await open(two);
    const web = await source.createXML(xml("web"));
    await using left = await source.domainEvents("lifecycle");
    await using arrived = await destination.domainEvents("lifecycle");
    await migrate(web, destination, { live: true });
    expect(await take(arrived, 2)).toEqual([
      ["web", Type.VIR_DOMAIN_EVENT_STARTED, Started.VIR_DOMAIN_EVENT_STARTED_MIGRATED],
      ["web", Type.VIR_DOMAIN_EVENT_RESUMED, Resumed.VIR_DOMAIN_EVENT_RESUMED_MIGRATED],
    ]);
    expect(await take(left, 2)).toEqual([
      ["web", Type.VIR_DOMAIN_EVENT_SUSPENDED, Suspended.VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED],
      ["web", Type.VIR_DOMAIN_EVENT_STOPPED, Stopped.VIR_DOMAIN_EVENT_STOPPED_MIGRATED],
    ]);
  });
});
