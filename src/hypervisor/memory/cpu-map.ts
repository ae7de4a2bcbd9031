import { invalidArgument } from "./driver-errors.ts";

/** One more than the highest number of a processor or NUMA node that a set of them may have. */
const MAX = 16384;

/** A set of processors or NUMA nodes, by number, in order. */
export type CpuSet = readonly number[];

/** All of the first `count`. */
export function allCpus(count: number): CpuSet {
  return Array.from({ length: count }, (_, cpu) => cpu);
}

/**
 * Reads `0-3,^2,7`.
 *
 * @throws {VirtError} VIR_ERR_INVALID_ARG, `Failed to parse bitmap '0-'`.
 * @source virBitmapParse, libvirt src/util/virbitmap.c.
 */
export function parseCpuSet(text: string): CpuSet {
  const complaint = () => invalidArgument(`Failed to parse bitmap '${text}'`);
  const bits = new Uint8Array(MAX);
  for (const part of text.trim().split(",")) {
    const [, not, from = "", to] = /^\s*(\^?)([0-9]{1,5})(?:-([0-9]{1,5}))?\s*$/.exec(part) ?? [];
    if (not === undefined) throw complaint();
    const first = Number(from);
    const last = to === undefined ? first : Number(to);
    if (last >= MAX || last < first || (not !== "" && to !== undefined)) throw complaint();
    if (not === "") bits.fill(1, first, last + 1);
    else if (bits[first] === 0) throw complaint();
    else bits[first] = 0;
  }
  const cpus: number[] = [];
  for (let cpu = 0; cpu < MAX; cpu++) if (bits[cpu] === 1) cpus.push(cpu);
  return cpus;
}

/** `0-1,3`. */
export function formatCpuSet(cpus: CpuSet): string {
  const parts: string[] = [];
  for (let at = 0; at < cpus.length; ) {
    let end = at;
    while (end + 1 < cpus.length && cpus[end + 1] === cpus[end]! + 1) end++;
    parts.push(end === at ? `${cpus[at]}` : `${cpus[at]}-${cpus[end]}`);
    at = end + 1;
  }
  return parts.join(",");
}

/** Reads a bit map: the lowest bit of the first byte is number 0. */
export function readCpuMap(map: Uint8Array): CpuSet {
  const cpus: number[] = [];
  for (let cpu = 0; cpu < map.byteLength * 8; cpu++) {
    if ((map[cpu >> 3]! & (1 << (cpu & 7))) !== 0) cpus.push(cpu);
  }
  return cpus;
}

/** Writes a bit map of `bytes` bytes. What does not fit is left out. */
export function writeCpuMap(cpus: CpuSet, bytes: number): Uint8Array {
  const map = new Uint8Array(bytes);
  for (const cpu of cpus) {
    if (cpu >> 3 < bytes) map[cpu >> 3]! |= 1 << (cpu & 7);
  }
  return map;
}
