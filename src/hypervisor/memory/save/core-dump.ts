import { resolve } from "node:path";
import {
  VirDomainCoreDumpFlags as Dump,
  VirDomainCoreDumpFormat,
  VirDomainJobOperation,
  VirDomainShutoffReason,
  VirErrorDomain,
  VirErrorNumber,
} from "../../../generated/libvirt/index.ts";
import { virtError } from "../../../rpc/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import type { Domain } from "../domain.ts";
import { checkFlags, driverError, notRunning } from "../driver-errors.ts";
import { exclusiveFlags } from "../flags.ts";
import { runJob } from "../guest-job.ts";
import type { Host } from "../host.ts";
import { writeWhole } from "./image-file.ts";

const DUMP_FLAGS =
  Dump.VIR_DUMP_CRASH |
  Dump.VIR_DUMP_LIVE |
  Dump.VIR_DUMP_BYPASS_CACHE |
  Dump.VIR_DUMP_RESET |
  Dump.VIR_DUMP_MEMORY_ONLY;
const RAW = VirDomainCoreDumpFormat.VIR_DOMAIN_CORE_DUMP_FORMAT_RAW;
const LAST_FORMAT = Math.max(...Object.values(VirDomainCoreDumpFormat));
const BLOCK = 1 << 20;
const ELF_HEADER = 64;
const PROGRAM_HEADER = 56;

/**
 * Dumps of a guest's memory, as ELF core files.
 *
 * @source testDomainCoreDumpWithFormat, libvirt src/test/test_driver.c, whose file has no memory in it; its flag and
 *   those of src/qemu/qemu_driver.c.
 */
export function coreDumpProcedures(host: Host) {
  const { domains } = host;
  const dump = (domain: Domain, to: string, format: number, flags: number, api: string): Promise<void> => {
    if (format < 0 || format > LAST_FORMAT) {
      const detail = `dumpformat '${format}' is not supported`;
      throw virtError(VirErrorNumber.VIR_ERR_INVALID_ARG, VirErrorDomain.VIR_FROM_DOMAIN, detail);
    }
    for (const pair of [
      ["VIR_DUMP_CRASH", "VIR_DUMP_LIVE"],
      ["VIR_DUMP_CRASH", "VIR_DUMP_RESET"],
      ["VIR_DUMP_LIVE", "VIR_DUMP_RESET"],
    ] as const) {
      exclusiveFlags(flags, Dump, pair, VirErrorDomain.VIR_FROM_DOMAIN);
    }
    checkFlags(flags, DUMP_FLAGS, api);
    domain.active;
    if (format !== RAW) {
      const detail = "kdump-compressed format is not supported here";
      throw driverError(VirErrorNumber.VIR_ERR_OPERATION_UNSUPPORTED, detail);
    }
    const path = resolve(to);
    const operation = VirDomainJobOperation.VIR_DOMAIN_JOB_OPERATION_DUMP;
    return runJob(host, domain, operation, "domain core dump job", async (running) => {
      const { guest, job } = running;
      const what = `domain '${domain.name}' coredump to '${path}'`;
      await writeWhole(path, what, coreFile(guest.memory.bytes), (bytes) => {
        job.moved(Math.min(bytes, job.total - job.processed));
        running.check();
      });
      if (domain.guest !== guest) throw notRunning();
      if ((flags & Dump.VIR_DUMP_CRASH) !== 0) host.stop(domain, VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_CRASHED);
    });
  };
  return {
    domainCoreDump: ({ dom, to, flags }) => dump(domains.find(dom), to, RAW, flags, "virDomainCoreDump"),
    domainCoreDumpWithFormat: ({ dom, to, dumpformat, flags }) =>
      dump(domains.find(dom), to, dumpformat, flags, "virDomainCoreDumpWithFormat"),
  } satisfies DriverHandlers;
}

/** An ELF core file of one segment: physical memory from 0 on. @source elf(5) */
async function* coreFile(memory: Uint8Array): AsyncIterable<Uint8Array> {
  const header = Buffer.alloc(ELF_HEADER + PROGRAM_HEADER);
  // Magic, 64 bits, little-endian, version 1.
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(4, 16); // ET_CORE
  header.writeUInt16LE(62, 18); // EM_X86_64
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(ELF_HEADER), 32); // where program headers begin
  header.writeUInt16LE(ELF_HEADER, 52);
  header.writeUInt16LE(PROGRAM_HEADER, 54);
  header.writeUInt16LE(1, 56); // how many
  header.writeUInt32LE(1, ELF_HEADER); // PT_LOAD
  header.writeUInt32LE(6, ELF_HEADER + 4); // read, write
  header.writeBigUInt64LE(BigInt(header.byteLength), ELF_HEADER + 8); // where it is in the file
  header.writeBigUInt64LE(BigInt(memory.byteLength), ELF_HEADER + 32);
  header.writeBigUInt64LE(BigInt(memory.byteLength), ELF_HEADER + 40);
  header.writeBigUInt64LE(1n, ELF_HEADER + 48);
  yield header;
  for (let at = 0; at < memory.byteLength; at += BLOCK) yield memory.subarray(at, at + BLOCK);
}
