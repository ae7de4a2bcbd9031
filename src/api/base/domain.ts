import { VirDomainVcpuFlags, VirErrorNumber } from "../../generated/libvirt/index.ts";
import * as remote from "../../generated/remote/index.ts";
import { VirtError } from "../../rpc/index.ts";
import type { CallOptions } from "../../xdr/index.ts";
import { askForStrings, type TypedParameters, typedParameters } from "../typed-parameters.ts";
import { UniqueObject } from "./object.ts";

/** What is more than one call, or not a call alone. */
export abstract class DomainBase extends UniqueObject<remote.NonnullDomain> {
  /** virDomainGetName */
  getName(): string {
    return this.ref.name;
  }

  /** virDomainGetID: -1 where the guest was not running when it was looked up, or has been stopped from here. */
  getID(): number {
    return this.ref.id;
  }

  /**
   * virDomainCreate, since 0.1.1: starts a defined guest. Rights: domain:start. Its new id is asked for with a second
   * call, as libvirt's client does.
   */
  async create(options?: CallOptions): Promise<void> {
    const { connection, ref } = this;
    await connection.call(remote.domainCreate, { dom: ref }, options);
    this.setRef((await connection.call(remote.domainLookupByUuid, { uuid: ref.uuid }, options)).dom);
  }

  /** virDomainRename, since 1.2.19. Rights: domain:write, domain:save. The object has the new name afterwards. */
  async rename(newName: string, flags = 0, options?: CallOptions): Promise<void> {
    await this.connection.call(remote.domainRename, { dom: this.ref, newName, flags }, options);
    this.setRef({ ...this.ref, name: newName });
  }

  /** virDomainGetSchedulerParameters, since 0.2.3. Rights: domain:read. */
  async getSchedulerParameters(options?: CallOptions): Promise<TypedParameters> {
    const { connection, ref: dom } = this;
    const { nparams } = await connection.call(remote.domainGetSchedulerType, { dom }, options);
    const { params } = await connection.call(remote.domainGetSchedulerParameters, { dom, nparams }, options);
    return typedParameters(params);
  }

  /**
   * virDomainGetSchedulerParametersFlags, since 0.9.2. Rights: domain:read.
   * @param flags bits of VirDomainModificationImpact
   */
  async getSchedulerParametersFlags(flags = 0, options?: CallOptions): Promise<TypedParameters> {
    const { connection, ref: dom } = this;
    const asked = await askForStrings(connection, flags, options);
    const { nparams } = await connection.call(remote.domainGetSchedulerType, { dom }, options);
    const args = { dom, nparams, flags: asked };
    const { params } = await connection.call(remote.domainGetSchedulerParametersFlags, args, options);
    return typedParameters(params);
  }

  /**
   * virDomainGetBlockJobInfo, since 0.9.4: null where no job is active. Rights: domain:read.
   * @param disk the path or the target name of the disk
   * @param flags bits of VirDomainBlockJobInfoFlags
   */
  async getBlockJobInfo(
    disk: string,
    flags = 0,
    options?: CallOptions,
  ): Promise<{ type: number; bandwidth: bigint; cur: bigint; end: bigint } | null> {
    const args = { dom: this.ref, path: disk, flags };
    const { found, ...info } = await this.connection.call(remote.domainGetBlockJobInfo, args, options);
    return found === 0 ? null : info;
  }

  /**
   * virDomainGetVcpus, since 0.1.4: what each virtual CPU does, and the host's CPUs it may run on, eight a byte. Rights:
   * domain:read.
   */
  async getVcpus(options?: CallOptions): Promise<{ info: remote.VcpuInfo[]; cpumaps: Uint8Array[] }> {
    const { connection, ref: dom } = this;
    const { nrVirtCpu: maxinfo } = await connection.call(remote.domainGetInfo, { dom }, options);
    const maplen = await this.#mapLength(options);
    const { info, cpumaps } = await connection.call(remote.domainGetVcpus, { dom, maxinfo, maplen }, options);
    // A daemon sends a map for each CPU that was asked about, whether the guest has so many by now or not.
    return { info, cpumaps: slices(cpumaps, maplen).slice(0, info.length) };
  }

