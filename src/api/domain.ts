import { CoreConnection } from "../client/index.ts";
import type { DomainGetInfoRet, DomainGetJobInfoRet, NonnullDomain, TypedParam } from "../generated/remote/index.ts";
import type { Connection } from "./connection.ts";

/**
 * A guest on a connection: virDomainPtr. Methods are the C API's functions without `virDomain`, and do what those do;
 * what they reject with is a VirtError where the daemon refused.
 *
 * It holds no resources of the daemon: a daemon finds a guest by its UUID again on every call.
 */
export class Domain {
  /** virDomainGetConnect */
  readonly connection: Connection;
  #ref: NonnullDomain;

  constructor(connection: Connection, ref: NonnullDomain) {
    this.connection = connection;
    this.#ref = ref;
  }

  /** How procedures name the guest: `conn.remote.domainGetInfo({ dom: domain.ref })`. */
  get ref(): NonnullDomain {
    return this.#ref;
  }

  /** virDomainGetName */
  getName(): string {
    return this.#ref.name;
  }

  /** virDomainGetID: -1 where the guest was not running when it was looked up, or has been destroyed from here. */
  getID(): number {
    return this.#ref.id;
  }

  /** virDomainGetUUID: 16 bytes. */
  getUUID(): Uint8Array {
    return this.#ref.uuid.slice();
  }

