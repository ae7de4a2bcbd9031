import {
  VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS,
  VirConnectGetAllDomainStatsFlags,
  VirConnectListAllDomainsFlags,
  VirDomainStatsTypes,
  VirErrorNumber,
  VirVcpuState,
} from "../../../generated/libvirt/index.ts";
import { VIR_NET_MESSAGE_MAX } from "../../../generated/netmessage/index.ts";
import type { DomainStatsRecord, TypedParam } from "../../../generated/remote/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import type { Domain } from "../domain.ts";
import { rootOf } from "../domain-xml.ts";
import { checkFlags, driverError, rpcError } from "../driver-errors.ts";
import type { Host } from "../host.ts";
import { param } from "../typed-parameters.ts";
import { child } from "../xml.ts";
import { blockStats } from "./block.ts";
import { interfaceStats } from "./interfaces.ts";
import { iothreadsOf } from "./iothreads.ts";
import { PERF_EVENTS, perfEvent } from "./tuning.ts";

const T = VirDomainStatsTypes;
const G = VirConnectGetAllDomainStatsFlags;
const L = VirConnectListAllDomainsFlags;

/** Of which domains. */
const FILTERS =
  L.VIR_CONNECT_LIST_DOMAINS_ACTIVE |
  L.VIR_CONNECT_LIST_DOMAINS_INACTIVE |
  L.VIR_CONNECT_LIST_DOMAINS_PERSISTENT |
  L.VIR_CONNECT_LIST_DOMAINS_TRANSIENT |
  L.VIR_CONNECT_LIST_DOMAINS_RUNNING |
  L.VIR_CONNECT_LIST_DOMAINS_PAUSED |
  L.VIR_CONNECT_LIST_DOMAINS_SHUTOFF |
  L.VIR_CONNECT_LIST_DOMAINS_OTHER;
const ENFORCE = VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS;
const HOW = ENFORCE | G.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT | G.VIR_CONNECT_GET_ALL_DOMAINS_STATS_BACKING;

/** Bytes of a typed parameter in a message, beside its name. */
const LEAST_PARAM = 12;

type Group = (domain: Domain, now: number) => TypedParam[];

/**
 * What is told of a domain, by group.
 *
 * @source qemuDomainGetStats…, libvirt src/qemu/qemu_driver.c.
 */
const groups: readonly (readonly [type: number, group: Group])[] = [
  [T.VIR_DOMAIN_STATS_STATE, state],
  [T.VIR_DOMAIN_STATS_CPU_TOTAL, cpu],
  [T.VIR_DOMAIN_STATS_BALLOON, balloon],
  [T.VIR_DOMAIN_STATS_VCPU, vcpu],
  [T.VIR_DOMAIN_STATS_INTERFACE, net],
  [T.VIR_DOMAIN_STATS_BLOCK, block],
  [T.VIR_DOMAIN_STATS_PERF, perf],
  [T.VIR_DOMAIN_STATS_IOTHREAD, iothread],
];
const SUPPORTED = groups.reduce((all, [type]) => all | type, 0);

/** Statistics of many domains in one call. */
export function statsProcedures({ domains, clock }: Host) {
  return {
    connectGetAllDomainStats({ doms, stats, flags }) {
      checkFlags(flags, FILTERS | HOW, "virConnectGetAllDomainStats");
      const unknown = (stats & ~SUPPORTED) >>> 0;
      if ((flags & ENFORCE) !== 0 && unknown !== 0) {
        const detail = `Stats types bits 0x${unknown.toString(16)} are not supported by this daemon`;
        throw driverError(VirErrorNumber.VIR_ERR_ARGUMENT_UNSUPPORTED, detail);
      }
      const fitting = new Set(domains.filter(flags & FILTERS));
      const asked =
        doms.length === 0
          ? [...fitting]
          : doms.flatMap(({ uuid }) => domains.byUuid(uuid) ?? []).filter((domain) => fitting.has(domain));
      const wanted = stats === 0 ? SUPPORTED : stats;
      const now = clock.date();
      let room = VIR_NET_MESSAGE_MAX;
      const retStats = asked.map((domain): DomainStatsRecord => {
        const params = groups.flatMap(([type, group]) => ((wanted & type) === 0 ? [] : group(domain, now)));
        // A guest may have thousands of processors and I/O threads: what no message holds is not made to the end.
        room -= params.reduce((bytes, { field }) => bytes + LEAST_PARAM + field.length, 0);
        if (room < 0) throw rpcError("Unable to encode message payload");
        return { dom: domain.reference, params };
      });
      return { retStats };
    },
  } satisfies DriverHandlers;
}

