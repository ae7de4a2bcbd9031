import {
  VirNetworkEventID,
  VirNodeDeviceEventID,
  VirSecretEventID,
  VirStoragePoolEventID,
} from "../../generated/libvirt/index.ts";
import * as r from "../../generated/remote/index.ts";
import { eventKind } from "./event-kind.ts";

/** virNetworkEventID */
export const networkEvents = {
  lifecycle: eventKind(VirNetworkEventID.VIR_NETWORK_EVENT_ID_LIFECYCLE, r.networkEventLifecycle),
  metadataChange: eventKind(
    VirNetworkEventID.VIR_NETWORK_EVENT_ID_METADATA_CHANGE,
    r.networkEventCallbackMetadataChange,
  ),
} as const;

/** virStoragePoolEventID */
export const storagePoolEvents = {
  lifecycle: eventKind(VirStoragePoolEventID.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE, r.storagePoolEventLifecycle),
  refresh: eventKind(VirStoragePoolEventID.VIR_STORAGE_POOL_EVENT_ID_REFRESH, r.storagePoolEventRefresh),
} as const;

/** virNodeDeviceEventID */
export const nodeDeviceEvents = {
  lifecycle: eventKind(VirNodeDeviceEventID.VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE, r.nodeDeviceEventLifecycle),
  update: eventKind(VirNodeDeviceEventID.VIR_NODE_DEVICE_EVENT_ID_UPDATE, r.nodeDeviceEventUpdate),
} as const;

/** virSecretEventID */
export const secretEvents = {
  lifecycle: eventKind(VirSecretEventID.VIR_SECRET_EVENT_ID_LIFECYCLE, r.secretEventLifecycle),
  valueChanged: eventKind(VirSecretEventID.VIR_SECRET_EVENT_ID_VALUE_CHANGED, r.secretEventValueChanged),
} as const;
