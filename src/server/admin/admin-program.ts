import {
  adminDescription,
  type NonnullClient,
  type TypedParam,
  VIR_TYPED_PARAM_BOOLEAN,
  VIR_TYPED_PARAM_INT,
  VIR_TYPED_PARAM_STRING,
  VIR_TYPED_PARAM_UINT,
} from "../../generated/admin/index.ts";
import { VirErrorDomain, VirErrorLevel, VirErrorNumber } from "../../generated/libvirt/index.ts";
import { VirtError, virtError } from "../../rpc/index.ts";
import type { PeerIdentity } from "../../transport/index.ts";
import { type AuditOptions, aboutClient, audit } from "../audit.ts";
import { loginOf } from "../authentication.ts";
import type { ServerLimits } from "../limits.ts";
import { type ServedProgram, serve } from "../program.ts";
import type { Server } from "../server.ts";
import { type CallContext, PerSession, type Session } from "../session.ts";
import type { DaemonLog } from "./log.ts";

/** What an administrator has a say in. What is left out is answered VIR_ERR_NO_SUPPORT. */
export interface AdminProgramOptions extends AuditOptions {
  /** The daemon's servers, found by their names; libvirtd has `libvirtd` and `admin`. Asked with each call. */
  readonly servers: () => readonly Server[];
  readonly log?: DaemonLog;
  /** Ends the daemon when nobody has used it for so many seconds; 0 for never. */
  readonly setTimeout?: (seconds: number) => void;
  /** Ends the daemon; the answer goes out first. */
  readonly shutdown?: () => void;
}

type Code = (typeof VirErrorNumber)[keyof typeof VirErrorNumber];

/** The libvirt whose protocol is spoken: 11.3.0. */
const LIBVIRT_VERSION = 11_003_000n;

/** What libvirt calls the limits that may be changed, and what we do. */
const WORKER_LIMITS: Readonly<Record<string, keyof ServerLimits>> = {
  minWorkers: "minWorkers",
  maxWorkers: "maxWorkers",
  prioWorkers: "priorityWorkers",
};
const CLIENT_LIMITS: Readonly<Record<string, keyof ServerLimits>> = {
  nclients_max: "maxClients",
  nclients_unauth_max: "maxAnonymousClients",
};

/**
 * The ADMIN program, by which `virt-admin` looks at a daemon and changes it. Whoever reaches it decides about the
 * daemon: serve it on a unix socket of its own that only its user may open, or behind a login.
 * @source libvirt src/admin/admin_server_dispatch.c and admin_server.c
 */
