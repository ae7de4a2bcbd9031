import {
  VirDomainCheckpointXMLFlags,
  VirDomainInterfaceAddressesSource,
  VirDomainSaveImageXMLFlags,
  VirDomainSnapshotXMLFlags,
  VirDomainVcpuFlags,
  VirDomainXMLFlags,
  VirErrorNumber,
} from "../generated/libvirt/index.ts";
import type { DomainGetVcpusFlagsArgs, DomainInterfaceAddressesArgs } from "../generated/remote/index.ts";
import { type AnyProcedure, apiDomain, apiName, type VirtError, virtError } from "../rpc/index.ts";

/** Rights that a read-only connection has. */
const READ_RIGHTS = new Set(["none", "getattr", "read"]);
/** Need more than these rights by their annotation, and yet libvirt serves them on read-only connections. */
const READ_ONLY_TOO = new Set([
  "DOMAIN_MIGRATE_GET_MAX_DOWNTIME",
  "DOMAIN_MIGRATE_GET_COMPRESSION_CACHE",
  "CONNECT_SET_IDENTITY",
]);

/**
 * Need no more than these rights by their annotation, and yet libvirt refuses them on read-only connections. Some tell what
 * is worth keeping; one changes the guest, whatever its annotation says.
 */
const NOT_READ_ONLY = new Set([
  "DOMAIN_SET_SCHEDULER_PARAMETERS",
  "DOMAIN_GET_LAUNCH_SECURITY_INFO",
  "NODE_GET_SEV_INFO",
  "NODE_DEVICE_GET_AUTOSTART",
]);

/** Flags with which XML may show passwords, by procedure: CVE-2014-7823. The rest of these is for everyone. */
const SECRETS = new Map<string, number>([
  ["DOMAIN_GET_XML_DESC", VirDomainXMLFlags.VIR_DOMAIN_XML_SECURE | VirDomainXMLFlags.VIR_DOMAIN_XML_MIGRATABLE],
  ["DOMAIN_SNAPSHOT_GET_XML_DESC", VirDomainSnapshotXMLFlags.VIR_DOMAIN_SNAPSHOT_XML_SECURE],
  ["DOMAIN_CHECKPOINT_GET_XML_DESC", VirDomainCheckpointXMLFlags.VIR_DOMAIN_CHECKPOINT_XML_SECURE],
  ["DOMAIN_MANAGED_SAVE_GET_XML_DESC", VirDomainSaveImageXMLFlags.VIR_DOMAIN_SAVE_IMAGE_XML_SECURE],
]);

/**
 * Refuses what a read-only connection may not do: for `before` of programs whose procedures are libvirt's.
 * @throws {VirtError} VIR_ERR_OPERATION_DENIED, in the name of the C function
 * @source virCheckReadOnlyGoto and its uses, libvirt src/libvirt-*.c
 */
export function checkReadOnly(procedure: AnyProcedure, args: unknown): void {
  if (asksForSecrets(procedure, args)) throw forbidden(procedure, `${apiName(procedure)} with secure flag`);
  if (changesSomething(procedure, args)) {
    throw forbidden(procedure, `read only access prevents ${apiName(procedure)}`);
  }
}

function asksForSecrets({ name }: AnyProcedure, args: unknown): boolean {
  const secrets = SECRETS.get(name);
  return secrets !== undefined && ((args as { flags: number }).flags & secrets) !== 0;
}

/** Whether the call needs more than the rights to read, with the arguments that it has. */
function changesSomething(procedure: AnyProcedure, args: unknown): boolean {
  switch (procedure.name) {
    case "DOMAIN_GET_VCPUS_FLAGS": // asks the guest's agent
      return ((args as DomainGetVcpusFlagsArgs).flags & VirDomainVcpuFlags.VIR_DOMAIN_VCPU_GUEST) !== 0;
    case "DOMAIN_INTERFACE_ADDRESSES":
      return (
        (args as DomainInterfaceAddressesArgs).source ===
        VirDomainInterfaceAddressesSource.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT
      );
    default:
      return !servedReadOnly(procedure);
  }
}

function servedReadOnly({ name, acl }: AnyProcedure): boolean {
  if (READ_ONLY_TOO.has(name)) return true;
  if (NOT_READ_ONLY.has(name)) return false;
  return acl.every((rule) => {
    const [, right = "none"] = rule.split(":");
    return READ_RIGHTS.has(right) || right.startsWith("search_") || (right === "read_secure" && SECRETS.has(name));
  });
}

function forbidden(procedure: AnyProcedure, detail: string): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_OPERATION_DENIED, apiDomain(procedure), detail);
}
