import { VirErrorDomain } from "../generated/libvirt/index.ts";
import { systemError, TransportError } from "../rpc/index.ts";
import {
  dialExt,
  dialLibssh,
  dialSsh,
  dialTls,
  dialWebSocket,
  type PemSource,
  type RemoteCommand,
  type SshQuestion,
  sockets,
  type Transport,
  type WebSocketOptions,
} from "../transport/index.ts";
import { authConf, type CredentialLookup } from "./auth-conf.ts";
import type { ConfFile } from "./conf-file.ts";
import { dialLocal } from "./dial-local.ts";
import { libvirtConf } from "./libvirt-conf.ts";
import { isSession, localSockets, remoteSocket } from "./local-socket.ts";
import { pkiFiles } from "./pki.ts";
import { type System, thisSystem, userConfigDirectory } from "./system.ts";
import { type ConnectUri, invalid, modeOf, proxyOf, type SocketMode, type SshProxy } from "./uri.ts";

/** For `+tls`: instead of what the URI, libvirt.conf and the default places say. */
export interface TlsSettings {
  /** The CA's certificate: a file's path, or its contents. */
  readonly ca?: PemSource;
  /** The client's certificate. Together with `key`. */
  readonly cert?: PemSource;
  readonly key?: PemSource;
  /** Revoked certificates. */
  readonly crl?: PemSource;
  /** Whether the server's certificate must be good. Default true, or what `no_verify` says. */
  readonly verify?: boolean;
  /** GnuTLS' priority string. */
  readonly priority?: string;
}

/** For `+ssh`, `+libssh` and `+libssh2`. */
export interface SshSettings {
  /** The private key's file. Default: the URI's `keyfile`, or ssh's own choice. */
  readonly keyfile?: string;
  /** For `+libssh` and `+libssh2`: the agent's socket. Default SSH_AUTH_SOCK. */
  readonly agent?: string;
  /**
   * For `+libssh` and `+libssh2`: answers what auth.conf does not, such as a password or whether a host's key is
   * right; undefined gives up this way of logging in. Default: no question has an answer.
   */
  readonly ask?: (question: SshQuestion, signal: AbortSignal) => Promise<string | undefined>;
}

/** For `+ws` and `+wss`. */
export interface WebSocketSettings extends Omit<WebSocketOptions, "url"> {
  /**
   * Of the HTTP request, with its query if it has one: `/libvirt`. The URI's own path names what the driver opens, as
   * with every other transport. Default `/`.
   */
  readonly path?: string;
}

/** How to reach a daemon, beside what its URI says. */
export interface DialOptions {
  /** The socket for reading, where there is one. Default false. */
  readonly readOnly?: boolean;
  readonly tls?: TlsSettings;
  readonly ssh?: SshSettings;
  readonly websocket?: WebSocketSettings;
  /** libvirt.conf. Default: read when something in it is wanted. */
  readonly conf?: ConfFile;
  /** Default: the auth.conf that belongs to the URI. */
  readonly credentials?: CredentialLookup;
  /** Default: this machine. */
  readonly system?: System;
}

/** LIBVIRTD_TCP_PORT and LIBVIRTD_TLS_PORT; ssh and websockets have their own. */
const TCP_PORT = 16_509;
const TLS_PORT = 16_514;

/**
 * Connects to where a URI says that its daemon is.
 *
 * Rejects with a TransportError; a VirtError where the URI does not fit libvirt.conf, this machine, or a file that is
 * needed; or the signal's reason.
 * @source doRemoteOpen, libvirt src/remote/remote_driver.c
 */
export async function dial(uri: ConnectUri, options: DialOptions = {}, signal?: AbortSignal): Promise<Transport> {
  const how = signal === undefined ? {} : { signal };
  const host = uri.host ?? "localhost";
  signal?.throwIfAborted();
  // Websockets come first, without a look at this machine: in a browser there is none.
  if (uri.transport === "ws" || uri.transport === "wss") {
    const { path = "/", ...settings } = options.websocket ?? {};
    return dialWebSocket({ ...settings, url: websocketUrl(uri, path), ...verifyOf(uri, settings) }, how);
  }
  const system = options.system ?? (await thisSystem());
  switch (uri.transport) {
    case "unix": {
      const mode = await socketMode(uri, options, system);
      const choice = await localSockets(uri, { readOnly: options.readOnly ?? false, mode, system });
      return dialLocal(choice, system, signal);
    }
    case "tcp":
      return (await sockets()).dialTcp(host, uri.port ?? TCP_PORT, how);
    case "tls":
      return dialTls({ ...(await tlsFiles(uri, options, system)), host, port: uri.port ?? TLS_PORT }, how);
    case "ssh": {
      const command = uri.parameters.get("command");
      const remote = await remoteCommand(uri, options, system);
      return dialSsh(
        {
          ...destination(uri, options),
          noTty: uri.noTty,
          noVerify: uri.noVerify,
          ...(command === undefined ? {} : { command }),
          remote,
        },
        how,
      );
    }
    case "libssh":
    case "libssh2": {
      const knownHosts = uri.parameters.get("known_hosts") ?? `${userConfigDirectory(system)}/known_hosts`;
      return dialLibssh(
        {
          transport: uri.transport,
          ...destination(uri, options),
          knownHosts,
          knownHostsVerify: uri.knownHostsVerify,
          ...(uri.sshAuth === undefined ? {} : { methods: uri.sshAuth }),
          ...(options.ssh?.agent === undefined ? {} : { agent: options.ssh.agent }),
          ask: answers(options.credentials ?? authConf(uri, system), uri.host, options.ssh?.ask),
          remote: await remoteCommand(uri, options, system),
        },
        how,
      );
    }
    case "ext": {
      const command = uri.parameters.get("command");
      if (command === undefined) throw invalid("remote_open: for 'ext' transport, command is required");
      return dialExt({ command }, how);
    }
    default:
      throw new TransportError("unsupported", `there is no transport ${uri.transport satisfies never}`);
  }
}