export function adminProgram(options: AdminProgramOptions): ServedProgram {
  const opened = new PerSession(() => ({ open: false }));
  const server = (name: string): Server => {
    const found = options.servers().find((each) => each.name === name);
    if (found === undefined) throw adminError(VirErrorNumber.VIR_ERR_NO_SERVER, `No server named '${name}'`);
    return found;
  };
  const client = ({ srv, id }: Pick<NonnullClient, "srv" | "id">): Session => {
    const found = server(srv.name).sessions.find((session) => BigInt(session.id) === id);
    if (found === undefined) throw adminError(VirErrorNumber.VIR_ERR_NO_CLIENT, `No client with matching ID '${id}'`);
    return found;
  };
  return serve(
    adminDescription,
    {
      connectOpen({ flags }, { session }: CallContext) {
        checkFlags(flags, "adminDispatchConnectOpen");
        opened.of(session).open = true;
      },
      connectClose(_args, { session }) {
        session.closeAfterReply();
      },
      connectGetLibVersion: () => ({ libVer: LIBVIRT_VERSION }),
      connectListServers({ needResults, flags }) {
        checkFlags(flags, "adminConnectListServers");
        const names = options.servers().map(({ name }) => ({ name }));
        return { servers: needResults === 0 ? [] : names, ret: names.length };
      },
      connectLookupServer({ name, flags }) {
        checkFlags(flags, "adminConnectLookupServer");
        return { srv: { name: server(name).name } };
      },

      serverGetThreadpoolParameters({ srv, flags }) {
        checkFlags(flags, "adminServerGetThreadPoolParameters");
        const { minWorkers, maxWorkers, workers, freeWorkers, priorityWorkers, jobQueueDepth } = server(
          srv.name,
        ).workers;
        return {
          params: [
            uint("minWorkers", minWorkers),
            uint("maxWorkers", maxWorkers),
            uint("nWorkers", workers),
            uint("freeWorkers", freeWorkers),
            uint("prioWorkers", priorityWorkers),
            uint("jobQueueDepth", jobQueueDepth),
          ],
        };
      },
      serverSetThreadpoolParameters({ srv, params, flags }) {
        checkFlags(flags, "adminServerSetThreadPoolParameters");
        const changes = limitsOf(params, WORKER_LIMITS);
        const { limits } = server(srv.name);
        if ((changes.minWorkers ?? limits.minWorkers) > (changes.maxWorkers ?? limits.maxWorkers)) {
          throw invalid("minWorkers cannot be larger than maxWorkers");
        }
        if (changes.maxWorkers === 0) {
          throw invalid("maxWorkers must not be switched from zero to non-zero and vice versa");
        }
        setLimits(server(srv.name), changes);
      },
      serverGetClientLimits({ srv, flags }) {
        checkFlags(flags, "adminServerGetClientLimits");
        const { limits, clients } = server(srv.name);
        return {
          params: [
            uint("nclients_max", limits.maxClients),
            uint("nclients", clients.served),
            uint("nclients_unauth_max", limits.maxAnonymousClients),
            uint("nclients_unauth", clients.anonymous),
          ],
        };
      },
      serverSetClientLimits({ srv, params, flags }) {
        checkFlags(flags, "adminServerSetClientLimits");
        const changes = limitsOf(params, CLIENT_LIMITS);
        const { limits } = server(srv.name);
        if ((changes.maxClients ?? limits.maxClients) < (changes.maxAnonymousClients ?? limits.maxAnonymousClients)) {
          throw invalid(
            "The overall maximum number of clients waiting for authentication must not be less than the overall " +
              "maximum number of clients",
          );
        }
        setLimits(server(srv.name), changes);
      },

      serverListClients({ srv, needResults, flags }) {
        checkFlags(flags, "adminServerListClients");
        const { sessions } = server(srv.name);
        const clients = sessions.map((session) => reference(srv.name, session));
        return { clients: needResults === 0 ? [] : clients, ret: clients.length };
      },
      serverLookupClient({ srv, id, flags }) {
        checkFlags(flags, "adminServerLookupClient");
        return { clnt: reference(srv.name, client({ srv, id })) };
      },
      async clientGetInfo({ clnt, flags }) {
        checkFlags(flags, "adminClientGetInfo");
        const session = client(clnt);
        await loginOf(session).identify();
        return { params: clientInfo(session) };
      },
      clientClose({ clnt, flags }) {
        checkFlags(flags, "adminClientClose");
        const session = client(clnt);
        audit(options, { type: "disconnect", by: "admin", ...aboutClient(session) });
        void session.close(new Error("an administrator closed the connection"));
      },

      async serverUpdateTlsFiles({ srv, flags }) {
        checkFlags(flags, "adminServerUpdateTlsFiles");
        const { addresses } = server(srv.name);
        if (!addresses.some((address) => /^(tls|wss):/.test(address))) {
          throw adminError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, "no tls service found, unable to update tls files");
        }
        try {
          await server(srv.name).reloadCertificates();
        } catch (error) {
          throw adminError(VirErrorNumber.VIR_ERR_SYSTEM_ERROR, (error as Error).message);
        }
      },

      connectGetLoggingOutputs({ flags }) {
        checkFlags(flags, "adminConnectGetLoggingOutputs");
        const { outputs, outputCount } = logOf(options, "virAdmConnectGetLoggingOutputs");
        return { outputs, noutputs: outputCount };
      },
      connectGetLoggingFilters({ flags }) {
        checkFlags(flags, "adminConnectGetLoggingFilters");
        const { filters, filterCount } = logOf(options, "virAdmConnectGetLoggingFilters");
        return { filters: filterCount === 0 ? null : filters, nfilters: filterCount };
      },
      connectSetLoggingOutputs({ outputs, flags }) {
        checkFlags(flags, "adminConnectSetLoggingOutputs");
        logOf(options, "virAdmConnectSetLoggingOutputs").outputs = outputs ?? "";
      },
      connectSetLoggingFilters({ filters, flags }) {
        checkFlags(flags, "adminConnectSetLoggingFilters");
        logOf(options, "virAdmConnectSetLoggingFilters").filters = filters ?? "";
      },

      connectSetDaemonTimeout({ timeout, flags }) {
        checkFlags(flags, "adminConnectSetDaemonTimeout");
        if (options.setTimeout === undefined) throw unsupported("virAdmConnectSetDaemonTimeout");
        options.setTimeout(timeout);
      },
      connectDaemonShutdown({ flags }) {
        checkFlags(flags, "adminConnectDaemonShutdown");
        const { shutdown } = options;
        if (shutdown === undefined) throw unsupported("virAdmConnectDaemonShutdown");
        setImmediate(shutdown);
      },
    },
    {
      access: false, // who can reach its socket may use it, as libvirtd's
      before(procedure, { session }) {
        if (procedure.name === "CONNECT_OPEN" || procedure.name === "CONNECT_CLOSE" || opened.of(session).open) return;
        throw virtError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, VirErrorDomain.VIR_FROM_ADMIN, "connection not open");
      },
    },
  );
}

