import { VirErrorNumber } from "../../../generated/libvirt/index.ts";
import type { TypedParam } from "../../../generated/remote/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import { type DiskDefinition, findDisk } from "../device-xml.ts";
import { AFFECT } from "../domain.ts";
import { type DomainDefinition, rootOf } from "../domain-xml.ts";
import { badArgument, checkFlags, driverError, invalidArgument } from "../driver-errors.ts";
import type { Host } from "../host.ts";
import { answerParams, type CheckedParams, checkParams, param, STRING_OKAY } from "../typed-parameters.ts";
import { append, child, children, descendant, type Element, newElement, remove, setText, textOf } from "../xml.ts";

/** The largest limit. */
const MOST = 1_000_000_000_000_000n;
const WHAT = [
  "total_bytes_sec",
  "read_bytes_sec",
  "write_bytes_sec",
  "total_iops_sec",
  "read_iops_sec",
  "write_iops_sec",
];
/** Fields of numbers, in the order in which they are answered; the group's name comes after the thirteenth. */
const LIMITS = [...WHAT, ...WHAT.map((name) => `${name}_max`), "size_iops_sec"];
const LENGTHS = WHAT.map((name) => `${name}_max_length`);
const NUMBERS = [...LIMITS, ...LENGTHS];
const TYPES = {
  ...Object.fromEntries(NUMBERS.map((name) => [name, "ullong" as const])),
  group_name: "string" as const,
};

/** Bytes, as the test driver has them. */
const INFO = { capacity: 1_099_506_450_432n, allocation: 1_099_511_627_776n, physical: 1_099_511_627_776n };

/** Disks: what they did, how large they are, how fast they may be. */
export function blockProcedures({ domains, events, clock }: Host) {
  return {
    domainBlockStats({ dom, path }) {
      checkPath(path);
      const domain = domains.find(dom);
      diskOf(domain.active.definition, path);
      return blockStats(clock.date());
    },
    domainBlockStatsFlags({ dom, path, nparams, flags }) {
      checkFlags(flags, STRING_OKAY, "virDomainBlockStatsFlags");
      checkPath(path);
      const domain = domains.find(dom);
      diskOf(domain.active.definition, path);
      const { rdReq, rdBytes, wrReq, wrBytes, errs } = blockStats(clock.date());
      const params = [
        param.llong("wr_bytes", wrBytes),
        param.llong("wr_operations", wrReq),
        param.llong("rd_bytes", rdBytes),
        param.llong("rd_operations", rdReq),
        param.llong("errs", errs),
      ];
      return answerParams(params, nparams, flags);
    },
    domainGetBlockInfo({ dom, path, flags }) {
      checkFlags(flags, 0, "virDomainGetBlockInfo");
      const disk = findDisk(domains.find(dom).definition.disks, path, "none");
      if (disk === undefined) throw invalidArgument(`invalid path ${path} not assigned to domain`);
      if (disk.source === undefined) {
        throw invalidArgument(`disk '${path}' does not currently have a source assigned`);
      }
      return INFO;
    },
    domainGetBlockIoTune({ dom, disk, nparams, flags }) {
      checkFlags(flags, AFFECT | STRING_OKAY, "virDomainGetBlockIoTune");
      const domain = domains.find(dom);
      const definition = domain.definitionOf(domain.oneAffected(flags & AFFECT));
      if (nparams !== 0 && disk === null)
        throw badArgument("virDomainGetBlockIoTune", "disk", "disk in virDomainGetBlockIoTune must not be NULL");
      const params = disk === null ? tuneParams(undefined) : tuneParams(iotuneOf(definition, disk));
      return answerParams(params, nparams, flags);
    },
    domainSetBlockIoTune({ dom, disk, params, flags }) {
      checkFlags(flags, AFFECT, "virDomainSetBlockIoTune");
      const checked = checkParams(params, TYPES);
      const domain = domains.find(dom);
      const which = domain.affected(flags);
      for (const each of which) {
        if (findDisk(domain.definitionOf(each).disks, disk, "first") === undefined) {
          throw invalidArgument(`missing persistent configuration for disk '${disk}'`);
        }
      }
      if (NUMBERS.some((name) => (checked.bigint(name) ?? 0n) > MOST)) {
        const detail = `block I/O throttle limit value must be no more than ${MOST}`;
        throw driverError(VirErrorNumber.VIR_ERR_ARGUMENT_UNSUPPORTED, detail);
      }
      domain.change(which, (root, each) => {
        const { target } = findDisk(domain.definitionOf(each).disks, disk, "first")!;
        setTune(diskElement(root, target)!, checked);
      });
      if (which.includes("live")) {
        const changed = params.map(({ field, value }): TypedParam => ({ field: `blkdeviotune.${field}`, value }));
        events.tunable(domain.reference, [param.string("blkdeviotune.disk", disk), ...changed]);
      }
    },
  } satisfies DriverHandlers;
}

