import { VirDomainNumatuneMemMode, VirErrorNumber } from "../../../generated/libvirt/index.ts";
import type { NonnullDomain, TypedParam } from "../../../generated/remote/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import { formatCpuSet, parseCpuSet } from "../cpu-map.ts";
import { AFFECT, type Domain } from "../domain.ts";
import { ensure } from "../domain-edit.ts";
import { rootOf } from "../domain-xml.ts";
import { checkFlags, driverError, invalidArgument, operationInvalid } from "../driver-errors.ts";
import type { Host } from "../host.ts";
import { toKib } from "../memory-size.ts";
import { answerParams, checkParams, param, STRING_OKAY } from "../typed-parameters.ts";
import { append, child, descendant, type Element, newElement, remove, setText } from "../xml.ts";

const SCHEDULER = [param.uint("weight", 50)];

/** Kinds of memory limits, by parameter: the element and the parameter. */
const MEMORY_LIMITS = ["hard_limit", "soft_limit", "swap_hard_limit"] as const;
/** Where no limit is set, libvirt answers so. KiB. */
const UNLIMITED = 9007199254740991n;

/** By number: virDomainNumatuneMemMode. */
const numaModes = ["strict", "preferred", "interleave", "restrictive"];
const NUMA_MODES = Object.keys(VirDomainNumatuneMemMode).length;

export const PERF_EVENTS = (
  "cmt mbmt mbml cpu_cycles instructions cache_references cache_misses branch_instructions branch_misses bus_cycles " +
  "stalled_cycles_frontend stalled_cycles_backend ref_cpu_cycles cpu_clock task_clock page_faults context_switches " +
  "cpu_migrations page_faults_min page_faults_maj alignment_faults emulation_faults"
).split(" ");
const PERF_TYPES = Object.fromEntries(PERF_EVENTS.map((name) => [name, "boolean" as const]));

/** Nanoseconds that a guest has run, and how they are made up: the test driver's. */
export const CPU_TIME = 48_772_617_035n;
export const USER_TIME = 5_540_000_000n;
export const SYSTEM_TIME = 6_460_000_000n;

