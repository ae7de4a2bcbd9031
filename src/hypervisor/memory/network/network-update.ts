import { VirErrorNumber, VirNetworkUpdateCommand, VirNetworkUpdateSection } from "../../../generated/libvirt/index.ts";
import { formatIp } from "../ip-address.ts";
import { append, attribute, child, children, type Element, newElement, parseXml } from "../xml.ts";
import { checkDnsHost, checkDnsSrv, checkDnsTxt } from "./network-dns.ts";
import { networkError, networkXmlError } from "./network-errors.ts";
import { checkHost, checkRange, type NetworkAddress, type StaticHost } from "./network-ip.ts";
import { checkPortGroup, formatNetworkXml, type NetworkDefinition, parseNetworkXml } from "./network-xml.ts";

const COMMAND = VirNetworkUpdateCommand;
const SECTION = VirNetworkUpdateSection;

const invalid = (detail: string) => networkError(VirErrorNumber.VIR_ERR_OPERATION_INVALID, detail);
const unsupported = (detail: string) => networkError(VirErrorNumber.VIR_ERR_OPERATION_UNSUPPORTED, detail);

interface Update {
  readonly name: string;
  readonly root: Element;
  readonly addresses: readonly NetworkAddress[];
  readonly command: number;
  readonly parentIndex: number;
  /** What the client sent, of the network's document. */
  readonly element: Element;
}

/** What each section is called, and what changes it; none where libvirt cannot. */
const sections = new Map<number, readonly [title: string, update?: (update: Update) => void]>([
  [SECTION.VIR_NETWORK_SECTION_BRIDGE, ["bridge"]],
  [SECTION.VIR_NETWORK_SECTION_DOMAIN, ["domain"]],
  [SECTION.VIR_NETWORK_SECTION_IP, ["ip"]],
  [SECTION.VIR_NETWORK_SECTION_IP_DHCP_HOST, ["dhcp host", updateHost]],
  [SECTION.VIR_NETWORK_SECTION_IP_DHCP_RANGE, ["dhcp range", updateRange]],
  [SECTION.VIR_NETWORK_SECTION_FORWARD, ["forward"]],
  [SECTION.VIR_NETWORK_SECTION_FORWARD_INTERFACE, ["forward interface", updateInterface]],
  [SECTION.VIR_NETWORK_SECTION_FORWARD_PF, ["forward pf"]],
  [SECTION.VIR_NETWORK_SECTION_PORTGROUP, ["portgroup", updatePortGroup]],
  [SECTION.VIR_NETWORK_SECTION_DNS_HOST, ["dns host", updateDnsHost]],
  [SECTION.VIR_NETWORK_SECTION_DNS_TXT, ["dns txt", updateDnsTxt]],
  [SECTION.VIR_NETWORK_SECTION_DNS_SRV, ["dns srv", updateDnsSrv]],
]);

/**
 * A network's definition with one element of it added, changed or taken out.
 *
 * @throws {VirtError} in libvirt's words, and where the result would be no network.
 * @source virNetworkDefUpdateSection and what it calls, libvirt src/conf/network_conf.c.
 */
export function updated(
  definition: NetworkDefinition,
  command: number,
  section: number,
  parentIndex: number,
  xml: string,
): NetworkDefinition {
  const { name, root, addresses } = parseNetworkXml(formatNetworkXml(definition));
  const sent = parseXml(xml, "network_update_xml");
  const [title, update] = sections.get(section) ?? [];
  if (title === undefined) throw unsupported(`can't update unrecognized section of network '${name}'`);
  if (update === undefined) throw unsupported(`can't update '${title}' section of network '${name}'`);
  const element = root.ownerDocument!.importNode(sent, true) as Element;
  update({ name, root, addresses, command, parentIndex, element });
  return parseNetworkXml(formatNetworkXml({ ...definition, root }));
}

