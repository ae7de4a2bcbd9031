import {
  VirErrorNumber,
  VirNetworkCreateFlags,
  VirNetworkDefineFlags,
  VirNetworkEventLifecycleType,
  VirNetworkMetadataType,
  VirNetworkUpdateFlags,
  VirNetworkXMLFlags,
} from "../../../generated/libvirt/index.ts";
import { type NonnullNetwork, REMOTE_NETWORK_LIST_MAX } from "../../../generated/remote/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import { checkFlags, driverError, operationInvalid } from "../driver-errors.ts";
import type { Host } from "../host.ts";
import { checkListCount } from "../list-count.ts";
import { parseMac } from "../mac-address.ts";
import { filtered, flagsOf, listAnswer } from "../object-list.ts";
import type { Network } from "./network.ts";
import { networkEventProcedures } from "./network-events.ts";
import { leasesOf } from "./network-leases.ts";
import { networkFilters } from "./network-list.ts";
import { networkMetadata, withMetadata } from "./network-metadata.ts";
import { networkPortProcedures } from "./network-port-procedures.ts";
import { updated } from "./network-update.ts";
import { formatNetworkXml, type NetworkDefinition, parseNetworkXml } from "./network-xml.ts";

const { VIR_NETWORK_UPDATE_AFFECT_CONFIG: CONFIG, VIR_NETWORK_UPDATE_AFFECT_LIVE: LIVE } = VirNetworkUpdateFlags;
const { VIR_NETWORK_EVENT_DEFINED, VIR_NETWORK_EVENT_STARTED, VIR_NETWORK_EVENT_STOPPED, VIR_NETWORK_EVENT_UNDEFINED } =
  VirNetworkEventLifecycleType;
const NO_FLAGS = 0;

