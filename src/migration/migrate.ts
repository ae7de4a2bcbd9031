import { type Connection, Domain } from "../api/index.ts";
import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { virtError } from "../rpc/index.ts";
import { EventQueue, type MigrationEvent } from "./events.ts";
import { type MigrateOptions, migrateBetween } from "./managed.ts";

/**
 * Moves a guest to the host at the other end of `dconn`, driven from here by protocol 3: virDomainMigrate3.
 *
 * Neither connection is closed. Flags that call for another protocol (PEER2PEER, TUNNELLED) are refused.
 * @returns the guest on the destination.
 * @throws {VirtError} the first error of either host, or ours in libvirt's words; code 3 where the hosts have no
 *   protocol in common that this version speaks.
 * @throws {AbortError} after `signal`.
 */
export async function migrate(domain: Domain, dconn: Connection, options: MigrateOptions = {}): Promise<Domain> {
  if (domain.connection.readOnly || dconn.readOnly) {
    const detail = "read only access prevents virDomainMigrate3";
    throw virtError(VirErrorNumber.VIR_ERR_OPERATION_DENIED, VirErrorDomain.VIR_FROM_DOMAIN, detail);
  }
  return new Domain(dconn, await migrateBetween(domain.connection, domain.ref, dconn, options));
}

/** A migration under way: its events, to be read once, and its result. */
export interface Migration extends AsyncIterable<MigrationEvent> {
  /** As {@link migrate} answers. The iteration throws the same error after the last event. */
  readonly result: Promise<Domain>;
}

/**
 * Like {@link migrate}, with the events as an async iterable. A reader that lags misses nothing but outdated `running`
 * events; one that leaves does not stop the migration.
 */
export function startMigration(domain: Domain, dconn: Connection, options: MigrateOptions = {}): Migration {
  const events = new EventQueue();
  const onProgress = (event: MigrationEvent) => {
    events.push(event);
    options.onProgress?.(event);
  };
  const result = migrate(domain, dconn, { ...options, onProgress });
  result.then(
    () => events.end({}),
    (error) => events.end({ error }),
  );
  const reader = events.read();
  return { result, [Symbol.asyncIterator]: () => reader };
}
