import {
  VirConnectFlags,
  VirDomainCheckpointXMLFlags,
  VirDomainInterfaceAddressesSource,
  VirDomainSaveImageXMLFlags,
  VirDomainSnapshotXMLFlags,
  VirDomainVcpuFlags,
  VirDomainXMLFlags,
  VirDrvFeature,
  VirErrorDomain,
  VirErrorLevel,
  VirErrorNumber,
} from "../generated/libvirt/index.ts";
import {
  type DomainGetVcpusFlagsArgs,
  type DomainInterfaceAddressesArgs,
  type RemoteHandlers,
  remoteDescription,
} from "../generated/remote/index.ts";
import { type AnyProcedure, apiDomain, apiName, VirtError, virtError } from "../rpc/index.ts";
import { type CallContext, PerSession, type ServedProgram, serve } from "../server/index.ts";
import type { ConnectionProcedure, Hypervisor } from "./hypervisor.ts";

/** Answered on a connection that is not open: authentication, opening and closing. Features look for themselves. */
const BEFORE_OPEN = new Set([
  "AUTH_LIST",
  "AUTH_SASL_INIT",
  "AUTH_SASL_START",
  "AUTH_SASL_STEP",
  "AUTH_POLKIT",
  "CONNECT_OPEN",
  "CONNECT_CLOSE",
  "CONNECT_SUPPORTS_FEATURE",
]);

/** Rights that a read-only connection has. */
const READ_RIGHTS = new Set(["none", "getattr", "read"]);
/** Need more than these rights by their annotation, and yet libvirt serves them on read-only connections. */
const READ_ONLY_TOO = new Set([
  "DOMAIN_MIGRATE_GET_MAX_DOWNTIME",
  "DOMAIN_MIGRATE_GET_COMPRESSION_CACHE",
  "CONNECT_SET_IDENTITY",
]);

/** The numbers of CONNECT_SUPPORTS_FEATURE that are the protocol's, not a driver's, and what this server says. */
const protocolFeatures = new Map<number, boolean>([
  [VirDrvFeature.VIR_DRV_FEATURE_REMOTE, false],
  [VirDrvFeature.VIR_DRV_FEATURE_FD_PASSING, false],
  [VirDrvFeature.VIR_DRV_FEATURE_TYPED_PARAM_STRING, true],
  [VirDrvFeature.VIR_DRV_FEATURE_PROGRAM_KEEPALIVE, true],
  [VirDrvFeature.VIR_DRV_FEATURE_REMOTE_EVENT_CALLBACK, true],
  [VirDrvFeature.VIR_DRV_FEATURE_REMOTE_CLOSE_CALLBACK, true],
  [VirDrvFeature.VIR_DRV_FEATURE_NETWORK_UPDATE_HAS_CORRECT_ORDER, true],
]);

/** Flags with which XML may show passwords, by procedure: CVE-2014-7823. The rest of these is for everyone. */
const SECRETS = new Map<string, number>([
  ["DOMAIN_GET_XML_DESC", VirDomainXMLFlags.VIR_DOMAIN_XML_SECURE | VirDomainXMLFlags.VIR_DOMAIN_XML_MIGRATABLE],
  ["DOMAIN_SNAPSHOT_GET_XML_DESC", VirDomainSnapshotXMLFlags.VIR_DOMAIN_SNAPSHOT_XML_SECURE],
  ["DOMAIN_CHECKPOINT_GET_XML_DESC", VirDomainCheckpointXMLFlags.VIR_DOMAIN_CHECKPOINT_XML_SECURE],
  ["DOMAIN_MANAGED_SAVE_GET_XML_DESC", VirDomainSaveImageXMLFlags.VIR_DOMAIN_SAVE_IMAGE_XML_SECURE],
]);

const READ_ONLY_FLAG = VirConnectFlags.VIR_CONNECT_RO;

/** A connection of a client: closed, or open by a URI. */
interface Connection {
  uri: string | undefined;
}