function expect({ name, element }: Update, tag: string): void {
  if (element.tagName === tag) return;
  throw networkXmlError(
    `unexpected element <${element.tagName}>, expecting <${tag}>, while updating network '${name}'`,
  );
}

const isAdd = (command: number) =>
  command === COMMAND.VIR_NETWORK_UPDATE_COMMAND_ADD_FIRST || command === COMMAND.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST;

function unknownCommand(command: number) {
  return unsupported(`unrecognized network update command code ${command}`);
}

/** Puts the element before or after those of its name. */
function add(parent: Element, { command, element }: Update): void {
  const same = children(parent, element.tagName);
  const [first] = same;
  if (first === undefined) append(parent, element);
  else if (command === COMMAND.VIR_NETWORK_UPDATE_COMMAND_ADD_FIRST) parent.insertBefore(element, first);
  else parent.insertBefore(element, same[same.length - 1]!.nextSibling);
}

/** The child of that name, made where there is none. */
function made(parent: Element, name: string): Element {
  const there = child(parent, name);
  if (there !== undefined) return there;
  const element = newElement(parent, name);
  append(parent, element);
  return element;
}

function hasDhcp(ip: Element): boolean {
  const dhcp = child(ip, "dhcp");
  return dhcp !== undefined && (child(dhcp, "range") !== undefined || child(dhcp, "host") !== undefined);
}

/** The `<ip>` whose DHCP is meant. */
function ipOf({ name, root, addresses, parentIndex }: Update): { ip: Element; address: NetworkAddress } {
  const ips = children(root, "ip");
  let index = parentIndex;
  if (parentIndex >= 0) {
    if (index >= ips.length) {
      throw invalid(
        `couldn't update dhcp host entry - no <ip> element found at index ${parentIndex} in network '${name}'`,
      );
    }
  } else {
    index = ips.findIndex(hasDhcp);
    if (index < 0) index = addresses.findIndex(({ family }) => family === 4);
    if (index < 0) index = 0;
    if (ips.length === 0) {
      throw invalid(`couldn't update dhcp host entry - no <ip> element found in network '${name}'`);
    }
  }
  return { ip: ips[index]!, address: addresses[index]! };
}

function checkOnlyDhcp({ root, addresses }: Update, ip: Element, { family }: NetworkAddress): void {
  const other = children(root, "ip").some((each, i) => each !== ip && addresses[i]!.family === family && hasDhcp(each));
  if (other) {
    throw invalid(`dhcp is supported only for a single ${family === 4 ? "IPv4" : "IPv6"} address on each network`);
  }
}

function updateHost(update: Update): void {
  const { name, command, element } = update;
  const deleting = command === COMMAND.VIR_NETWORK_UPDATE_COMMAND_DELETE;
  expect(update, "host");
  const { ip, address } = ipOf(update);
  const host = checkHost(name, address, element, deleting);
  if (!deleting && host.ip?.family !== address.family) {
    throw invalid("the address family of a host entry IP must match the address family of the dhcp element's parent");
  }
  const dhcp = made(ip, "dhcp");
  const there = children(dhcp, "host").map((each) => ({ each, ...checkHost(name, address, each, true) }));
  const sameIp = (other: StaticHost) => host.ip !== undefined && host.ip.value === other.ip?.value;
  const shared = there.find(
    (other) =>
      (host.mac !== undefined && host.mac === other.mac) ||
      (host.name !== undefined && host.name === other.name) ||
      sameIp(other),
  );
  const shown = (text: string | null) => text ?? "unknown";
  const ipText = shown(host.ip === undefined ? null : formatIp(host.ip));
  if (command === COMMAND.VIR_NETWORK_UPDATE_COMMAND_MODIFY) {
    if (shared === undefined) {
      const what = `"mac='${shown(attribute(element, "mac") ?? null)}'" "name='${host.name ?? "(null)"}'" "ip='${ipText}'"`;
      throw invalid(`couldn't locate an existing dhcp host entry with ${what} in network '${name}'`);
    }
    dhcp.replaceChild(element, shared.each);
  } else if (isAdd(command)) {
    checkOnlyDhcp(update, ip, address);
    if (shared !== undefined) {
      const mac = shown(attribute(element, "mac") ?? null);
      throw invalid(
        `there is an existing dhcp host entry in network '${name}' that matches ` +
          `"<host mac='${mac}' name='${host.name ?? "(null)"}' ip='${ipText}'/>"`,
      );
    }
    add(dhcp, update);
  } else if (deleting) {
    const found = there.find(
      (other) =>
        (host.mac === undefined || other.mac === undefined || host.mac === other.mac) &&
        (host.name === undefined || host.name === other.name) &&
        (host.ip === undefined || sameIp(other)),
    );
    if (found === undefined) throw invalid(`couldn't locate a matching dhcp host entry in network '${name}'`);
    dhcp.removeChild(found.each);
  } else throw unknownCommand(command);
  if (children(dhcp).length === 0) ip.removeChild(dhcp);
}

