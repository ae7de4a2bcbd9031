import { expect } from "vitest";
import type { Connection } from "../../../src/api/index.ts";
import * as libvirt from "../../../src/generated/libvirt/index.ts";

const details = new Map<number, readonly [name: string, details: Readonly<Record<string, number>>]>([
  [0, ["DEFINED", libvirt.VirDomainEventDefinedDetailType]],
  [1, ["UNDEFINED", libvirt.VirDomainEventUndefinedDetailType]],
  [2, ["STARTED", libvirt.VirDomainEventStartedDetailType]],
  [3, ["SUSPENDED", libvirt.VirDomainEventSuspendedDetailType]],
  [4, ["RESUMED", libvirt.VirDomainEventResumedDetailType]],
  [5, ["STOPPED", libvirt.VirDomainEventStoppedDetailType]],
]);

/**
 * Listens to the life of guests from now on.
 *
 * @returns what waits for so many events and tells all that came: `STOPPED FROM_SNAPSHOT`.
 */
export async function lifecycleOf(connection: Connection): Promise<(count: number) => Promise<string[]>> {
  const heard: string[] = [];
  const events = await connection.domainEvents("lifecycle");
  const listen = async () => {
    for await (const each of events) {
      if (each.kind !== "lifecycle") throw new Error("events were lost");
      const [name, table] = details.get(each.event) ?? [String(each.event), {}];
      const detail = Object.keys(table).find((key) => table[key] === each.detail) ?? String(each.detail);
      heard.push(`${name} ${detail.replace(`VIR_DOMAIN_EVENT_${name}_`, "")}`);
    }
  };
  void listen().catch(() => {}); // the connection's end
  return async (count) => {
    await expect.poll(() => heard.length).toBeGreaterThanOrEqual(count);
    await connection.remote.connectGetLibVersion(); // what was sent before its answer has come by then
    return heard;
  };
}