  /**
   * virDomainGetVcpuPinInfo, since 0.9.3: for each virtual CPU the host's CPUs it may run on, eight a byte. Rights:
   * domain:read.
   * @param flags bits of VirDomainModificationImpact
   */
  async getVcpuPinInfo(flags = 0, options?: CallOptions): Promise<Uint8Array[]> {
    const { connection, ref: dom } = this;
    const all = (flags | VirDomainVcpuFlags.VIR_DOMAIN_VCPU_MAXIMUM) >>> 0;
    const { num: ncpumaps } = await connection.call(remote.domainGetVcpusFlags, { dom, flags: all }, options);
    const maplen = await this.#mapLength(options);
    const args = { dom, ncpumaps, maplen, flags };
    const { cpumaps, num } = await connection.call(remote.domainGetVcpuPinInfo, args, options);
    return slices(cpumaps, maplen).slice(0, num);
  }

  /**
   * virDomainGetEmulatorPinInfo, since 0.10.0: the host's CPUs that the emulator may run on, eight a byte; null where
   * nothing is said about that. Rights: domain:read.
   * @param flags bits of VirDomainModificationImpact
   */
  async getEmulatorPinInfo(flags = 0, options?: CallOptions): Promise<Uint8Array | null> {
    const maplen = await this.#mapLength(options);
    const args = { dom: this.ref, maplen, flags };
    const { cpumaps, ret } = await this.connection.call(remote.domainGetEmulatorPinInfo, args, options);
    return ret === 0 ? null : cpumaps;
  }

  /**
   * virDomainGetCPUStats, since 0.9.10: how much of each of the host's CPUs the guest has used. Rights: domain:read.
   * @param startCpu the first CPU, or -1 for the sum of all, with `ncpus` 1
   * @param ncpus how many; 0 for all from `startCpu` on
   */
  async getCPUStats(startCpu: number, ncpus: number, flags = 0, options?: CallOptions): Promise<TypedParameters[]> {
    const asked = await askForStrings(this.connection, flags, options);
    const ask = (nparams: number, startCpu: number, ncpus: number) =>
      this.connection.call(
        remote.domainGetCpuStats,
        { dom: this.ref, nparams, startCpu, ncpus, flags: asked },
        options,
      );
    const end = ncpus === 0 ? (await ask(0, 0, 0)).nparams : startCpu + ncpus;
    const { nparams } = await ask(0, startCpu, 1);
    const found: TypedParameters[] = [];
    for (let cpu = startCpu; nparams > 0 && cpu < end; cpu += remote.REMOTE_DOMAIN_GET_CPU_STATS_NCPUS_MAX) {
      const count = Math.min(end - cpu, remote.REMOTE_DOMAIN_GET_CPU_STATS_NCPUS_MAX);
      const stats = await ask(nparams, cpu, count);
      for (const each of slices(stats.params, stats.nparams)) found.push(typedParameters(each));
    }
    return found;
  }

  /** After a call that ends the guest. libvirt's own client says so after three of them; it is as true after the others. */
  protected stopped(): void {
    this.setRef({ ...this.ref, id: -1 });
  }

  /** The bytes of a map of the host's CPUs. */
  async #mapLength(options?: CallOptions): Promise<number> {
    const { connection } = this;
    let cpus: number;
    try {
      const { ret } = await connection.call(remote.nodeGetCpuMap, { needMap: 0, needOnline: 0, flags: 0 }, options);
      cpus = ret;
    } catch (error) {
      if (!(error instanceof VirtError) || error.code !== VirErrorNumber.VIR_ERR_NO_SUPPORT) throw error;
      const node = await connection.call(remote.nodeGetInfo, undefined, options);
      cpus = node.nodes * node.sockets * node.cores * node.threads; // VIR_NODEINFO_MAXCPUS
    }
    return Math.ceil(cpus / 8);
  }
}

/** One after the other, `length` long. */
function slices<T extends { readonly length: number; slice(from: number, to: number): T }>(
  all: T,
  length: number,
): T[] {
  const found: T[] = [];
  for (let at = 0; length > 0 && at < all.length; at += length) found.push(all.slice(at, at + length));
  return found;
}