function checkPath(path: string): void {
  if (path !== "") return;
  throw driverError(VirErrorNumber.VIR_ERR_OPERATION_UNSUPPORTED, "summary statistics are not supported yet");
}

function diskOf({ disks }: DomainDefinition, path: string): DiskDefinition {
  const disk = findDisk(disks, path, "none");
  if (disk === undefined) throw invalidArgument(`invalid path: ${path}`);
  return disk;
}

/**
 * Numbers without a meaning, that grow.
 *
 * @param now milliseconds since 1970.
 * @source testDomainBlockStats, libvirt src/test/test_driver.c.
 */
export function blockStats(now: number) {
  const base = BigInt(Math.round(now)) * 1000n;
  return { rdReq: base / 10n, rdBytes: base / 20n, wrReq: base / 30n, wrBytes: base / 40n, errs: base / 2_000_000n };
}

function diskElement(root: Element, target: string): Element | undefined {
  const devices = child(root, "devices");
  const disks = devices === undefined ? [] : children(devices, "disk");
  return disks.find((each) => child(each, "target")?.getAttribute("dev") === target);
}

function iotuneOf(definition: DomainDefinition, path: string): Element | undefined {
  const disk = findDisk(definition.disks, path, "first");
  if (disk === undefined) throw invalidArgument(`disk '${path}' was not found in the domain config`);
  const element = diskElement(rootOf(definition), disk.target);
  return element && child(element, "iotune");
}

function tuneParams(iotune: Element | undefined): TypedParam[] {
  const number = (name: string) => param.ullong(name, numberOf(iotune, name));
  const group = (iotune && textOf(iotune, "group_name")) ?? "";
  return [...LIMITS.map(number), param.string("group_name", group), ...LENGTHS.map(number)];
}

function numberOf(iotune: Element | undefined, name: string): bigint {
  const text = (iotune && textOf(iotune, name)?.trim()) ?? "";
  return /^[0-9]{1,20}$/.test(text) ? BigInt(text) : 0n;
}

/** @source testDomainSetBlockIoTune, libvirt src/test/test_driver.c. */
function setTune(disk: Element, checked: CheckedParams): void {
  const before = child(disk, "iotune");
  const value = (name: string) => checked.bigint(name) ?? numberOf(before, name);
  for (const kind of ["bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max"]) {
    if (value(`total_${kind}`) !== 0n && (value(`read_${kind}`) !== 0n || value(`write_${kind}`) !== 0n)) {
      throw invalidArgument(`total and read/write of ${kind} cannot be set at the same time`);
    }
  }
  for (const name of WHAT) {
    // So a limit needs a maximum, which QEMU's driver does not want, but the test driver does.
    if (value(name) > value(`${name}_max`)) throw invalidArgument(`${name} cannot be set higher than ${name}_max `);
  }
  const iotune = before ?? newElement(disk, "iotune");
  if (before === undefined) append(disk, iotune);
  for (const name of NUMBERS) {
    if (checked.bigint(name) !== undefined) setOrRemove(iotune, name, value(name) === 0n ? "" : `${value(name)}`);
  }
  const group = checked.string("group_name");
  if (group !== undefined) setOrRemove(iotune, "group_name", group);
  if (children(iotune).length === 0) remove(iotune);
}

function setOrRemove(parent: Element, name: string, text: string): void {
  const there = descendant(parent, name);
  if (text === "") {
    if (there !== undefined) remove(there);
  } else if (there === undefined) append(parent, newElement(parent, name, text));
  else setText(there, text);
}