function reference(name: string, session: Session): NonnullClient {
  const { id, connectedAt, identity } = session;
  return { srv: { name }, id: BigInt(id), timestamp: BigInt(connectedAt), transport: transportOf(identity) };
}

/** VIR_CLIENT_TRANS_UNIX, _TCP and _TLS: libvirt has no others, and a websocket is nearest to what carries it. */
function transportOf({ transport, security }: PeerIdentity): number {
  if (transport === "unix" || transport === "pair") return 0;
  return security.encrypted ? 2 : 1;
}

function clientInfo({ readOnly, identity, client }: Session): TypedParam[] {
  const params: TypedParam[] = [
    { field: "readonly", value: { type: VIR_TYPED_PARAM_BOOLEAN, value: readOnly ? 1 : 0 } },
  ];
  const text = (field: string, value: string | undefined) => {
    if (value !== undefined) params.push({ field, value: { type: VIR_TYPED_PARAM_STRING, value } });
  };
  const int = (field: string, value: number | undefined) => {
    if (value !== undefined) params.push({ field, value: { type: VIR_TYPED_PARAM_INT, value: value | 0 } });
  };
  text("sasl_user_name", client.saslUserName);
  if (transportOf(identity) === 0) {
    int("unix_user_id", client.unixUserId);
    text("unix_user_name", client.unixUserName);
    int("unix_group_id", client.unixGroupId);
    text("unix_group_name", client.unixGroupName);
    int("unix_process_id", client.unixProcessId);
  } else {
    // As virt-admin shows it: 127.0.0.1:4711.
    text("sock_addr", identity.address.replace(/^\w+:\/\//, ""));
    text("tls_x509_dname", client.tlsDistinguishedName);
  }
  text("selinux_context", client.selinuxContext);
  return params;
}

/** @throws {VirtError} in the words of virTypedParamsValidate, libvirt src/util/virtypedparam.c */
function limitsOf(params: readonly TypedParam[], known: Readonly<Record<string, keyof ServerLimits>>): ServerLimits {
  const limits: { -readonly [Key in keyof ServerLimits]: ServerLimits[Key] } = {};
  for (const { field, value } of params) {
    const limit = Object.hasOwn(known, field) ? known[field] : undefined;
    if (limit === undefined) {
      throw adminError(VirErrorNumber.VIR_ERR_ARGUMENT_UNSUPPORTED, `parameter '${field}' not supported`);
    }
    if (limits[limit] !== undefined) throw invalid(`parameter '${field}' occurs multiple times`);
    if (value.type !== VIR_TYPED_PARAM_UINT) throw invalid(`invalid type for parameter '${field}', expected 'uint'`);
    limits[limit] = value.value;
  }
  return limits;
}

function setLimits(server: Server, changes: ServerLimits): void {
  try {
    server.setLimits(changes);
  } catch (error) {
    throw invalid((error as Error).message);
  }
}

function logOf({ log }: AdminProgramOptions, api: string): DaemonLog {
  if (log === undefined) throw unsupported(api);
  return log;
}

/** @throws {VirtError} in the words of virCheckFlags, libvirt src/internal.h: all of the message, without a template */
function checkFlags(flags: number, api: string): void {
  if (flags === 0) return;
  const { VIR_ERR_INVALID_ARG } = VirErrorNumber;
  const message = `unsupported flags (0x${(flags >>> 0).toString(16)}) in function ${api}`;
  const extra = { str1: api, str2: "flags", int1: 0, int2: 0 };
  throw new VirtError(message, VIR_ERR_INVALID_ARG, VirErrorDomain.VIR_FROM_ADMIN, VirErrorLevel.VIR_ERR_ERROR, extra);
}

function uint(field: string, value: number): TypedParam {
  return { field, value: { type: VIR_TYPED_PARAM_UINT, value } };
}

const invalid = (detail: string): VirtError => adminError(VirErrorNumber.VIR_ERR_INVALID_ARG, detail);
const unsupported = (api: string): VirtError => adminError(VirErrorNumber.VIR_ERR_NO_SUPPORT, api);

function adminError(code: Code, detail: string): VirtError {
  return virtError(code, VirErrorDomain.VIR_FROM_ADMIN, detail);
}
