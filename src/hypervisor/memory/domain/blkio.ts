import type { DriverHandlers } from "../../hypervisor.ts";
import { AFFECT } from "../domain.ts";
import { ensure } from "../domain-edit.ts";
import { rootOf } from "../domain-xml.ts";
import { checkFlags, invalidArgument } from "../driver-errors.ts";
import type { Host } from "../host.ts";
import { answerParams, checkParams, param, STRING_OKAY } from "../typed-parameters.ts";
import { append, child, children, type Element, newElement, remove, setText, textOf } from "../xml.ts";

/** What can be said of a block device of the host: parameter, element in `<device>`, largest value. */
const DEVICE_PARAMS = [
  ["device_weight", "weight", 0xffff_ffffn],
  ["device_read_iops_sec", "read_iops_sec", 0xffff_ffffn],
  ["device_write_iops_sec", "write_iops_sec", 0xffff_ffffn],
  ["device_read_bytes_sec", "read_bytes_sec", 0xffff_ffff_ffff_ffffn],
  ["device_write_bytes_sec", "write_bytes_sec", 0xffff_ffff_ffff_ffffn],
] as const;
/** Devices that may be named in one parameter. */
const MOST_DEVICES = 256;

/** A guest's share of the host's block devices. */
export function blkioProcedures({ domains }: Host) {
  return {
    domainGetBlkioParameters({ dom, nparams, flags }) {
      checkFlags(flags, AFFECT | STRING_OKAY, "virDomainGetBlkioParameters");
      const domain = domains.find(dom);
      const blkiotune = child(rootOf(domain.definitionOf(domain.oneAffected(flags & AFFECT))), "blkiotune");
      const params = [
        param.uint("weight", blkiotune === undefined ? 0 : Number(numberOf(blkiotune, "weight"))),
        ...DEVICE_PARAMS.map(([name, element]) => param.string(name, devicesOf(blkiotune, element))),
      ];
      return answerParams(params, nparams, flags);
    },
    domainSetBlkioParameters({ dom, params, flags }) {
      checkFlags(flags, AFFECT, "virDomainSetBlkioParameters");
      const checked = checkParams(params, {
        weight: "uint",
        ...Object.fromEntries(DEVICE_PARAMS.map(([name]) => [name, "string" as const])),
      });
      const domain = domains.find(dom);
      const which = domain.affected(flags);
      const devices = DEVICE_PARAMS.flatMap(([name, element, max]) => {
        const text = checked.string(name);
        return text === undefined ? [] : [{ element, values: parseDevices(name, text, max) }];
      });
      const weight = checked.number("weight");
      domain.change(which, (root) => {
        const blkiotune = ensure(root, "blkiotune");
        if (weight !== undefined) setText(childOf(blkiotune, "weight"), `${weight}`);
        const known = new Map(children(blkiotune, "device").map((each) => [textOf(each, "path"), each]));
        for (const { element, values } of devices) {
          for (const [path, value] of values) setDevice(blkiotune, known, path, element, value);
        }
        if (children(blkiotune).length === 0) remove(blkiotune);
      });
    },
  } satisfies DriverHandlers;
}

function numberOf(parent: Element, name: string): bigint {
  const text = textOf(parent, name)?.trim() ?? "";
  return /^[0-9]{1,20}$/.test(text) ? BigInt(text) : 0n;
}

/** `/dev/sda,500,/dev/sdb,300` */
function devicesOf(blkiotune: Element | undefined, name: string): string {
  if (blkiotune === undefined) return "";
  return children(blkiotune, "device")
    .filter((device) => numberOf(device, name) !== 0n)
    .map((device) => `${textOf(device, "path") ?? ""},${numberOf(device, name)}`)
    .join(",");
}

/** @source virDomainDriverParseBlkioDeviceStr, libvirt src/hypervisor/domain_driver.c. */
function parseDevices(name: string, text: string, max: bigint): [path: string, value: bigint][] {
  if (text === "") return [];
  const parts = text.split(",");
  if (parts.length % 2 !== 0 || parts.length > 2 * MOST_DEVICES) {
    throw invalidArgument(`unable to parse blkio device '${name}' '${text}'`);
  }
  return Array.from({ length: parts.length / 2 }, (_, at) => {
    const path = parts[2 * at]!;
    const value = parts[2 * at + 1]!;
    if (!/^[0-9]{1,20}$/.test(value) || BigInt(value) > max) {
      const rest = parts.slice(2 * at + 1).join(",");
      throw invalidArgument(`invalid value '${rest}' for parameter '${name}' of device '${path}'`);
    }
    return [path, BigInt(value)];
  });
}

/** 0 takes back what was said of a device. */
function setDevice(
  blkiotune: Element,
  known: Map<string | undefined, Element>,
  path: string,
  name: string,
  value: bigint,
): void {
  let device = known.get(path);
  if (device === undefined) {
    if (value === 0n) return;
    device = newElement(blkiotune, "device");
    append(blkiotune, device);
    append(device, newElement(device, "path", path));
    known.set(path, device);
  }
  const element = childOf(device, name);
  if (value === 0n) remove(element);
  else setText(element, `${value}`);
  if (children(device).length > 1) return;
  remove(device);
  known.delete(path);
}

function childOf(parent: Element, name: string): Element {
  const there = child(parent, name);
  if (there !== undefined) return there;
  const made = newElement(parent, name);
  append(parent, made);
  return made;
}