/** Networks: what they are, and their life from define to undefine. */
export function networkProcedures(host: Host) {
  const { list, events } = host.networks;

  const define = (xml: string): { net: NonnullNetwork } => {
    const definition = parseNetworkXml(xml);
    const network = list.claim(definition, "any");
    network.config = definition;
    list.add(network);
    events.lifecycle(network.reference, VIR_NETWORK_EVENT_DEFINED);
    return { net: network.reference };
  };

  const create = (xml: string): { net: NonnullNetwork } => {
    const definition = parseNetworkXml(xml);
    const network = list.claim(definition, "inactive");
    network.run(definition);
    list.add(network);
    events.lifecycle(network.reference, VIR_NETWORK_EVENT_STARTED);
    return { net: network.reference };
  };

  /**
   * Changes what holds now, what the next start uses, or both, as the flags say: all of it, or nothing.
   *
   * @source virNetworkObjUpdate, libvirt src/conf/virnetworkobj.c.
   */
  const change = (network: Network, flags: number, edit: (definition: NetworkDefinition) => NetworkDefinition) => {
    const affected = (flags & (CONFIG | LIVE)) === 0 ? (network.active ? LIVE : CONFIG) : flags & (CONFIG | LIVE);
    const { live, config } = network;
    if ((affected & LIVE) !== 0 && live === undefined) throw operationInvalid("network is not running");
    if ((affected & CONFIG) !== 0 && config === undefined) {
      throw operationInvalid("cannot change persistent config of a transient network");
    }
    const newLive = (affected & LIVE) === 0 ? undefined : edit(live!);
    const newConfig = (affected & CONFIG) === 0 ? undefined : edit(config!);
    if (newLive !== undefined) network.run(newLive);
    if (newConfig !== undefined) network.config = newConfig;
  };

  const names = (active: boolean) => [...list].filter((net) => net.active === active).map(({ name }) => name);
  const checkNames = (maxnames: number) =>
    checkListCount("maxnames", maxnames, "REMOTE_NETWORK_LIST_MAX", REMOTE_NETWORK_LIST_MAX);

  return {
    ...networkEventProcedures(events),
    ...networkPortProcedures(host.networks),
    connectNumOfNetworks: () => ({ num: names(true).length }),
    connectListNetworks({ maxnames }) {
      checkNames(maxnames);
      return { names: names(true).slice(0, maxnames) };
    },
    connectNumOfDefinedNetworks: () => ({ num: names(false).length }),
    connectListDefinedNetworks({ maxnames }) {
      checkNames(maxnames);
      return { names: names(false).slice(0, maxnames) };
    },
    connectListAllNetworks({ needResults, flags }) {
      checkFlags(flags, flagsOf(networkFilters), "virConnectListAllNetworks");
      const nets = filtered(list, networkFilters, flags).map(({ reference }) => reference);
      const { found, ret } = listAnswer(nets, needResults);
      return { nets: found, ret };
    },
    networkLookupByName: ({ name }) => ({ net: list.named(name).reference }),
    networkLookupByUuid: ({ uuid }) => ({ net: list.find({ uuid }).reference }),
    networkIsActive: ({ net }) => ({ active: list.find(net).active ? 1 : 0 }),
    networkIsPersistent: ({ net }) => ({ persistent: list.find(net).persistent ? 1 : 0 }),

    networkDefineXml: ({ xml }) => define(xml),
    networkDefineXmlFlags({ xml, flags }) {
      checkFlags(flags, VirNetworkDefineFlags.VIR_NETWORK_DEFINE_VALIDATE, "virNetworkDefineXMLFlags");
      return define(xml);
    },
    networkCreateXml: ({ xml }) => create(xml),
    networkCreateXmlFlags({ xml, flags }) {
      checkFlags(flags, VirNetworkCreateFlags.VIR_NETWORK_CREATE_VALIDATE, "virNetworkCreateXMLFlags");
      return create(xml);
    },
    networkCreate({ net }) {
      const network = list.find(net);
      if (network.active) throw operationInvalid(`Network '${network.name}' is already running`);
      network.run(network.definition);
      events.lifecycle(network.reference, VIR_NETWORK_EVENT_STARTED);
    },
    networkDestroy({ net }) {
      const network = list.find(net);
      network.stop();
      if (!network.persistent) list.remove(network);
      events.lifecycle(network.reference, VIR_NETWORK_EVENT_STOPPED);
    },
    networkUndefine({ net }) {
      const network = list.find(net);
      if (network.active) throw operationInvalid(`Network '${network.name}' is still running`);
      list.remove(network);
      events.lifecycle(network.reference, VIR_NETWORK_EVENT_UNDEFINED);
    },
    networkUpdate({ net, command, section, parentIndex, xml, flags }) {
      checkFlags(flags, CONFIG | LIVE, "virNetworkUpdate");
      change(list.find(net), flags, (definition) => updated(definition, command, section, parentIndex, xml));
    },

    networkGetXmlDesc({ net, flags }) {
      const { VIR_NETWORK_XML_INACTIVE } = VirNetworkXMLFlags;
      checkFlags(flags, VIR_NETWORK_XML_INACTIVE, "virNetworkGetXMLDesc");
      const { config, definition } = list.find(net);
      return { xml: formatNetworkXml((flags & VIR_NETWORK_XML_INACTIVE) === 0 ? definition : (config ?? definition)) };
    },
    networkGetBridgeName({ net }) {
      const { bridge, name } = list.find(net).definition;
      if (bridge !== undefined) return { name: bridge };
      const detail = `network '${name}' does not have a bridge name.`;
      throw driverError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, detail);
    },
    networkGetAutostart: ({ net }) => ({ autostart: list.find(net).autostart ? 1 : 0 }),
    networkSetAutostart({ net, autostart }) {
      list.find(net).autostart = autostart !== 0;
    },
    networkGetDhcpLeases({ net, mac, needResults, flags }) {
      checkFlags(flags, NO_FLAGS, "virNetworkGetDHCPLeases");
      const network = list.find(net);
      const wanted = mac === null ? undefined : parseMac(mac);
      if (mac !== null && wanted === undefined) {
        throw driverError(VirErrorNumber.VIR_ERR_INVALID_ARG, "mac in virNetworkGetDHCPLeases is not valid");
      }
      const leases = leasesOf(host, network).filter((lease) => mac === null || lease.mac === wanted);
      const { found, ret } = listAnswer(leases, needResults);
      return { leases: found, ret };
    },

    networkGetMetadata({ network, type, uri, flags }) {
      checkFlags(flags, CONFIG | LIVE, "virNetworkGetMetadata");
      const { live, config, definition } = list.find(network);
      if ((flags & LIVE) !== 0 && live === undefined) throw operationInvalid("network is not running");
      if ((flags & CONFIG) !== 0 && config === undefined) {
        throw operationInvalid("cannot change persistent config of a transient network");
      }
      return { metadata: networkMetadata((flags & CONFIG) === 0 ? definition : config!, type, uri) };
    },
    networkSetMetadata({ network, type, metadata, key, uri, flags }) {
      checkFlags(flags, CONFIG | LIVE, "virNetworkSetMetadata");
      const found = list.find(network);
      change(found, flags, (definition) => withMetadata(definition, type, metadata, key, uri));
      const isElement = type === VirNetworkMetadataType.VIR_NETWORK_METADATA_ELEMENT;
      events.metadataChange(found.reference, type, isElement ? uri : null);
    },
  } satisfies DriverHandlers;
}
