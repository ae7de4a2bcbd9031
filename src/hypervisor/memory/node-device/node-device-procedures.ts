import {
  VirConnectListAllNodeDeviceFlags,
  VirErrorNumber,
  VirNodeDeviceCreateXMLFlags,
} from "../../../generated/libvirt/index.ts";
import { REMOTE_NODE_DEVICE_CAPS_LIST_MAX, REMOTE_NODE_DEVICE_LIST_MAX } from "../../../generated/remote/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import { checkFlags, driverError } from "../driver-errors.ts";
import { checkListCount } from "../list-count.ts";
import { type FilterGroups, filtered, flagsOf, listAnswer } from "../object-list.ts";
import { type NodeDeviceDefinition, parseVportXml } from "./node-device-xml.ts";
import type { NodeDevices } from "./node-devices.ts";

const F = VirConnectListAllNodeDeviceFlags;
/** VIR_CONNECT_LIST_NODE_DEVICES_ACTIVE, which no signed number holds: what virsh sends unless told otherwise. */
const ACTIVE = 0x8000_0000;

/** Every device here is active and transient. */
const filters: FilterGroups<NodeDeviceDefinition> = [
  [
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SYSTEM, has("system")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV, has("pci")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_DEV, has("usb_device")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_INTERFACE, has("usb")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_NET, has("net")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_HOST, has("scsi_host")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_TARGET, has("scsi_target")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI, has("scsi")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_STORAGE, has("storage")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_FC_HOST, has("fc_host")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_VPORTS, has("vports")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_GENERIC, has("scsi_generic")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_DRM, has("drm")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_MDEV_TYPES, has("mdev_types")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_MDEV, has("mdev")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_CCW_DEV, has("ccw")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_CSS_DEV, has("css")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_VDPA, has("vdpa")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_AP_CARD, has("ap_card")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_AP_QUEUE, has("ap_queue")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_AP_MATRIX, has("ap_matrix")],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_CAP_VPD, has("vpd")],
  ],
  [
    [F.VIR_CONNECT_LIST_NODE_DEVICES_PERSISTENT, () => false],
    [F.VIR_CONNECT_LIST_NODE_DEVICES_TRANSIENT, () => true],
  ],
  [
    [F.VIR_CONNECT_LIST_NODE_DEVICES_INACTIVE, () => false],
    [ACTIVE, () => true],
  ],
];
const NO_FLAGS = 0;

/** Devices of the host. Virtual fibre channel adapters can be made and destroyed, as in libvirt's test driver. */
export function nodeDeviceProcedures(devices: NodeDevices) {
  const withCap = (cap: string | null) => [...devices].filter(cap === null ? () => true : has(cap));

  return {
    nodeNumOfDevices({ cap, flags }) {
      checkFlags(flags, NO_FLAGS, "virNodeNumOfDevices");
      return { num: withCap(cap).length };
    },
    nodeListDevices({ cap, maxnames, flags }) {
      checkListCount("maxnames", maxnames, "REMOTE_NODE_DEVICE_LIST_MAX", REMOTE_NODE_DEVICE_LIST_MAX);
      checkFlags(flags, NO_FLAGS, "virNodeListDevices");
      const names = withCap(cap).map(({ name }) => name);
      return { names: names.slice(0, maxnames) };
    },
    connectListAllNodeDevices({ needResults, flags }) {
      checkFlags(flags, flagsOf(filters), "virConnectListAllNodeDevices");
      const references = filtered(devices, filters, flags).map(({ name }) => ({ name }));
      const { found, ret } = listAnswer(references, needResults);
      return { devices: found, ret };
    },
    nodeDeviceLookupByName: ({ name }) => ({ dev: { name: devices.named(name).name } }),
    nodeDeviceLookupScsiHostByWwn({ wwnn, wwpn, flags }) {
      checkFlags(flags, NO_FLAGS, "virNodeDeviceLookupSCSIHostByWWN");
      const found = [...devices].find(({ wwns }) => wwns?.wwnn === wwnn && wwns.wwpn === wwpn);
      if (found !== undefined) return { dev: { name: found.name } };
      const detail = `no node device with matching wwnn '${wwnn}' and wwpn '${wwpn}'`;
      throw driverError(VirErrorNumber.VIR_ERR_NO_NODE_DEVICE, detail);
    },
    nodeDeviceGetXmlDesc({ name, flags }) {
      checkFlags(flags, NO_FLAGS, "virNodeDeviceGetXMLDesc");
      return { xml: devices.named(name).xml };
    },
    nodeDeviceGetParent({ name }) {
      const { parent } = devices.named(name);
      if (parent !== undefined) return { parentName: parent };
      throw driverError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, "no parent for this device");
    },
    nodeDeviceNumOfCaps: ({ name }) => ({ num: devices.named(name).caps.length }),
    nodeDeviceListCaps({ name, maxnames }) {
      checkListCount("maxnames", maxnames, "REMOTE_NODE_DEVICE_CAPS_LIST_MAX", REMOTE_NODE_DEVICE_CAPS_LIST_MAX);
      return { names: devices.named(name).caps.slice(0, maxnames) };
    },
    nodeDeviceIsActive({ name }) {
      devices.named(name);
      return { active: 1 };
    },
    nodeDeviceIsPersistent({ name }) {
      devices.named(name);
      return { persistent: 1 }; // as the test driver's
    },
    nodeDeviceCreateXml({ xmlDesc, flags }) {
      const { VIR_NODE_DEVICE_CREATE_XML_VALIDATE } = VirNodeDeviceCreateXMLFlags;
      checkFlags(flags, VIR_NODE_DEVICE_CREATE_XML_VALIDATE, "virNodeDeviceCreateXML");
      return { dev: { name: devices.createVport(parseVportXml(xmlDesc)).name } };
    },
    nodeDeviceDestroy: ({ name }) => devices.destroy(devices.named(name)),
    connectNodeDeviceEventRegisterAny: ({ eventID, dev }, { session }) => ({
      callbackID: devices.registrations.register(session, eventID, dev?.name),
    }),
    connectNodeDeviceEventDeregisterAny({ callbackID }, { session }) {
      devices.registrations.deregister(session, callbackID);
    },
  } satisfies DriverHandlers;
}

/** Whether a device can do something. @source virNodeDeviceObjHasCap, libvirt src/conf/virnodedeviceobj.c */
function has(cap: string): (device: NodeDeviceDefinition) => boolean {
  const inner = cap === "vports" ? "vport_ops" : cap;
  return ({ caps, hostCaps }) => caps.includes(cap) || hostCaps.includes(inner);
}
