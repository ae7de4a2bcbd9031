import { type DomainDefinition, rootOf } from "../domain-xml.ts";
import { attribute, child, children, descendant, type Element } from "../xml.ts";

/** A console, a serial or parallel port, or a channel of a guest. */
export interface CharacterDevice {
  /** `serial0`: given in the XML, or by its kind and number as QEMU's driver does. */
  readonly alias: string;
  /** `pty`, `unix`, … */
  readonly type: string;
  /** `<target name>`: what a channel is called inside the guest. */
  readonly targetName: string | undefined;
}

/**
 * Devices of some kinds, in their order.
 *
 * @source virDomainDeviceAlias and qemuAssignDeviceChrAlias, libvirt src/qemu/qemu_alias.c.
 */
export function characterDevices(
  definition: DomainDefinition,
  kinds: readonly ("console" | "serial" | "parallel" | "channel")[],
): CharacterDevice[] {
  const devices = descendant(rootOf(definition), "devices");
  if (devices === undefined) return [];
  return kinds.flatMap((kind) =>
    children(devices, kind).map((element, number) => {
      const target = child(element, "target");
      const given = child(element, "alias");
      const alias =
        (given && attribute(given, "name")) ?? `${isSerial(kind, number, target) ? "serial" : kind}${number}`;
      const type = attribute(element, "type") ?? "pty";
      return { alias, type, targetName: target && attribute(target, "name") };
    }),
  );
}

/** The first console is the first serial port under another name, unless it says that it is something else. */
function isSerial(kind: string, number: number, target: Element | undefined): boolean {
  return kind === "console" && number === 0 && ((target && attribute(target, "type")) ?? "serial") === "serial";
}