function updateRange(update: Update): void {
  const { name, command, element } = update;
  expect(update, "range");
  const { ip, address } = ipOf(update);
  if (command === COMMAND.VIR_NETWORK_UPDATE_COMMAND_MODIFY) {
    throw unsupported("dhcp ranges cannot be modified, only added or deleted");
  }
  const range = checkRange(name, address, element);
  const dhcp = made(ip, "dhcp");
  const found = children(dhcp, "range").find((each) => {
    const other = checkRange(name, address, each);
    return other.start.value === range.start.value && other.end.value === range.end.value;
  });
  if (isAdd(command)) {
    checkOnlyDhcp(update, ip, address);
    if (found !== undefined) {
      const text = `<range start='${formatIp(range.start)}' end='${formatIp(range.end)}'/>`;
      throw invalid(`there is an existing dhcp range entry in network '${name}' that matches "${text}"`);
    }
    add(dhcp, update);
  } else if (command === COMMAND.VIR_NETWORK_UPDATE_COMMAND_DELETE) {
    if (found === undefined) throw invalid(`couldn't locate a matching dhcp range entry in network '${name}'`);
    dhcp.removeChild(found);
  } else throw unknownCommand(command);
  if (children(dhcp).length === 0) ip.removeChild(dhcp);
}

function updateInterface(update: Update): void {
  const { name, root, command, element } = update;
  expect(update, "interface");
  if (command === COMMAND.VIR_NETWORK_UPDATE_COMMAND_MODIFY) {
    throw unsupported("forward interface entries cannot be modified, only added or deleted");
  }
  const dev = attribute(element, "dev");
  if (dev === undefined) throw networkXmlError("missing dev attribute in <interface> element");
  const forward = made(root, "forward");
  const found = children(forward, "interface").find((each) => attribute(each, "dev") === dev);
  if (isAdd(command)) {
    if (found !== undefined) {
      throw invalid(
        `there is an existing interface entry in network '${name}' that matches "<interface dev='${dev}'>"`,
      );
    }
    add(forward, update);
  } else if (command === COMMAND.VIR_NETWORK_UPDATE_COMMAND_DELETE) {
    if (found === undefined) {
      throw invalid(`couldn't find an interface entry in network '${name}' matching <interface dev='${dev}'>`);
    }
    forward.removeChild(found);
  } else throw unknownCommand(command);
  forward.removeAttribute("dev"); // the first interface, whichever that is now
}

