import { VirErrorNumber, VirNetworkPortCreateFlags } from "../../../generated/libvirt/index.ts";
import { type NonnullNetworkPort, REMOTE_NETWORK_PORT_LIST_MAX } from "../../../generated/remote/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import { checkFlags, driverError, invalidArgument, operationInvalid } from "../driver-errors.ts";
import { listAnswer } from "../object-list.ts";
import { checkParams, STRING_OKAY } from "../typed-parameters.ts";
import { formatUuid } from "../uuid.ts";
import type { Network } from "./network.ts";
import { NetworkPort, PORT_PARAMETERS } from "./network-port.ts";
import type { Networks } from "./networks.ts";

const { VIR_NETWORK_PORT_CREATE_RECLAIM, VIR_NETWORK_PORT_CREATE_VALIDATE } = VirNetworkPortCreateFlags;
const NO_FLAGS = 0;

/** Ports of networks. libvirt's test driver has none: these are its network driver's. */
export function networkPortProcedures({ list }: Networks) {
  const lookUp = ({ net, uuid }: NonnullNetworkPort): NetworkPort => {
    const network = list.find(net);
    const port = network.ports.get(formatUuid(uuid));
    if (port === undefined) {
      const detail = `Network port with UUID ${formatUuid(uuid)} does not exist`;
      throw driverError(VirErrorNumber.VIR_ERR_NO_NETWORK_PORT, detail);
    }
    checkActive(network);
    return port;
  };
  const reference = (network: Network, { uuid }: NetworkPort) => ({ net: network.reference, uuid });

  return {
    networkListAllPorts({ network, needResults, flags }) {
      checkFlags(flags, NO_FLAGS, "virNetworkListAllPorts");
      const net = list.find(network);
      const { found, ret } = listAnswer([...net.ports.values()], needResults);
      return { ports: found.map((port) => reference(net, port)), ret };
    },
    networkPortLookupByUuid({ network, uuid }) {
      const net = list.find(network);
      return { port: reference(net, lookUp({ net: network, uuid })) };
    },
    networkPortCreateXml({ network, xml, flags }) {
      const all = VIR_NETWORK_PORT_CREATE_RECLAIM | VIR_NETWORK_PORT_CREATE_VALIDATE;
      checkFlags(flags, all, "virNetworkPortCreateXML");
      const net = list.find(network);
      const port = new NetworkPort(xml);
      checkActive(net);
      const reclaim = (flags & VIR_NETWORK_PORT_CREATE_RECLAIM) !== 0;
      if (reclaim && !port.plugged) throw invalidArgument("Port reclaim requested but plug type is none");
      if (!reclaim && port.plugged) throw invalidArgument("Port reclaim not requested but plug type is not none");
      const key = formatUuid(port.uuid);
      if (net.ports.has(key)) {
        const detail = `Network port with UUID ${key} already exists`;
        throw driverError(VirErrorNumber.VIR_ERR_NETWORK_PORT_EXIST, detail);
      }
      if (net.ports.size >= REMOTE_NETWORK_PORT_LIST_MAX) {
        throw operationInvalid(`a network has at most ${REMOTE_NETWORK_PORT_LIST_MAX} ports`); // more cannot be listed
      }
      net.ports.set(key, port);
      return { port: reference(net, port) };
    },
    networkPortGetXmlDesc({ port, flags }) {
      checkFlags(flags, NO_FLAGS, "virNetworkPortGetXMLDesc");
      return { xml: lookUp(port).xml };
    },
    networkPortGetParameters({ port, flags }) {
      checkFlags(flags, STRING_OKAY, "virNetworkPortGetParameters");
      const params = lookUp(port).parameters; // all at once: this call never asks how many there are
      return { params, nparams: params.length };
    },
    networkPortSetParameters({ port, params, flags }) {
      checkFlags(flags, NO_FLAGS, "virNetworkPortSetParameters");
      const found = lookUp(port);
      found.bandwidth = checkParams(params, PORT_PARAMETERS);
    },
    networkPortDelete({ port, flags }) {
      checkFlags(flags, NO_FLAGS, "virNetworkPortDelete");
      lookUp(port);
      list.find(port.net).ports.delete(formatUuid(port.uuid));
    },
  } satisfies DriverHandlers;
}

function checkActive({ active, name }: Network): void {
  if (!active) throw operationInvalid(`network '${name}' is not active`);
}
