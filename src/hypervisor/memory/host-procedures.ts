import { VirErrorNumber } from "../../generated/libvirt/index.ts";
import { REMOTE_NODE_MAX_CELLS } from "../../generated/remote/index.ts";
import type { DriverHandlers } from "../hypervisor.ts";
import { baselineCpu } from "./baseline-cpu.ts";
import { capabilitiesXml, domainCapabilitiesXml, SECURITY_MODEL } from "./capabilities.ts";
import { writeCpuMap } from "./cpu-map.ts";
import { cpuModels } from "./cpu-models.ts";
import { checkFlags, driverError, invalidArgument } from "./driver-errors.ts";
import type { Host } from "./host.ts";
import type { NodeCell } from "./node.ts";
import { machineCpuStats, TEST_CPU_STATS } from "./node-cpu-stats.ts";

/** The libvirt whose protocol is spoken: 11.3.0. */
const LIBVIRT_VERSION = 11_003_000n;
const NO_FLAGS = 0;
/** VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES and VIR_CONNECT_BASELINE_CPU_MIGRATABLE. */
const BASELINE_FLAGS = 3;

/** The test driver's. */
const TEST_SYSINFO = `<sysinfo type='smbios'>
  <bios>
    <entry name='vendor'>LENOVO</entry>
    <entry name='version'>G4ETA1WW (2.61 )</entry>
    <entry name='date'>05/07/2014</entry>
    <entry name='release'>2.61</entry>
  </bios>
</sysinfo>
`;

/** The host: versions, name, what it is made of. */
export function hostProcedures(host: Host) {
  const { node } = host;
  const cells = (start: number, count: number) => {
    if (start < 0 || start >= node.cells.length) throw invalidArgument("Range exceeds available cells");
    return node.cells.slice(start, start + Math.max(0, count));
  };
  const freeMemory = () => BigInt(host.memory.limit - host.memory.used);
  return {
    connectGetType: () => ({ type: node.driver }),
    connectGetVersion: () => ({ hvVer: node.driverVersion }),
    connectGetLibVersion: () => ({ libVer: LIBVIRT_VERSION }),
    connectGetHostname: () => ({ hostname: host.hostname }),
    connectGetMaxVcpus: () => ({ maxVcpus: node.maxVcpus }),
    connectGetCapabilities: () => ({ capabilities: capabilitiesXml(node, host.uuid) }),
    connectGetDomainCapabilities({ arch, machine, virttype, flags }) {
      checkFlags(flags, NO_FLAGS, "virConnectGetDomainCapabilities");
      if (arch !== null && arch !== node.model) throw invalidArgument(`cannot find architecture ${arch}`);
      if (virttype !== null && virttype !== node.virtType) {
        throw invalidArgument(`unknown virttype: ${virttype}`);
      }
      const known = machine !== null && /^[A-Za-z0-9._+-]{1,64}$/.test(machine) ? machine : "";
      return { capabilities: domainCapabilitiesXml(node, known) };
    },
    connectGetSysinfo({ flags }) {
      checkFlags(flags, NO_FLAGS, "virConnectGetSysinfo");
      if (node.isTest) return { sysinfo: TEST_SYSINFO };
      const detail = "Host SMBIOS information is not available";
      throw driverError(VirErrorNumber.VIR_ERR_CONFIG_UNSUPPORTED, detail);
    },
    connectIsSecure: () => ({ secure: 1 }),
    connectBaselineCpu({ xmlCPUs, flags }) {
      checkFlags(flags, BASELINE_FLAGS, "virConnectBaselineCPU");
      return { cpu: baselineCpu(xmlCPUs) };
    },
    connectGetCpuModelNames({ arch, needResults, flags }) {
      checkFlags(flags, NO_FLAGS, "virConnectGetCPUModelNames");
      const models = cpuModels(arch);
      if (models === undefined) throw invalidArgument(`cannot find architecture ${arch}`);
      return { models: needResults === 0 ? [] : [...models], ret: models.length };
    },
    nodeGetInfo: () => ({
      model: charArray(node.model, 32),
      memory: BigInt(node.memoryKib),
      cpus: node.cpus,
      mhz: node.mhz,
      nodes: node.nodes,
      sockets: node.sockets,
      cores: node.cores,
      threads: node.threads,
    }),
    nodeGetFreeMemory: () => ({
      // The test driver's sum is in KiB, though the call is in bytes.
      freeMem: node.isTest ? BigInt(node.cells.reduce((sum, { freeKib }) => sum + freeKib, 0)) : freeMemory(),
    }),
    nodeGetCellsFreeMemory: ({ startCell, maxcells }) => ({
      // The test driver says what there is, not what is free, and that in KiB.
      cells: cells(startCell, maxcells).map(({ memoryKib }) => (node.isTest ? BigInt(memoryKib) : freeMemory())),
    }),
    nodeGetFreePages({ pages, startCell, cellCount, flags }) {
      checkFlags(flags, NO_FLAGS, "virNodeGetFreePages");
      // Also of how many cells: with no sizes they would be counted to no end.
      if (cellCount > REMOTE_NODE_MAX_CELLS || cellCount * pages.length > REMOTE_NODE_MAX_CELLS) {
        throw invalidArgument("too many pages asked for");
      }
      const last = node.cells.length - 1;
      if (startCell < 0 || startCell > last) {
        throw driverError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, `start cell ${startCell} out of range (0-${last})`);
      }
      if (node.isTest) return { counts: madeUpCounts(cellCount * pages.length) };
      const cellsAsked = node.cells.slice(startCell, startCell + cellCount);
      const free = (cell: NodeCell, size: number) => (size === cell.pageKib ? freeMemory() / BigInt(1024 * size) : 0n);
      return { counts: cellsAsked.flatMap((cell) => pages.map((size) => free(cell, size))) };
    },
    nodeGetCpuStats({ cpuNum, nparams, flags }) {
      checkFlags(flags, NO_FLAGS, "virNodeGetCPUStats");
      const all = node.isTest ? TEST_CPU_STATS : machineCpuStats(cpuNum);
      const params = all.slice(0, Math.max(0, nparams)).map(([field, value]) => ({ field, value }));
      return { params, nparams: nparams === 0 ? all.length : params.length };
    },
    nodeGetCpuMap({ needMap, needOnline, flags }) {
      checkFlags(flags, NO_FLAGS, "virNodeGetCPUMap");
      const online = node.isTest ? [0, 2, 4] : node.cells.flatMap(({ cpus }) => cpus);
      const present = node.isTest ? 8 : node.cpus;
      return {
        cpumap: needMap === 0 ? new Uint8Array(0) : writeCpuMap(online, Math.ceil(present / 8)),
        online: needOnline === 0 ? 0 : online.length,
        ret: present,
      };
    },
    nodeGetSecurityModel: () => ({ model: cString(node.isTest ? SECURITY_MODEL : ""), doi: cString("") }),
  } satisfies DriverHandlers;
}

/** @source testNodeGetFreePages, libvirt src/test/test_driver.c. */
function madeUpCounts(length: number): bigint[] {
  let made = 6;
  return Array.from({ length }, () => {
    made = (made * 2 + 7) | 0; // as a C int
    return BigInt.asUintN(64, BigInt(made));
  });
}

/** A C array of `size` characters, the last of them zero. */
function charArray(text: string, size: number): Uint8Array {
  const chars = new Uint8Array(size);
  chars.set(new TextEncoder().encode(text).subarray(0, size - 1));
  return chars;
}

/** With the zero at its end. */
function cString(text: string): Uint8Array {
  return charArray(text, text.length + 1);
}