function updatePortGroup(update: Update): void {
  const { name, root, command, element } = update;
  expect(update, "portgroup");
  const group = checkPortGroup(element);
  const groups = children(root, "portgroup");
  const found = groups.find((each) => attribute(each, "name") === group);
  const text = `<portgroup name='${group}'>`;
  if (found === undefined && !isAdd(command)) {
    throw invalid(`couldn't find a portgroup entry in network '${name}' matching ${text}`);
  }
  if (found !== undefined && isAdd(command)) {
    throw invalid(`there is an existing portgroup entry in network '${name}' that matches "${text}"`);
  }
  const isDefault = (each: Element) => attribute(each, "default") === "yes";
  const deleting = command === COMMAND.VIR_NETWORK_UPDATE_COMMAND_DELETE;
  if (!deleting && isDefault(element) && groups.some((each) => each !== found && isDefault(each))) {
    const detail = `a different portgroup entry in network '${name}' is already set as the default.`;
    throw invalid(`${detail} Only one default is allowed.`);
  }
  if (command === COMMAND.VIR_NETWORK_UPDATE_COMMAND_MODIFY) root.replaceChild(element, found!);
  else if (isAdd(command)) add(root, update);
  else if (deleting) root.removeChild(found!);
  else throw unknownCommand(command);
}

interface DnsRecords {
  readonly matching: Element[];
  readonly exists: string;
  readonly missing: string;
  readonly several?: string;
}

/** Adds or deletes a record of `<dns>`. */
function updateDns(update: Update, find: (records: Element[], adding: boolean) => DnsRecords, tag: string): void {
  const { root, command } = update;
  const title = tag.toUpperCase();
  if (command === COMMAND.VIR_NETWORK_UPDATE_COMMAND_MODIFY) {
    throw unsupported(`DNS ${title} records cannot be modified, only added or deleted`);
  }
  expect(update, tag);
  const dns = child(root, "dns");
  const found = find(dns === undefined ? [] : children(dns, tag), isAdd(command));
  if (isAdd(command)) {
    if (found.matching.length > 0) throw invalid(found.exists);
    add(made(root, "dns"), update);
  } else if (command === COMMAND.VIR_NETWORK_UPDATE_COMMAND_DELETE) {
    if (found.matching.length === 0) throw invalid(found.missing);
    if (found.matching.length > 1 && found.several !== undefined) throw invalid(found.several);
    dns!.removeChild(found.matching[0]!);
    if (children(dns!).length === 0 && dns!.attributes.length === 0) root.removeChild(dns!);
  } else throw unknownCommand(command);
}

function updateDnsHost(update: Update): void {
  const { name, element } = update;
  updateDns(
    update,
    (records, adding) => {
      const host = checkDnsHost(name, element, !adding);
      const hostnames = new Set(host.names);
      const matching = records.filter((each) => {
        const other = checkDnsHost(name, each, true);
        // Several addresses may have a name in common: only the address counts when one is added.
        return other.ip === host.ip || (!adding && other.names.some((hostname) => hostnames.has(hostname)));
      });
      return {
        matching,
        exists: `there is already at least one DNS HOST record with a matching field in network ${name}`,
        missing: `couldn't locate a matching DNS HOST record in network ${name}`,
        several: `multiple matching DNS HOST records were found in network ${name}`,
      };
    },
    "host",
  );
}

function updateDnsTxt(update: Update): void {
  const { name, element } = update;
  updateDns(
    update,
    (records, adding) => {
      const txt = checkDnsTxt(name, element, !adding);
      return {
        matching: records.filter((each) => attribute(each, "name") === txt.name),
        exists: `there is already a DNS TXT record with name '${txt.name}' in network ${name}`,
        missing: `couldn't locate a matching DNS TXT record in network ${name}`,
      };
    },
    "txt",
  );
}

function updateDnsSrv(update: Update): void {
  const { name, element } = update;
  updateDns(
    update,
    (records, adding) => {
      const srv = checkDnsSrv(name, element, !adding);
      const fields = Object.entries(srv).filter(([, value]) => value !== undefined);
      return {
        matching: records.filter((each) => fields.every(([field, value]) => attribute(each, field) === value)),
        exists: `there is already at least one DNS SRV record matching all specified fields in network ${name}`,
        missing: `couldn't locate a matching DNS SRV record in network ${name}`,
        several: `multiple DNS SRV records matching all specified fields were found in network ${name}`,
      };
    },
    "srv",
  );
}