function websocketUrl({ transport, host = "localhost", port }: ConnectUri, path: string): string {
  const name = host.includes(":") ? `[${host}]` : encodeURIComponent(host); // or it could be more than a name
  return `${transport}://${name}${port === undefined ? "" : `:${port}`}${path.startsWith("/") ? "" : "/"}${path}`;
}

function verifyOf(uri: ConnectUri, settings: { readonly verify?: boolean } | undefined): { verify?: false } {
  return (settings?.verify ?? !uri.noVerify) ? {} : { verify: false };
}

/** The URI's word, else libvirt.conf's. */
async function socketMode(uri: ConnectUri, { conf }: DialOptions, system: System): Promise<SocketMode> {
  return uri.mode ?? setting(conf ?? (await libvirtConf(system)), "remote_mode", modeOf) ?? "auto";
}

/** A setting of libvirt.conf that has a few words to choose from. */
function setting<T>(conf: ConfFile, name: string, read: (word: string) => T): T | undefined {
  const word = conf.string(name);
  if (word === undefined) return undefined;
  try {
    return read(word);
  } catch (cause) {
    throw invalid(`${conf.where(name)}: ${name} = "${word}"`, { cause });
  }
}

async function tlsFiles(uri: ConnectUri, { tls = {}, conf }: DialOptions, system: System) {
  const files = await pkiFiles(uri.parameters.get("pkipath"), system);
  const { verify } = { verify: true, ...verifyOf(uri, tls) };
  const priority =
    tls.priority ?? uri.parameters.get("tls_priority") ?? (conf ?? (await libvirtConf(system))).string("tls_priority");
  if (verify && tls.ca === undefined && !(await system.access(files.ca, "exists"))) {
    const ENOENT = 2;
    const detail = `Cannot read CA certificate '${files.ca}'`;
    throw systemError(VirErrorDomain.VIR_FROM_RPC, ENOENT, "No such file or directory", detail);
  }
  return {
    ca: tls.ca ?? files.ca,
    crl: tls.crl ?? files.crl,
    // A pair, wherever it comes from.
    ...(tls.cert === undefined && tls.key === undefined
      ? { cert: files.cert, key: files.key }
      : { ...(tls.cert === undefined ? {} : { cert: tls.cert }), ...(tls.key === undefined ? {} : { key: tls.key }) }),
    verify,
    sanity: !uri.noSanity,
    ...(priority === undefined ? {} : { priority }),
  };
}

/** Where ssh goes, as whom. */
function destination(uri: ConnectUri, { ssh }: DialOptions) {
  const keyfile = ssh?.keyfile ?? uri.parameters.get("keyfile");
  return {
    host: uri.host ?? "localhost",
    ...(uri.port === undefined ? {} : { port: uri.port }),
    ...(uri.user === undefined ? {} : { user: uri.user }),
    ...(keyfile === undefined ? {} : { keyfile }),
  };
}

async function remoteCommand(uri: ConnectUri, options: DialOptions, system: System): Promise<RemoteCommand> {
  const conf = options.conf ?? (await libvirtConf(system));
  const readOnly = options.readOnly ?? false;
  const mode = await socketMode(uri, { conf }, system);
  const netcat = uri.parameters.get("netcat");
  // A socket that is named needs nc, since virt-ssh-helper finds its own; a session's can only be found over there.
  const fitting: SshProxy = uri.parameters.has("socket") ? "netcat" : isSession(uri, system) ? "native" : "auto";
  const proxy = uri.proxy ?? setting(conf, "remote_proxy", proxyOf) ?? fitting;
  if (proxy === "native" && netcat !== undefined) throw invalid("netcat path not valid with native proxy mode");
  const socket = remoteSocket(uri, { readOnly, mode, system });
  return { proxy, socket, uri: uri.helperName, readOnly, ...(netcat === undefined ? {} : { netcat }) };
}

/** auth.conf's password for the first question about one, then whoever else can answer. */
function answers(credentials: CredentialLookup, host: string | undefined, ask: SshSettings["ask"]) {
  return async (question: SshQuestion, signal: AbortSignal): Promise<string | undefined> => {
    if (question.kind === "password" && question.attempt === 0) {
      const password = (await credentials("ssh", host))?.password;
      if (password !== undefined) return password;
    }
    return ask?.(question, signal);
  };
}