/**
 * The REMOTE program as a daemon serves it, with a hypervisor behind: opens and closes connections, refuses what a
 * closed or a read-only connection may not do, and leaves the rest to the driver.
 *
 * @source libvirt src/remote/remote_daemon_dispatch.c; the read-only rules are those of src/libvirt-*.c.
 */
export function remoteProgram(hypervisor: Hypervisor): ServedProgram {
  const connections = new PerSession<Connection>(() => ({ uri: undefined }));
  const own = connectionProcedures(hypervisor, connections);
  // Last, so that nothing of a driver's takes the place of the connection's.
  const handlers: RemoteHandlers<CallContext> = { ...hypervisor.procedures, ...own };
  return serve(remoteDescription, handlers, {
    before(procedure, { session }, args) {
      if (BEFORE_OPEN.has(procedure.name)) return;
      requireOpen(connections.of(session));
      if (!session.readOnly) return;
      if (asksForSecrets(procedure, args)) throw forbidden(procedure, `${apiName(procedure)} with secure flag`);
      if (changesSomething(procedure, args)) {
        throw forbidden(procedure, `read only access prevents ${apiName(procedure)}`);
      }
    },
  });
}

function connectionProcedures(hypervisor: Hypervisor, connections: PerSession<Connection>) {
  return {
    authList: () => ({ types: [0] }),
    authSaslInit: refuseAuthentication,
    authSaslStart: refuseAuthentication,
    authSaslStep: refuseAuthentication,
    authPolkit: refuseAuthentication,
    connectOpen({ name, flags }, { session }) {
      const connection = connections.of(session);
      if (connection.uri !== undefined) throw internalError("connection already open");
      if (name === null) throw internalError("connection not open");
      const uri = name === "" ? hypervisor.defaultUri : name;
      if (!hypervisor.accepts(uri)) {
        throw virtError(VirErrorNumber.VIR_ERR_NO_CONNECT, VirErrorDomain.VIR_FROM_NONE, uri);
      }
      connection.uri = uri;
      // C clients send bits of their own beside this one.
      if ((flags & READ_ONLY_FLAG) !== 0) session.readOnly = true;
    },
    connectClose(_args, { session }) {
      session.closeAfterReply();
    },
    connectSupportsFeature({ feature }, { session }) {
      if (feature === VirDrvFeature.VIR_DRV_FEATURE_PROGRAM_KEEPALIVE) session.startKeepAlive();
      else requireOpen(connections.of(session));
      return { supported: (protocolFeatures.get(feature) ?? hypervisor.supportsFeature(feature)) ? 1 : 0 };
    },
    connectGetUri: (_args, { session }) => ({ uri: connections.of(session).uri! }),
    // Nothing ever comes of them: there is no driver connection that could be lost. libvirt's drivers say yes as often.
    connectRegisterCloseCallback: () => {},
    connectUnregisterCloseCallback: () => {},
  } satisfies Required<Pick<RemoteHandlers<CallContext>, ConnectionProcedure>>;
}

function requireOpen(connection: Connection): void {
  if (connection.uri === undefined) throw internalError("hypervisor connection not open");
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
  return acl.every((rule) => {
    const [, right = "none"] = rule.split(":");
    return READ_RIGHTS.has(right) || right.startsWith("search_") || (right === "read_secure" && SECRETS.has(name));
  });
}

function forbidden(procedure: AnyProcedure, detail: string): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_OPERATION_DENIED, apiDomain(procedure), detail);
}

function internalError(detail: string): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, VirErrorDomain.VIR_FROM_RPC, detail);
}

/** libvirtd's answer to the steps of a way to authenticate that the socket does not offer. */
function refuseAuthentication(): never {
  const message = "Library function returned error but did not set virError";
  const { VIR_ERR_INTERNAL_ERROR } = VirErrorNumber;
  const extra = { int1: 0, int2: 0 };
  throw new VirtError(message, VIR_ERR_INTERNAL_ERROR, VirErrorDomain.VIR_FROM_RPC, VirErrorLevel.VIR_ERR_ERROR, extra);
}
