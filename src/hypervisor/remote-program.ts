import { VirConnectFlags, VirDrvFeature, VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { type RemoteHandlers, remoteDescription } from "../generated/remote/index.ts";
import { type AnyProcedure, type VirtError, virtError } from "../rpc/index.ts";
import { type CallContext, checkReadOnly, loginOf, PerSession, type ServedProgram, serve } from "../server/index.ts";
import { describeXml } from "./describe-xml.ts";
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

const READ_ONLY_FLAG = VirConnectFlags.VIR_CONNECT_RO;

/** A connection of a client: closed, or open by a URI. */
interface Connection {
  uri: string | undefined;
}

/** Of every session: what REMOTE has opened is open for the programs beside it. */
const connections = new PerSession<Connection>(() => ({ uri: undefined }));

/** Refuses what a closed or a read-only connection may not do: `before` of all programs of a hypervisor. */
export function checkConnection(procedure: AnyProcedure, { session }: CallContext, args: unknown): void {
  requireOpen(connections.of(session));
  if (session.readOnly) checkReadOnly(procedure, args);
}

/**
 * The REMOTE program as a daemon serves it, with a hypervisor behind: opens and closes connections, refuses what a
 * closed or a read-only connection may not do, and leaves the rest to the driver.
 *
 * @source libvirt src/remote/remote_daemon_dispatch.c; the read-only rules are those of src/libvirt-*.c.
 */
export function remoteProgram(hypervisor: Hypervisor): ServedProgram {
  const own = connectionProcedures(hypervisor);
  // Last, so that nothing of a driver's takes the place of the connection's.
  const handlers: RemoteHandlers<CallContext> = { ...hypervisor.procedures, ...own };
  return serve(remoteDescription, handlers, {
    driver: hypervisor.type,
    describeXml,
    before(procedure, context, args) {
      if (!BEFORE_OPEN.has(procedure.name)) checkConnection(procedure, context, args);
    },
  });
}

function connectionProcedures(hypervisor: Hypervisor) {
  return {
    authList: (_args, { session }) => loginOf(session).list(),
    authSaslInit: (_args, { session }) => loginOf(session).saslInit(),
    authSaslStart: ({ mech, nil, data }, { session }) => loginOf(session).saslStart(mech, nil, data),
    authSaslStep: ({ nil, data }, { session }) => loginOf(session).saslStep(nil, data),
    authPolkit: (_args, { session, signal }) => loginOf(session).polkit(signal),
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

function internalError(detail: string): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, VirErrorDomain.VIR_FROM_RPC, detail);
}