/** What a guest may use of the host: scheduler, memory limits, NUMA nodes, performance events, processor time. */
export function tuningProcedures({ domains, node }: Host) {
  const read = (dom: NonnullDomain, flags: number): Element => {
    const domain = domains.find(dom);
    return rootOf(domain.definitionOf(domain.oneAffected(flags & AFFECT)));
  };
  const getScheduler = (dom: NonnullDomain, nparams: number) => {
    domains.find(dom);
    return { params: SCHEDULER.slice(0, Math.max(0, nparams)) };
  };
  const setScheduler = (dom: NonnullDomain, params: TypedParam[]): void => {
    checkParams(params, { weight: "uint" });
    domains.find(dom);
  };

  return {
    domainGetSchedulerType({ dom }) {
      domains.find(dom);
      return { type: "fair", nparams: SCHEDULER.length };
    },
    domainGetSchedulerParameters: ({ dom, nparams }) => getScheduler(dom, nparams),
    domainGetSchedulerParametersFlags({ dom, nparams, flags }) {
      checkFlags(flags, AFFECT | STRING_OKAY, "virDomainGetSchedulerParametersFlags");
      domains.find(dom).oneAffected(flags & AFFECT);
      return getScheduler(dom, nparams);
    },
    domainSetSchedulerParameters: ({ dom, params }) => setScheduler(dom, params),
    domainSetSchedulerParametersFlags({ dom, params, flags }) {
      checkFlags(flags, AFFECT, "virDomainSetSchedulerParametersFlags");
      domains.find(dom).affected(flags);
      setScheduler(dom, params);
    },

    domainGetMemoryParameters({ dom, nparams, flags }) {
      checkFlags(flags, AFFECT | STRING_OKAY, "virDomainGetMemoryParameters");
      const root = read(dom, flags);
      return answerParams(
        MEMORY_LIMITS.map((name) => param.ullong(name, limitOf(root, name))),
        nparams,
        flags,
      );
    },
    domainSetMemoryParameters({ dom, params, flags }) {
      checkFlags(flags, AFFECT, "virDomainSetMemoryParameters");
      const domain = domains.find(dom);
      const checked = checkParams(params, { hard_limit: "ullong", soft_limit: "ullong", swap_hard_limit: "ullong" });
      domain.change([domain.oneAffected(flags)], (root) => {
        const hard = checked.bigint("hard_limit");
        const swap = checked.bigint("swap_hard_limit");
        if (
          (hard !== undefined || swap !== undefined) &&
          (hard ?? limitOf(root, "hard_limit")) > (swap ?? limitOf(root, "swap_hard_limit"))
        ) {
          throw invalidArgument("memory hard_limit tunable value must be lower than or equal to swap_hard_limit");
        }
        for (const name of MEMORY_LIMITS) {
          const limit = checked.bigint(name);
          if (limit !== undefined) setLimit(root, name, limit);
        }
      });
    },

    domainGetNumaParameters({ dom, nparams, flags }) {
      checkFlags(flags, AFFECT | STRING_OKAY, "virDomainGetNumaParameters");
      const memory = descendant(read(dom, flags), "numatune", "memory");
      const mode = numaModes.indexOf(memory?.getAttribute("mode") ?? "strict");
      const params = [
        param.int("numa_mode", Math.max(0, mode)),
        param.string("numa_nodeset", memory?.getAttribute("nodeset") ?? ""),
      ];
      return answerParams(params, nparams, flags);
    },
    domainSetNumaParameters({ dom, params, flags }) {
      checkFlags(flags, AFFECT, "virDomainSetNumaParameters");
      const checked = checkParams(params, { numa_mode: "int", numa_nodeset: "string" });
      const domain = domains.find(dom);
      setNuma(domain, checked.number("numa_mode"), checked.string("numa_nodeset"), flags);
    },

    domainGetPerfEvents({ dom, flags }) {
      checkFlags(flags, AFFECT | STRING_OKAY, "virDomainGetPerfEvents");
      const perf = child(read(dom, flags), "perf");
      return { params: PERF_EVENTS.map((name) => param.boolean(name, perfEvent(perf, name))) };
    },
    domainSetPerfEvents({ dom, params, flags }) {
      checkFlags(flags, AFFECT, "virDomainSetPerfEvents");
      const checked = checkParams(params, PERF_TYPES);
      const domain = domains.find(dom);
      domain.change(domain.affected(flags), (root) => {
        for (const name of PERF_EVENTS) {
          const enabled = checked.boolean(name);
          if (enabled !== undefined) setPerfEvent(ensure(root, "perf"), name, enabled);
        }
      });
    },

    domainGetCpuStats({ dom, nparams, startCpu, ncpus, flags }) {
      checkFlags(flags, STRING_OKAY, "virDomainGetCPUStats");
      domains.find(dom).active;
      if (startCpu === -1) return totalCpuStats(nparams);
      return perCpuStats(nparams, startCpu, ncpus, node.isTest ? node.cores : node.cpus);
    },
    domainGetLaunchSecurityInfo({ dom, flags }) {
      checkFlags(flags, 0, "virDomainGetLaunchSecurityInfo");
      domains.find(dom);
      return { params: [] };
    },
  } satisfies DriverHandlers;
}

function limitOf(root: Element, name: string): bigint {
  const element = descendant(root, "memtune", name);
  const text = element?.textContent?.trim() ?? "";
  return /^[0-9]{1,20}$/.test(text) ? toKib(text, element?.getAttribute("unit") || "KiB") : UNLIMITED;
}

