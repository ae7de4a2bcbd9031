import type { TypedParam } from "../../../generated/remote/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import type { InterfaceDefinition } from "../device-xml.ts";
import { AFFECT } from "../domain.ts";
import { type DomainDefinition, rootOf } from "../domain-xml.ts";
import { checkFlags, invalidArgument } from "../driver-errors.ts";
import type { Host } from "../host.ts";
import { parseMac } from "../mac-address.ts";
import { answerParams, type CheckedParams, checkParams, param, STRING_OKAY } from "../typed-parameters.ts";
import { append, child, children, type Element, newElement, remove } from "../xml.ts";

const INBOUND = ["average", "peak", "burst", "floor"] as const;
const OUTBOUND = ["average", "peak", "burst"] as const;
const TYPES = Object.fromEntries(
  [...INBOUND.map((name) => `inbound.${name}`), ...OUTBOUND.map((name) => `outbound.${name}`)].map((field) => [
    field,
    "uint" as const,
  ]),
);

/** Network interfaces: what went through them, and how much may. */
export function interfaceProcedures({ domains, clock }: Host) {
  return {
    domainInterfaceStats({ dom, device }) {
      findInterface(domains.find(dom).active.definition, device);
      return interfaceStats(clock.date());
    },
    domainGetInterfaceParameters({ dom, device, nparams, flags }) {
      checkFlags(flags, AFFECT | STRING_OKAY, "virDomainGetInterfaceParameters");
      const domain = domains.find(dom);
      const definition = domain.definitionOf(domain.oneAffected(flags & AFFECT));
      const bandwidth = child(interfaceElement(rootOf(definition), definition, device), "bandwidth");
      return answerParams(bandwidthParams(bandwidth), nparams, flags);
    },
    domainSetInterfaceParameters({ dom, device, params, flags }) {
      checkFlags(flags, AFFECT, "virDomainSetInterfaceParameters");
      const checked = checkParams(params, TYPES);
      const domain = domains.find(dom);
      domain.change(domain.affected(flags), (root, which) => {
        setBandwidth(interfaceElement(root, domain.definitionOf(which), device), checked);
      });
    },
  } satisfies DriverHandlers;
}

/** By MAC address or by its name on the host. @source virDomainNetFind, libvirt src/conf/domain_conf.c. */
function findInterface({ interfaces }: DomainDefinition, device: string): InterfaceDefinition {
  const mac = parseMac(device);
  const found = interfaces.find((each) => (mac === undefined ? each.name === device : each.mac === mac));
  if (found === undefined) throw invalidArgument(`'${device}' is not a known interface`);
  return found;
}

/** Found by its place: several may have the same MAC address. */
function interfaceElement(root: Element, definition: DomainDefinition, device: string): Element {
  const at = definition.interfaces.indexOf(findInterface(definition, device));
  return children(child(root, "devices")!, "interface")[at]!;
}

/**
 * Numbers without a meaning, that grow.
 *
 * @param now milliseconds since 1970.
 * @source testDomainInterfaceStats, libvirt src/test/test_driver.c.
 */
export function interfaceStats(now: number) {
  const base = BigInt(Math.round(now)) * 1000n;
  return {
    rxBytes: base / 10n,
    rxPackets: base / 100n,
    rxErrs: base / 1_000_000n,
    rxDrop: base / 2_000_000n,
    txBytes: base / 20n,
    txPackets: base / 110n,
    txErrs: base / 3_000_000n,
    txDrop: base / 4_000_000n,
  };
}

function bandwidthParams(bandwidth: Element | undefined): TypedParam[] {
  const value = (direction: string, name: string) => {
    const text = (bandwidth && child(bandwidth, direction)?.getAttribute(name)) ?? "";
    return /^[0-9]{1,10}$/.test(text) ? Number(text) >>> 0 : 0;
  };
  return [
    ...INBOUND.map((name) => param.uint(`inbound.${name}`, value("inbound", name))),
    ...OUTBOUND.map((name) => param.uint(`outbound.${name}`, value("outbound", name))),
  ];
}

/** @source testDomainSetInterfaceParameters, libvirt src/test/test_driver.c. */
function setBandwidth(device: Element, checked: CheckedParams): void {
  const bandwidth = child(device, "bandwidth") ?? newElement(device, "bandwidth");
  if (bandwidth.parentNode === null) append(device, bandwidth);
  for (const [direction, names] of [
    ["inbound", INBOUND],
    ["outbound", OUTBOUND],
  ] as const) {
    const value = (name: string) => checked.number(`${direction}.${name}`) ?? 0;
    const old = child(bandwidth, direction);
    const isSet = value("average") !== 0 || value("floor") !== 0;
    const isCleared =
      checked.number(`${direction}.average`) !== undefined || checked.number(`${direction}.floor`) !== undefined;
    if (old !== undefined && (isSet || isCleared)) remove(old);
    if (!isSet) continue;
    const element = newElement(device, direction);
    for (const name of names) {
      if (value(name) !== 0) element.setAttribute(name, `${value(name)}`);
    }
    append(bandwidth, element);
  }
  if (children(bandwidth).length === 0) remove(bandwidth);
}
