import { arch, cpus, freemem, totalmem } from "node:os";

export interface NodeCell {
  readonly memoryKib: number;
  /** What is said to be free, KiB. */
  readonly freeKib: number;
  /** Numbers of its processors. */
  readonly cpus: readonly number[];
  /** KiB of its smallest pages. */
  readonly pageKib: number;
}

/** The machine that a host says it is. */
export interface Node {
  /** libvirt's name of the architecture. */
  readonly model: string;
  readonly memoryKib: number;
  readonly cpus: number;
  readonly mhz: number;
  readonly nodes: number;
  readonly sockets: number;
  readonly cores: number;
  readonly threads: number;
  readonly cells: readonly NodeCell[];
  /** The most that a guest may have. */
  readonly maxVcpus: number;
  /** Of domains, in `<domain type=…>`. */
  readonly virtType: string;
  /** What CONNECT_GET_TYPE answers. */
  readonly driver: string;
  /** As libvirt counts: 1000000 × major + 1000 × minor + release. */
  readonly driverVersion: bigint;
  /** Whether it says what libvirt's test driver does, where that is made up. */
  readonly isTest: boolean;
}

/** Processors that a guest may be pinned to. @source VIR_NODEINFO_MAXCPUS, libvirt include/libvirt/libvirt-host.h. */
export function hostCpus({ nodes, sockets, cores, threads }: Node): number {
  return nodes * sockets * cores * threads;
}

/** libvirt's names of processor architectures, by Node's. */
const architectures = new Map([
  ["x64", "x86_64"],
  ["ia32", "i686"],
  ["arm64", "aarch64"],
  ["arm", "armv7l"],
  ["ppc64", "ppc64le"],
]);

const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);

/** The machine that this process runs on. */
export function thisMachine(): Node {
  const processors = cpus();
  const count = Math.max(1, processors.length);
  const memoryKib = Math.floor(totalmem() / 1024);
  return {
    model: architectures.get(arch()) ?? arch(),
    memoryKib,
    cpus: count,
    mhz: processors[0]?.speed ?? 0,
    nodes: 1,
    sockets: 1,
    cores: count,
    threads: 1,
    cells: [{ memoryKib, freeKib: Math.floor(freemem() / 1024), cpus: range(0, count), pageKib: 4 }],
    maxVcpus: 16384,
    virtType: "virtwire",
    driver: "virtwire",
    driverVersion: 1_000n,
    isTest: false,
  };
}

/** The machine of `test:///default`. @source testOpenDefault, libvirt src/test/test_driver.c. */
export const testMachine: Node = {
  model: "i686",
  memoryKib: 3 << 20,
  cpus: 16,
  mhz: 1400,
  nodes: 2,
  sockets: 2,
  cores: 2,
  threads: 2,
  cells: [
    { memoryKib: 2 << 20, freeKib: 1 << 20, cpus: range(0, 8), pageKib: 4 },
    { memoryKib: 4 << 20, freeKib: 2 << 20, cpus: range(8, 8), pageKib: 8 },
  ],
  maxVcpus: 32,
  virtType: "test",
  driver: "TEST",
  driverVersion: 2n,
  isTest: true,
};
