import { arch, cpus, totalmem } from "node:os";
import type { DriverHandlers } from "../hypervisor.ts";
import type { Host } from "./host.ts";
import { formatUuid } from "./uuid.ts";

/** Of this driver, as libvirt counts: 1000000 × major + 1000 × minor + release. */
const DRIVER_VERSION = 1_000n;
/** The libvirt whose protocol is spoken: 11.3.0. */
const LIBVIRT_VERSION = 11_003_000n;
const MAX_VCPUS = 16384;

/** libvirt's names of processor architectures, by Node's. */
const architectures = new Map([
  ["x64", "x86_64"],
  ["ia32", "i686"],
  ["arm64", "aarch64"],
  ["arm", "armv7l"],
  ["ppc64", "ppc64le"],
]);

/** The host: versions, name, what it is made of. */
export function hostProcedures(host: Host, type: string) {
  const architecture = architectures.get(arch()) ?? arch();
  const processors = cpus();
  const memoryKib = Math.floor(totalmem() / 1024);
  return {
    connectGetType: () => ({ type }),
    connectGetVersion: () => ({ hvVer: DRIVER_VERSION }),
    connectGetLibVersion: () => ({ libVer: LIBVIRT_VERSION }),
    connectGetHostname: () => ({ hostname: host.hostname }),
    connectGetMaxVcpus: () => ({ maxVcpus: MAX_VCPUS }),
    connectGetCapabilities: () => ({
      capabilities: capabilities(host, type, architecture, processors.length, memoryKib),
    }),
    connectIsSecure: () => ({ secure: 1 }),
    nodeGetInfo: () => ({
      model: charArray(architecture, 32),
      memory: BigInt(memoryKib),
      cpus: Math.max(1, processors.length),
      mhz: processors[0]?.speed ?? 0,
      nodes: 1,
      sockets: 1,
      cores: Math.max(1, processors.length),
      threads: 1,
    }),
    nodeGetFreeMemory: () => ({ freeMem: BigInt(host.memory.limit - host.memory.used) }),
  } satisfies DriverHandlers;
}

/** A C array of `size` characters, the last of them zero. */
function charArray(text: string, size: number): Uint8Array {
  const chars = new Uint8Array(size);
  chars.set(new TextEncoder().encode(text).subarray(0, size - 1));
  return chars;
}

/** Everything in it comes from this process, so nothing needs escaping. */
function capabilities(host: Host, type: string, architecture: string, cpuCount: number, memoryKib: number): string {
  const cpuList = Array.from({ length: cpuCount }, (_, id) => {
    return `            <cpu id='${id}' socket_id='0' die_id='0' core_id='${id}' siblings='${id}'/>\n`;
  }).join("");
  return `<capabilities>
  <host>
    <uuid>${formatUuid(host.uuid)}</uuid>
    <cpu>
      <arch>${architecture}</arch>
    </cpu>
    <migration_features>
      <live/>
      <uri_transports>
        <uri_transport>tcp</uri_transport>
      </uri_transports>
    </migration_features>
    <topology>
      <cells num='1'>
        <cell id='0'>
          <memory unit='KiB'>${memoryKib}</memory>
          <cpus num='${cpuCount}'>
${cpuList}          </cpus>
        </cell>
      </cells>
    </topology>
  </host>
  <guest>
    <os_type>hvm</os_type>
    <arch name='${architecture}'>
      <wordsize>${architecture.includes("64") ? 64 : 32}</wordsize>
      <domain type='${type}'/>
    </arch>
  </guest>
</capabilities>
`;
}