function state({ shown: [number, reason] }: Domain): TypedParam[] {
  return [param.int("state.state", number), param.int("state.reason", reason)];
}

function cpu({ guest }: Domain): TypedParam[] {
  if (guest === undefined) return [];
  const time = guest.cpuTime;
  return [param.ullong("cpu.time", time), param.ullong("cpu.user", time / 2n), param.ullong("cpu.system", time / 2n)];
}

function balloon({ definition, guest }: Domain): TypedParam[] {
  const { currentMemoryKib, memoryKib } = definition;
  return [
    param.ullong("balloon.current", guest === undefined ? memoryKib : currentMemoryKib),
    param.ullong("balloon.maximum", memoryKib),
  ];
}

function vcpu({ definition: { vcpus, maxVcpus }, guest }: Domain): TypedParam[] {
  const counts = [param.uint("vcpu.current", vcpus), param.uint("vcpu.maximum", maxVcpus)];
  if (guest === undefined) return counts;
  const each = Array.from({ length: vcpus }, (_, at) => [
    param.int(`vcpu.${at}.state`, VirVcpuState.VIR_VCPU_RUNNING),
    param.ullong(`vcpu.${at}.time`, guest.cpuTime),
  ]);
  return [...counts, ...each.flat()];
}

function net({ guest }: Domain, now: number): TypedParam[] {
  if (guest === undefined) return [];
  const { interfaces } = guest.definition;
  const stats = interfaceStats(now);
  const each = interfaces.flatMap(({ name }, at) => [
    param.string(`net.${at}.name`, name),
    param.ullong(`net.${at}.rx.bytes`, stats.rxBytes),
    param.ullong(`net.${at}.rx.pkts`, stats.rxPackets),
    param.ullong(`net.${at}.rx.errs`, stats.rxErrs),
    param.ullong(`net.${at}.rx.drop`, stats.rxDrop),
    param.ullong(`net.${at}.tx.bytes`, stats.txBytes),
    param.ullong(`net.${at}.tx.pkts`, stats.txPackets),
    param.ullong(`net.${at}.tx.errs`, stats.txErrs),
    param.ullong(`net.${at}.tx.drop`, stats.txDrop),
  ]);
  return [param.uint("net.count", interfaces.length), ...each];
}

function block({ definition: { disks }, guest }: Domain, now: number): TypedParam[] {
  const stats = blockStats(now);
  const each = disks.flatMap(({ target, source }, at) => [
    param.string(`block.${at}.name`, target),
    ...(source === undefined ? [] : [param.string(`block.${at}.path`, source)]),
    ...(guest === undefined
      ? []
      : [
          param.ullong(`block.${at}.rd.reqs`, stats.rdReq),
          param.ullong(`block.${at}.rd.bytes`, stats.rdBytes),
          param.ullong(`block.${at}.wr.reqs`, stats.wrReq),
          param.ullong(`block.${at}.wr.bytes`, stats.wrBytes),
        ]),
  ]);
  return [param.uint("block.count", disks.length), ...each];
}

function perf({ guest }: Domain, now: number): TypedParam[] {
  if (guest === undefined || !guest.definition.hasPerf) return [];
  const element = child(rootOf(guest.definition), "perf");
  const value = BigInt(Math.round(now));
  return PERF_EVENTS.filter((name) => perfEvent(element, name)).map((name) => param.ullong(`perf.${name}`, value));
}

function iothread({ guest }: Domain): TypedParam[] {
  if (guest === undefined) return [];
  const threads = iothreadsOf(guest.definition, guest.polling);
  if (threads.length === 0) return [];
  const each = threads.flatMap(({ id, polling }) => [
    param.ullong(`iothread.${id}.poll-max-ns`, polling.maxNs),
    param.uint(`iothread.${id}.poll-grow`, polling.grow),
    param.uint(`iothread.${id}.poll-shrink`, polling.shrink),
  ]);
  return [param.uint("iothread.count", threads.length), ...each];
}
