import {
  VirErrorNumber,
  VirNodeDeviceEventID,
  VirNodeDeviceEventLifecycleType,
} from "../../../generated/libvirt/index.ts";
import { nodeDeviceEventLifecycle, REMOTE_NODE_DEVICE_LIST_MAX } from "../../../generated/remote/index.ts";
import { driverError } from "../driver-errors.ts";
import { EventRegistrations } from "../event-registrations.ts";
import { type NodeDeviceDefinition, parseNodeDeviceXml, type VportRequest, vportXml } from "./node-device-xml.ts";

const internal = (detail: string) => driverError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, detail);

/** The devices of the host, and who hears of them. */
export class NodeDevices {
  readonly registrations = new EventRegistrations({
    event: "node device event",
    callback: "node device event callback",
    ids: Object.keys(VirNodeDeviceEventID).length,
  });
  readonly #byName = new Map<string, NodeDeviceDefinition>();

  [Symbol.iterator](): IterableIterator<NodeDeviceDefinition> {
    return this.#byName.values();
  }

  /** @throws {VirtError} VIR_ERR_NO_NODE_DEVICE. */
  named(name: string): NodeDeviceDefinition {
    const found = this.#byName.get(name);
    if (found !== undefined) return found;
    throw driverError(VirErrorNumber.VIR_ERR_NO_NODE_DEVICE, `no node device with matching name '${name}'`);
  }

  add(definition: NodeDeviceDefinition): void {
    this.#byName.set(definition.name, definition);
    this.#lifecycle(definition.name, VirNodeDeviceEventLifecycleType.VIR_NODE_DEVICE_EVENT_CREATED);
  }

  /** Takes a device off, unless it is gone: another may have its name since. */
  remove(device: NodeDeviceDefinition): void {
    const { name } = device;
    if (this.#byName.get(name) !== device) return;
    this.#byName.delete(name);
    this.#lifecycle(name, VirNodeDeviceEventLifecycleType.VIR_NODE_DEVICE_EVENT_DELETED);
  }

  /**
   * Makes a virtual host adapter on one that can have them, under the next number.
   *
   * @throws {VirtError} where there is no such adapter.
   * @source virNodeDeviceObjListGetParentHost, libvirt src/conf/virnodedeviceobj.c.
   */
  createVport(request: VportRequest): NodeDeviceDefinition {
    const parent = this.#parentOf(request);
    if (this.#byName.size >= REMOTE_NODE_DEVICE_LIST_MAX) {
      throw internal(`a host has at most ${REMOTE_NODE_DEVICE_LIST_MAX} node devices`); // more could not be listed
    }
    const host = Math.max(...[...this].map((device) => device.host ?? 0)) + 1;
    const device = parseNodeDeviceXml(vportXml(host, parent, request.wwns));
    this.add(device);
    return device;
  }

  /** @throws {VirtError} for devices other than virtual host adapters. */
  destroy(device: NodeDeviceDefinition): void {
    if (device.wwns === undefined) throw internal("Device is not a fibre channel HBA");
    if (device.parent === undefined || !this.#byName.has(device.parent)) {
      throw internal(`cannot find parent '${device.parent ?? "(null)"}' definition`);
    }
    this.remove(device);
  }

  #parentOf({ parent, parentWwns, parentFabricWwn }: VportRequest): NodeDeviceDefinition {
    const canHaveMore = ({ hostCaps }: NodeDeviceDefinition) => hostCaps.includes("vport_ops");
    const isAsked = ({ name, wwns }: NodeDeviceDefinition) => {
      if (parent !== undefined) return name === parent;
      if (parentWwns !== undefined) return wwns?.wwnn === parentWwns.wwnn && wwns.wwpn === parentWwns.wwpn;
      return wwns?.fabricWwn === parentFabricWwn;
    };
    if (parent === undefined && parentWwns === undefined && parentFabricWwn === undefined) {
      const any = [...this].find(canHaveMore);
      if (any === undefined) throw internal("Could not find any vport capable device");
      return any;
    }
    const found = [...this].find(isAsked);
    if (found === undefined) throw internal("Could not find parent device for 'new device'");
    if (!canHaveMore(found)) throw internal(`Parent device ${found.name} is not capable of vport operations`);
    return found;
  }

  #lifecycle(name: string, event: number): void {
    const { VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE } = VirNodeDeviceEventID;
    for (const { session, callbackID } of this.registrations.wanting(VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE, name)) {
      session.send(nodeDeviceEventLifecycle, { callbackID, dev: { name }, event, detail: 0 });
    }
  }
}
