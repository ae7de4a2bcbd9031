import { VirErrorNumber as code } from "../generated/libvirt/index.ts";
import { AbortError, TimeoutError } from "./errors.ts";
import { VirtError } from "./virt-error.ts";

/** What kind of failure an error is, by its code and never by its text. */
function kind(...codes: readonly number[]): (error: unknown) => error is VirtError {
  const all = new Set(codes);
  return (error): error is VirtError => error instanceof VirtError && all.has(error.code);
}

/** Whether the daemon does not have what was asked for: a guest, network, pool, volume, device, metadata, backup job … */
export const isNotFound = /* @__PURE__ */ kind(
  code.VIR_ERR_NO_DOMAIN,
  code.VIR_ERR_NO_NETWORK,
  code.VIR_ERR_NO_NETWORK_PORT,
  code.VIR_ERR_NO_STORAGE_POOL,
  code.VIR_ERR_NO_STORAGE_VOL,
  code.VIR_ERR_NO_NODE_DEVICE,
  code.VIR_ERR_NO_INTERFACE,
  code.VIR_ERR_NO_NWFILTER,
  code.VIR_ERR_NO_NWFILTER_BINDING,
  code.VIR_ERR_NO_SECRET,
  code.VIR_ERR_NO_DOMAIN_SNAPSHOT,
  code.VIR_ERR_NO_DOMAIN_CHECKPOINT,
  code.VIR_ERR_NO_DOMAIN_BACKUP,
  code.VIR_ERR_NO_DOMAIN_METADATA,
  code.VIR_ERR_NO_NETWORK_METADATA,
  code.VIR_ERR_NO_SERVER,
  code.VIR_ERR_NO_CLIENT,
  code.VIR_ERR_NO_HOSTNAME,
  code.VIR_ERR_DEVICE_MISSING,
);

/** Whether there is one already. libvirt says VIR_ERR_OPERATION_FAILED of many objects instead, which is not told apart. */
export const isExists = /* @__PURE__ */ kind(
  code.VIR_ERR_DOM_EXIST,
  code.VIR_ERR_NETWORK_EXIST,
  code.VIR_ERR_NETWORK_PORT_EXIST,
  code.VIR_ERR_STORAGE_VOL_EXIST,
  code.VIR_ERR_STORAGE_POOL_BUILT,
);

/** Whether the daemon does not permit it: a read-only connection, or access control. */
export const isDenied = /* @__PURE__ */ kind(code.VIR_ERR_OPERATION_DENIED, code.VIR_ERR_ACCESS_DENIED);

/** Whether the login failed, was cancelled, or could not be had. */
export const isAuthFailed = /* @__PURE__ */ kind(
  code.VIR_ERR_AUTH_FAILED,
  code.VIR_ERR_AUTH_CANCELLED,
  code.VIR_ERR_AUTH_UNAVAILABLE,
);

/** Whether the driver, this kind of guest, or this release of the daemon cannot do it at all. */
export const isUnsupported = /* @__PURE__ */ kind(
  code.VIR_ERR_NO_SUPPORT,
  code.VIR_ERR_CONFIG_UNSUPPORTED,
  code.VIR_ERR_ARGUMENT_UNSUPPORTED,
  code.VIR_ERR_OPERATION_UNSUPPORTED,
);

/**
 * Whether what was asked for makes no sense as it is: an argument, an object, XML, or the state that the object is in
 * (VIR_ERR_OPERATION_INVALID).
 */
export const isInvalid = /* @__PURE__ */ kind(
  code.VIR_ERR_INVALID_ARG,
  code.VIR_ERR_INVALID_CONN,
  code.VIR_ERR_INVALID_DOMAIN,
  code.VIR_ERR_INVALID_NETWORK,
  code.VIR_ERR_INVALID_MAC,
  code.VIR_ERR_INVALID_STORAGE_POOL,
  code.VIR_ERR_INVALID_STORAGE_VOL,
  code.VIR_ERR_INVALID_NODE_DEVICE,
  code.VIR_ERR_INVALID_INTERFACE,
  code.VIR_ERR_INVALID_NWFILTER,
  code.VIR_ERR_INVALID_NWFILTER_BINDING,
  code.VIR_ERR_INVALID_SECRET,
  code.VIR_ERR_INVALID_DOMAIN_SNAPSHOT,
  code.VIR_ERR_INVALID_DOMAIN_CHECKPOINT,
  code.VIR_ERR_INVALID_NETWORK_PORT,
  code.VIR_ERR_INVALID_STREAM,
  code.VIR_ERR_OPERATION_INVALID,
  code.VIR_ERR_XML_ERROR,
  code.VIR_ERR_XML_DETAIL,
  code.VIR_ERR_XML_INVALID_SCHEMA,
  code.VIR_ERR_OVERFLOW,
);

const timeouts = /* @__PURE__ */ kind(code.VIR_ERR_OPERATION_TIMEOUT, code.VIR_ERR_AGENT_COMMAND_TIMEOUT);

/** Whether time ran out: ours (TimeoutError), or a limit of the daemon's. */
export function isTimeout(error: unknown): error is TimeoutError | VirtError {
  return error instanceof TimeoutError || timeouts(error);
}

const aborts = /* @__PURE__ */ kind(code.VIR_ERR_OPERATION_ABORTED, code.VIR_ERR_MIGRATE_FINISH_OK);

/** Whether somebody gave it up: the caller's signal (AbortError), or a job that was aborted at the daemon. */
export function isAborted(error: unknown): error is AbortError | VirtError {
  return error instanceof AbortError || aborts(error);
}
