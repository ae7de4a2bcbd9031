import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import type { Domain } from "../domain.ts";
import { type DomainDefinition, parseDomainXml } from "../domain-xml.ts";
import type { Host } from "../host.ts";
import type { MomentList } from "../moment/moment-list.ts";
import { nextVersion, startFromManagedSave } from "../save/managed-save.ts";
import { BLOCK, blocksOf } from "../save/save-image.ts";
import type { SavedGuest } from "../save/saved-guest.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { StoredBytes } from "./block-file.ts";
import type { LoadedObject, StateSource, StoredObject } from "./store.ts";

/** What a domain's file says beside its XML. Everything about a domain is in one file: it changes in one step. */
interface DomainExtra {
  readonly autostart: boolean;
  readonly maxSpeed: string;
  readonly maxDowntime: string;
  readonly snapshots: Moments<Snapshot>;
  readonly checkpoints: Moments<Checkpoint>;
  readonly saved: {
    readonly xml: string;
    readonly running: boolean;
    readonly total: string;
    readonly size: number;
  } | null;
}

/**
 * Snapshots or checkpoints. Not as XML: what libvirt's schema has no place for, or leaves out, would be lost, and what
 * was accepted when it was made could be refused.
 */
interface Moments<M extends Snapshot | Checkpoint> {
  readonly all: readonly (Omit<M, "creationTime" | "definition"> & {
    readonly creationTime: string;
    /** Which of the definitions. */
    readonly definition: number | null;
  })[];
  /** Most moments of a domain have the same. */
  readonly definitions: readonly string[];
  /** The name of the current one. */
  readonly current: string | null;
}

/** Persistent domains. Guests end with the process that they are in. */
export function domainState(host: Host): StateSource {
  return {
    kind: "domains",
    objects: () =>
      [...host.domains].flatMap((domain) => (domain.config === undefined ? [] : [stored(domain, domain.config)])),
    restore: (object) => restore(host, object),
  };
}

function stored(domain: Domain, { xml }: DomainDefinition): StoredObject {
  const { snapshots, checkpoints, managedSave: saved } = domain;
  const extra: DomainExtra = {
    autostart: domain.autostart,
    maxSpeed: String(domain.maxSpeed),
    maxDowntime: String(domain.maxDowntime),
    snapshots: momentsOf(snapshots),
    checkpoints: momentsOf(checkpoints),
    saved: saved === undefined ? null : savedExtra(saved),
  };
  const object = { key: domain.uuidText, xml, extra: { ...extra } };
  return saved === undefined ? object : { ...object, bytes: bytesOf(saved) };
}

const savedExtra = ({ definition, running, memory }: SavedGuest) => ({
  xml: definition.xml,
  running,
  total: String(memory.total),
  size: memory.size,
});

/** A guest's memory never changes once it is saved. */
function bytesOf({ memory, version }: SavedGuest): StoredBytes {
  const { bytes } = memory;
  return {
    blockSize: BLOCK,
    version,
    *blocks() {
      let index = 0;
      for (const block of blocksOf(bytes)) {
        if (block !== undefined) yield [index, version];
        index++;
      }
    },
    block(index) {
      const whole = new Uint8Array(BLOCK);
      whole.set(bytes.subarray(index * BLOCK, (index + 1) * BLOCK));
      return { version, bytes: whole };
    },
  };
}

function restore(host: Host, { xml, extra: unknownExtra, blocks }: LoadedObject): void {
  const extra = unknownExtra as unknown as DomainExtra; // checked against its checksum: as `stored` made it
  const definition = parseDomainXml(xml);
  const domain = host.domains.claim(definition, "any");
  domain.config = definition;
  domain.autostart = extra.autostart;
  domain.maxSpeed = BigInt(extra.maxSpeed);
  domain.maxDowntime = BigInt(extra.maxDowntime);
  restoreMoments(domain.snapshots, extra.snapshots);
  restoreMoments(domain.checkpoints, extra.checkpoints);
  if (extra.saved !== null) {
    const memory = new Uint8Array(extra.saved.size);
    for (const [index, block] of blocks()) {
      const at = index * BLOCK;
      memory.set(block.subarray(0, memory.byteLength - at), at);
    }
    domain.managedSave = {
      definition: parseDomainXml(extra.saved.xml),
      running: extra.saved.running,
      memory: host.memory.adopt(memory, BigInt(extra.saved.total)),
      version: nextVersion(),
    };
  }
  host.domains.add(domain);
}

function momentsOf<M extends Snapshot | Checkpoint>(moments: MomentList<M>): Moments<M> {
  const definitions = new Map<string, number>();
  const all = Array.from(moments, ({ creationTime, definition, ...rest }) => {
    if (definition === undefined) return { ...rest, creationTime: String(creationTime), definition: null };
    const number = definitions.get(definition.xml) ?? definitions.size;
    definitions.set(definition.xml, number);
    return { ...rest, creationTime: String(creationTime), definition: number };
  });
  return { all, definitions: [...definitions.keys()], current: moments.current?.name ?? null };
}

function restoreMoments<M extends Snapshot | Checkpoint>(into: MomentList<M>, moments: Moments<M>): void {
  const definitions = moments.definitions.map(parseDomainXml);
  for (const { creationTime, definition, ...rest } of moments.all) {
    into.add({
      ...rest,
      creationTime: BigInt(creationTime),
      definition: definition === null ? undefined : definitions[definition],
    } as unknown as M); // the rest of it, whole
  }
  into.current = moments.current === null ? undefined : into.get(moments.current);
}

/**
 * Starts the domains that are to start with their host. One that cannot stays off: as at libvirtd, the others start.
 *
 * @param onError hears of each that cannot.
 */
export function autostart(host: Host, onError: (error: Error) => void): void {
  for (const domain of host.domains) {
    if (!domain.autostart || domain.config === undefined || domain.guest !== undefined) continue;
    const starting =
      domain.managedSave === undefined
        ? host.boot(domain, domain.config, false)
        : startFromManagedSave(host, domain, false);
    starting.catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      onError(new Error(`Failed to autostart VM '${domain.name}': ${reason}`, { cause }));
    });
  }
}