  /** virDomainGetUUIDString: `6695eb01-f6a4-8304-79aa-97f2502e193f`. */
  getUUIDString(): string {
    return formatUUID(this.#ref.uuid);
  }

  /** virDomainGetInfo: sizes in KiB, CPU time in nanoseconds. */
  getInfo(): Promise<DomainGetInfoRet> {
    return this.connection.remote.domainGetInfo({ dom: this.#ref });
  }

  /** virDomainGetState: a virDomainState and the reason for it. */
  getState(flags = 0): Promise<{ state: number; reason: number }> {
    return this.connection.remote.domainGetState({ dom: this.#ref, flags });
  }

  /** virDomainGetXMLDesc: flags are VIR_DOMAIN_XML_*. */
  async getXMLDesc(flags = 0): Promise<string> {
    return (await this.connection.remote.domainGetXmlDesc({ dom: this.#ref, flags })).xml;
  }

  /** virDomainGetOSType */
  async getOSType(): Promise<string> {
    return (await this.connection.remote.domainGetOsType({ dom: this.#ref })).type;
  }

  /** virDomainGetMaxMemory: KiB. */
  async getMaxMemory(): Promise<bigint> {
    return (await this.connection.remote.domainGetMaxMemory({ dom: this.#ref })).memory;
  }

  /** virDomainGetAutostart */
  async getAutostart(): Promise<boolean> {
    return (await this.connection.remote.domainGetAutostart({ dom: this.#ref })).autostart !== 0;
  }

  /** virDomainSetAutostart */
  setAutostart(autostart: boolean): Promise<void> {
    return this.connection.remote.domainSetAutostart({ dom: this.#ref, autostart: autostart ? 1 : 0 });
  }

  /** virDomainIsActive */
  async isActive(): Promise<boolean> {
    return (await this.connection.remote.domainIsActive({ dom: this.#ref })).active === 1;
  }

  /** virDomainIsPersistent */
  async isPersistent(): Promise<boolean> {
    return (await this.connection.remote.domainIsPersistent({ dom: this.#ref })).persistent === 1;
  }

  /** virDomainIsUpdated */
  async isUpdated(): Promise<boolean> {
    return (await this.connection.remote.domainIsUpdated({ dom: this.#ref })).updated === 1;
  }

  /** virDomainHasManagedSaveImage */
  async hasManagedSaveImage(flags = 0): Promise<boolean> {
    return (await this.connection.remote.domainHasManagedSaveImage({ dom: this.#ref, flags })).result === 1;
  }

  /** virDomainCreate: starts a defined guest. Its new id is asked for with a second call, as libvirt's client does. */
  async create(): Promise<void> {
    await this.connection.remote.domainCreate({ dom: this.#ref });
    this.#ref = (await this.connection.remote.domainLookupByUuid({ uuid: this.#ref.uuid })).dom;
  }

  /** virDomainCreateWithFlags: flags are VIR_DOMAIN_START_*. */
  async createWithFlags(flags = 0): Promise<void> {
    this.#ref = (await this.connection.remote.domainCreateWithFlags({ dom: this.#ref, flags })).dom;
  }

  /** virDomainDestroy: stops it at once. */
  async destroy(): Promise<void> {
    await this.connection.remote.domainDestroy({ dom: this.#ref });
    this.#ref = { ...this.#ref, id: -1 };
  }

  /** virDomainDestroyFlags: flags are VIR_DOMAIN_DESTROY_*. */
  async destroyFlags(flags = 0): Promise<void> {
    await this.connection.remote.domainDestroyFlags({ dom: this.#ref, flags });
    this.#ref = { ...this.#ref, id: -1 };
  }

  /** virDomainUndefine */
  undefine(): Promise<void> {
    return this.connection.remote.domainUndefine({ dom: this.#ref });
  }

  /** virDomainUndefineFlags: flags are VIR_DOMAIN_UNDEFINE_*. */
  undefineFlags(flags = 0): Promise<void> {
    return this.connection.remote.domainUndefineFlags({ dom: this.#ref, flags });
  }

  /** virDomainSuspend */
  suspend(): Promise<void> {
    return this.connection.remote.domainSuspend({ dom: this.#ref });
  }

  /** virDomainResume */
  resume(): Promise<void> {
    return this.connection.remote.domainResume({ dom: this.#ref });
  }

  /** virDomainShutdown: asks the guest to stop; it may take its time or not do it at all. */
  shutdown(): Promise<void> {
    return this.connection.remote.domainShutdown({ dom: this.#ref });
  }

  /** virDomainReboot: flags are VIR_DOMAIN_REBOOT_*. */
  reboot(flags = 0): Promise<void> {
    return this.connection.remote.domainReboot({ dom: this.#ref, flags });
  }

  /**
   * virDomainMemoryPeek: bytes of the guest's memory.
   * @param flags VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL; one is required.
   * @param size at most 4 MiB (REMOTE_DOMAIN_MEMORY_PEEK_BUFFER_MAX).
   */
  async memoryPeek(start: bigint, size: number, flags: number): Promise<Uint8Array> {
    return (await this.connection.remote.domainMemoryPeek({ dom: this.#ref, offset: start, size, flags })).buffer;
  }

  /** virDomainGetJobInfo: times in milliseconds, sizes in bytes. */
  getJobInfo(): Promise<DomainGetJobInfoRet> {
    return this.connection.remote.domainGetJobInfo({ dom: this.#ref });
  }

  /** virDomainGetJobStats: flags are VIR_DOMAIN_JOB_STATS_*; 1 asks for the job that ended last. */
  getJobStats(flags = 0): Promise<{ type: number; params: TypedParam[] }> {
    return this.connection.remote.domainGetJobStats({ dom: this.#ref, flags });
  }

  /** virDomainAbortJob */
  abortJob(): Promise<void> {
    return this.connection.remote.domainAbortJob({ dom: this.#ref });
  }

  /** virDomainMigrateSetMaxSpeed: MiB/s. */
  migrateSetMaxSpeed(bandwidth: bigint, flags = 0): Promise<void> {
    return this.connection.remote.domainMigrateSetMaxSpeed({ dom: this.#ref, bandwidth, flags });
  }

  /** virDomainMigrateGetMaxSpeed: MiB/s. */
  async migrateGetMaxSpeed(flags = 0): Promise<bigint> {
    return (await this.connection.remote.domainMigrateGetMaxSpeed({ dom: this.#ref, flags })).bandwidth;
  }

  /** virDomainMigrateSetMaxDowntime: milliseconds. */
  migrateSetMaxDowntime(downtime: bigint, flags = 0): Promise<void> {
    return this.connection.remote.domainMigrateSetMaxDowntime({ dom: this.#ref, downtime, flags });
  }

  /** virDomainMigrateGetMaxDowntime: milliseconds. */
  async migrateGetMaxDowntime(flags = 0): Promise<bigint> {
    return (await this.connection.remote.domainMigrateGetMaxDowntime({ dom: this.#ref, flags })).downtime;
  }

  /** virDomainMigrateStartPostCopy: for a migration under way with VIR_MIGRATE_POSTCOPY. */
  migrateStartPostCopy(flags = 0): Promise<void> {
    return this.connection.remote.domainMigrateStartPostCopy({ dom: this.#ref, flags });
  }
}

/** What a connection has to do with guests. The base of `Connection`, so that everything about guests is in this file. */
export class DomainMethods extends CoreConnection {
  /** virDomainLookupByName. Rejects with VIR_ERR_NO_DOMAIN where there is none. */
  async lookupDomainByName(this: Connection, name: string): Promise<Domain> {
    return new Domain(this, (await this.remote.domainLookupByName({ name })).dom);
  }

  /** virDomainLookupByID, of a running guest. Rejects with VIR_ERR_NO_DOMAIN where there is none. */
  async lookupDomainByID(this: Connection, id: number): Promise<Domain> {
    return new Domain(this, (await this.remote.domainLookupById({ id })).dom);
  }

  /** virDomainLookupByUUID: 16 bytes. Rejects with VIR_ERR_NO_DOMAIN where there is none. */
  async lookupDomainByUUID(this: Connection, uuid: Uint8Array): Promise<Domain> {
    return new Domain(this, (await this.remote.domainLookupByUuid({ uuid })).dom);
  }

  /**
   * virDomainLookupByUUIDString: 32 hexadecimal digits, with hyphens or without. Rejects with a TypeError for
   * anything else, and with VIR_ERR_NO_DOMAIN where there is none.
   */
  async lookupDomainByUUIDString(this: Connection, uuid: string): Promise<Domain> {
    const bytes = parseUUID(uuid);
    if (bytes === undefined) throw new TypeError(`not a UUID: ${uuid}`);
    return this.lookupDomainByUUID(bytes);
  }

  /** virConnectListAllDomains: flags are VIR_CONNECT_LIST_DOMAINS_*; 0 means all. */
  async listAllDomains(this: Connection, flags = 0): Promise<Domain[]> {
    const { domains } = await this.remote.connectListAllDomains({ needResults: 1, flags });
    return domains.map((ref) => new Domain(this, ref));
  }

  /** virDomainDefineXML */
  async defineXML(this: Connection, xml: string): Promise<Domain> {
    return new Domain(this, (await this.remote.domainDefineXml({ xml })).dom);
  }

  /** virDomainDefineXMLFlags: flags are VIR_DOMAIN_DEFINE_*. */
  async defineXMLFlags(this: Connection, xml: string, flags = 0): Promise<Domain> {
    return new Domain(this, (await this.remote.domainDefineXmlFlags({ xml, flags })).dom);
  }

  /** virDomainCreateXML: starts a guest that vanishes when it stops. Flags are VIR_DOMAIN_START_*. */
  async createXML(this: Connection, xml: string, flags = 0): Promise<Domain> {
    return new Domain(this, (await this.remote.domainCreateXml({ xmlDesc: xml, flags })).dom);
  }
}

/** `6695eb01-f6a4-8304-79aa-97f2502e193f` */
export function formatUUID(uuid: Uint8Array): string {
  const hex = Array.from(uuid, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The 16 bytes of a UUID in hexadecimal, hyphens and blanks ignored as libvirt ignores them, or undefined. */
export function parseUUID(text: string): Uint8Array | undefined {
  const hex = text.replaceAll(/[\s-]/g, "");
  if (!/^[0-9a-fA-F]{32}$/.test(hex)) return undefined;
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}
