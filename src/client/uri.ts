import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { type VirtError, virtError } from "../rpc/index.ts";

/** How a URI says to reach the daemon. */
export type UriTransport = "unix" | "tcp" | "tls" | "ssh" | "libssh" | "libssh2" | "ext";

const transports: readonly UriTransport[] = ["tls", "unix", "ssh", "libssh2", "ext", "tcp", "libssh"];

/** Parameters for the client alone, which are not part of the name that CONNECT_OPEN carries. */
const clientParameters = new Set([
  "name",
  "socket",
  "mode",
  "proxy",
  "command",
  "netcat",
  "keyfile",
  "no_verify",
  "no_sanity",
  "no_tty",
  "pkipath",
  "tls_priority",
  "auth",
  "sshauth",
  "known_hosts",
  "known_hosts_verify",
  "authfile",
]);

/** A connection URI, taken apart. */
export interface ConnectUri {
  /** As it was given; empty where the daemon shall choose its driver. */
  readonly text: string;
  /** The scheme without the transport: `qemu`. Empty where the daemon shall choose. */
  readonly driver: string;
  readonly transport: UriTransport;
  readonly user: string | undefined;
  /** Without brackets. */
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly path: string;
  /** The client's own parameters by their name in lower case; of several, the last. */
  readonly parameters: ReadonlyMap<string, string>;
  /** What CONNECT_OPEN is told: the URI without transport, host and the client's own parameters. */
  readonly name: string;
}

/**
 * Reads `driver[+transport]://[user@][host][:port]/[path][?parameters]`.
 * @throws {VirtError} VIR_ERR_INVALID_ARG, or VIR_ERR_INTERNAL_ERROR for a URI that libvirt cannot read either
 */
export function parseUri(text: string): ConnectUri {
  if (text === "xen" || text === "xen://") return parseUri("xen:///system");
  if (text === "") {
    const none = { user: undefined, host: undefined, port: undefined };
    return { text, driver: "", transport: "unix", ...none, path: "", parameters: new Map(), name: "" };
  }
  // RFC 3986, appendix B
  const parts = /^([A-Za-z][A-Za-z0-9+.-]*):(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/.exec(text);
  if (parts === null) throw unreadable(text);
  const [, scheme = "", authority = "", path = "", query = "", fragment] = parts;
  const plus = scheme.indexOf("+");
  const driver = plus < 0 ? scheme : scheme.slice(0, plus);
  const { user, host, port } = parseAuthority(text, authority);
  if (path === "" && plus < 0 && (host === "system" || host === "session")) {
    const hint = `invalid URI ${text} (maybe you want ${driver}:///${host}?)`;
    throw virtError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, VirErrorDomain.VIR_FROM_NONE, hint);
  }
  const transport = plus < 0 ? (host === undefined ? "unix" : "tls") : transportOf(scheme.slice(plus + 1));
  if (transport === "unix" && host !== undefined) {
    throw invalid(`using unix socket and remote server '${host}' is not supported.`);
  }
  const parameters = new Map<string, string>();
  const rest: string[] = [];
  for (const [name, value] of parseQuery(text, query)) {
    if (clientParameters.has(name.toLowerCase())) parameters.set(name.toLowerCase(), value);
    else rest.push(`${percentEncode(name)}=${percentEncode(value)}`);
  }
  const name =
    parameters.get("name") ??
    (driver === "remote"
      ? ""
      : `${driver}://${path}${rest.length === 0 ? "" : `?${rest.join("&")}`}${fragment === undefined ? "" : `#${fragment}`}`);
  return { text, driver, transport, user, host, port, path, parameters, name };
}

function transportOf(word: string): UriTransport {
  const found = transports.find((known) => known === word.toLowerCase());
  if (found !== undefined) return found;
  throw invalid("remote_open: transport in URL not recognised (should be tls|unix|ssh|ext|tcp|libssh2|libssh)");
}

function parseAuthority(text: string, authority: string) {
  const parts = /^(?:([^@]*)@)?(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d*))?$/.exec(authority);
  if (parts === null) throw unreadable(text);
  const [, user, address, name, digits] = parts;
  const host = address ?? decode(text, name ?? "");
  const port = digits === undefined || digits === "" ? undefined : Number(digits);
  if (port !== undefined && (port < 1 || port > 65_535)) throw unreadable(text);
  return { user: user === undefined ? undefined : decode(text, user), host: host === "" ? undefined : host, port };
}

/** @source virURIParseParams, libvirt src/util/viruri.c: `;` separates only where no `&` follows. */
function parseQuery(text: string, query: string): [string, string][] {
  const found: [string, string][] = [];
  let rest = query;
  while (rest !== "") {
    let end = rest.indexOf("&");
    if (end < 0) end = rest.indexOf(";");
    if (end < 0) end = rest.length;
    const piece = rest.slice(0, end);
    rest = rest.slice(end + 1);
    const equals = piece.indexOf("=");
    if (piece === "" || equals === 0) continue;
    if (equals < 0) found.push([decode(text, piece), ""]);
    else found.push([decode(text, piece.slice(0, equals)), decode(text, piece.slice(equals + 1))]);
  }
  return found;
}

function decode(uri: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw unreadable(uri);
  }
}

/** Escapes everything but the unreserved characters of RFC 3986. */
function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function unreadable(text: string): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, VirErrorDomain.VIR_FROM_URI, `Unable to parse URI ${text}`);
}

/** A URI that libvirt refuses. */
export function invalid(detail: string): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_INVALID_ARG, VirErrorDomain.VIR_FROM_REMOTE, detail);
}