function setLimit(root: Element, name: string, kib: bigint): void {
  const memtune = ensure(root, "memtune");
  let element = child(memtune, name);
  if (kib >= UNLIMITED) {
    if (element !== undefined) remove(element);
    return;
  }
  if (element === undefined) {
    element = newElement(root, name);
    append(memtune, element);
  }
  setText(element, `${kib}`);
  element.setAttribute("unit", "KiB");
}

/** @source testDomainSetNumaParameters, libvirt src/test/test_driver.c. */
function setNuma(domain: Domain, mode: number | undefined, nodeset: string | undefined, flags: number): void {
  const which = domain.oneAffected(flags);
  if (mode !== undefined && (mode < 0 || mode >= NUMA_MODES)) {
    throw invalidArgument(`unsupported numatune mode: '${mode}'`);
  }
  const nodes = nodeset === undefined ? undefined : parseCpuSet(nodeset);
  if (nodes?.length === 0) throw operationInvalid(`Invalid nodeset of 'numatune': ${nodeset}`);
  domain.change([which], (root) => {
    const before = descendant(root, "numatune", "memory");
    const name = mode === undefined ? undefined : numaModes[mode];
    const had = before?.getAttribute("mode");
    if (which === "live" && before !== undefined && name !== undefined && had !== name) {
      throw operationInvalid("can't change numatune mode for running domain");
    }
    if (before === undefined && nodes === undefined) {
      const detail = "nodeset for NUMA memory tuning must be set if 'placement' is 'static'";
      throw driverError(VirErrorNumber.VIR_ERR_XML_ERROR, detail);
    }
    const memory = before ?? newElement(root, "memory");
    memory.setAttribute("mode", name ?? had ?? "strict");
    if (nodes !== undefined) memory.setAttribute("nodeset", formatCpuSet(nodes));
    if (before === undefined) append(ensure(root, "numatune"), memory);
  });
}

export function perfEvent(perf: Element | undefined, name: string): boolean {
  return perf !== undefined && perfElement(perf, name)?.getAttribute("enabled") === "yes";
}

function setPerfEvent(perf: Element, name: string, enabled: boolean): void {
  let element = perfElement(perf, name);
  if (element === undefined) {
    element = newElement(perf, "event");
    element.setAttribute("name", name);
    append(perf, element);
  }
  element.setAttribute("enabled", enabled ? "yes" : "no");
}

function perfElement(perf: Element, name: string): Element | undefined {
  for (let node = perf.firstChild; node !== null; node = node.nextSibling) {
    if (node.nodeName === "event" && (node as Element).getAttribute("name") === name) return node as Element;
  }
  return undefined;
}

function totalCpuStats(nparams: number): { params: TypedParam[]; nparams: number } {
  const params = [
    param.ullong("cpu_time", CPU_TIME),
    param.ullong("user_time", USER_TIME),
    param.ullong("system_time", SYSTEM_TIME),
  ];
  return nparams === 0 ? { params: [], nparams: params.length } : firstOf(params, nparams);
}

/** @source testDomainGetPercpuStats, libvirt src/test/test_driver.c. */
function perCpuStats(nparams: number, start: number, ncpus: number, total: number) {
  if (ncpus === 0) return { params: [], nparams: total };
  if (nparams === 0) return { params: [], nparams: 2 };
  if (start < 0 || start >= total) {
    throw invalidArgument(`start_cpu ${start} larger than maximum of ${total - 1}`);
  }
  const each = CPU_TIME / BigInt(total);
  const count = Math.min(total, start + ncpus) - start;
  const params = Array.from({ length: count }, (_, at) => {
    const time = each + BigInt(start + at);
    return firstOf([param.ullong("cpu_time", time), param.ullong("vcpu_time", time - 1_234_567_890n)], nparams).params;
  });
  return { params: params.flat(), nparams: Math.min(2, nparams) };
}

function firstOf(params: TypedParam[], count: number): { params: TypedParam[]; nparams: number } {
  const taken = params.slice(0, Math.max(0, count));
  return { params: taken, nparams: taken.length };
}
