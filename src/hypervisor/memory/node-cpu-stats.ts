import { cpus } from "node:os";
import { VirNodeGetCPUStatsAllCPUs } from "../../generated/libvirt/index.ts";
import { invalidArgument } from "./driver-errors.ts";

/** What processors spent their time on: libvirt's name of it, and nanoseconds. */
export type CpuStats = readonly (readonly [field: string, value: bigint])[];

/** @source testNodeGetCPUStats, libvirt src/test/test_driver.c. */
export const TEST_CPU_STATS: CpuStats = [
  ["user", 9_797_400_000n],
  ["kernel", 34_678_723_400_000n],
  ["idle", 87_264_900_000n],
  ["iowait", 763_600_000n],
];

/**
 * Of the machine that this process runs on. Node does not tell what was spent on waiting for I/O.
 *
 * @param cpu its number; -1 (VIR_NODE_CPU_STATS_ALL_CPUS) for all together.
 * @throws {VirtError} for a processor that there is not.
 * @source virHostCPUGetStatsLinux, libvirt src/util/virhostcpu.c.
 */
export function machineCpuStats(cpu: number): CpuStats {
  const all = cpus();
  const { VIR_NODE_CPU_STATS_ALL_CPUS } = VirNodeGetCPUStatsAllCPUs;
  const asked = cpu === VIR_NODE_CPU_STATS_ALL_CPUS ? all : all.slice(cpu).slice(0, 1);
  if (cpu < VIR_NODE_CPU_STATS_ALL_CPUS || (asked.length === 0 && cpu !== VIR_NODE_CPU_STATS_ALL_CPUS)) {
    throw invalidArgument("Invalid cpuNum in virHostCPUGetStatsLinux");
  }
  const sum = (time: (times: (typeof all)[number]["times"]) => number) =>
    BigInt(asked.reduce((total, { times }) => total + time(times), 0)) * 1_000_000n; // milliseconds there
  return [
    ["kernel", sum(({ sys, irq }) => sys + irq)],
    ["user", sum(({ user, nice }) => user + nice)],
    ["idle", sum(({ idle }) => idle)],
  ];
}
