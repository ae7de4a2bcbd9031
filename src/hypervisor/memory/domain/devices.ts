import { VirDomainDeviceModifyFlags } from "../../../generated/libvirt/index.ts";
import type { NonnullDomain } from "../../../generated/remote/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import { AFFECT, type Which } from "../domain.ts";
import { checkFlags, notRunning } from "../driver-errors.ts";
import type { Host } from "../host.ts";
import type { Element } from "../xml.ts";
import { attach, detach, detachByAlias, parseDevice, update } from "./device.ts";

const LIVE_ONLY = 1;
/** Of an update: also where the guest has the medium locked, which none here does. */
const { VIR_DOMAIN_DEVICE_MODIFY_FORCE: FORCE } = VirDomainDeviceModifyFlags;

/** Devices that come, go and change. */
export function deviceProcedures({ domains, events }: Host) {
  const modify = (
    dom: NonnullDomain,
    xml: string,
    flags: number,
    act: (root: Element, device: Element, which: Which) => string | undefined,
    tell?: (reference: NonnullDomain, alias: string) => void,
  ): void => {
    const domain = domains.find(dom);
    const which = domain.affected(flags);
    const device = parseDevice(xml);
    let alias: string | undefined;
    domain.change(which, (root, each) => {
      const touched = act(root, device, each);
      if (each === "live") alias = touched;
    });
    if (alias !== undefined) tell?.(domain.reference, alias);
  };
  const attachDevice = (dom: NonnullDomain, xml: string, flags: number) =>
    modify(dom, xml, flags, attach, (reference, alias) => events.deviceAdded(reference, alias));
  const detachDevice = (dom: NonnullDomain, xml: string, flags: number) =>
    modify(dom, xml, flags, detach, (reference, alias) => events.deviceRemoved(reference, alias));

  return {
    domainAttachDevice({ dom, xml }) {
      if (domains.find(dom).guest === undefined) throw notRunning();
      attachDevice(dom, xml, LIVE_ONLY);
    },
    domainAttachDeviceFlags({ dom, xml, flags }) {
      checkFlags(flags, AFFECT, "virDomainAttachDeviceFlags");
      attachDevice(dom, xml, flags);
    },
    domainDetachDevice({ dom, xml }) {
      if (domains.find(dom).guest === undefined) throw notRunning();
      detachDevice(dom, xml, LIVE_ONLY);
    },
    domainDetachDeviceFlags({ dom, xml, flags }) {
      checkFlags(flags, AFFECT, "virDomainDetachDeviceFlags");
      detachDevice(dom, xml, flags);
    },
    domainDetachDeviceAlias({ dom, alias, flags }) {
      checkFlags(flags, AFFECT, "virDomainDetachDeviceAlias");
      const domain = domains.find(dom);
      const which = domain.affected(flags);
      domain.change(which, (root) => detachByAlias(root, alias));
      if (which.includes("live")) events.deviceRemoved(domain.reference, alias);
    },
    domainUpdateDeviceFlags({ dom, xml, flags }) {
      checkFlags(flags, AFFECT | FORCE, "virDomainUpdateDeviceFlags");
      modify(dom, xml, flags, (root, device, which) => {
        update(root, device, which);
        return undefined;
      });
    },
  } satisfies DriverHandlers;
}
