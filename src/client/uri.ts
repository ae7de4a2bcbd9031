import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { type VirtError, virtError } from "../rpc/index.ts";

/** How a URI says to reach the daemon. All but `ws` and `wss` are libvirt's. */
export type UriTransport = "unix" | "tcp" | "tls" | "ssh" | "libssh" | "libssh2" | "ext" | "ws" | "wss";

/** Which daemon's socket is meant: libvirtd's, or that of the daemon of one driver. */
export type SocketMode = "auto" | "legacy" | "direct";

/** What runs on the other side of ssh: whichever there is, `nc`, or `virt-ssh-helper`. */
export type SshProxy = "auto" | "netcat" | "native";

/** A way to prove who we are to an ssh server. */
export type SshAuthMethod = "agent" | "privkey" | "password" | "keyboard-interactive";

/** Unknown host keys are asked about, added, or accepted as they come. */
export type KnownHostsVerify = "normal" | "auto" | "ignore";

/** The login that a URI insists on. */
export type UriAuth =
  | { readonly type: "polkit" }
  | { readonly type: "sasl" /** Undefined: whichever is the best. */; readonly mechanism: string | undefined };

const transports: readonly UriTransport[] = ["tls", "unix", "ssh", "ext", "tcp", "libssh2", "libssh", "ws", "wss"];
const modes: readonly SocketMode[] = ["auto", "legacy", "direct"];
const proxies: readonly SshProxy[] = ["auto", "netcat", "native"];
const sshAuthMethods: readonly SshAuthMethod[] = ["agent", "privkey", "password", "keyboard-interactive"];
const knownHostsVerifies: readonly KnownHostsVerify[] = ["normal", "auto", "ignore"];

/** Drivers that live in libvirt's client library and talk to their hypervisor themselves. */
const clientSideDrivers = new Set(["esx", "gsx", "vpx", "hyperv"]);

/** Drivers whose URIs always have a path, so that a host `system` is a slash forgotten. */
const driversWithPath = new Set(["qemu", "vbox", "vz"]);

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

/** Those of them that virt-ssh-helper on the other side needs too. */
const helperParameters = new Set(["mode", "socket"]);

/** A connection URI, taken apart and checked. */
export interface ConnectUri {
  /** As it was given; empty where the daemon shall choose its driver. */
  readonly text: string;
  /** The scheme without the transport: `qemu`. Empty where the daemon shall choose. */
  readonly driver: string;
  readonly transport: UriTransport;
  readonly user: string | undefined;
  /** Without brackets. */
  readonly host: string | undefined;
  /** 1 to 65535. Undefined: the transport's own. */
  readonly port: number | undefined;
  readonly path: string;
  /** The client's own parameters by their name in lower case, decoded; of several, the last. */
  readonly parameters: ReadonlyMap<string, string>;
  /** What CONNECT_OPEN is told: the URI without transport, host and the client's own parameters. */
  readonly name: string;
  /** What virt-ssh-helper is told: as `name`, with `mode` and `socket`. */
  readonly helperName: string;
  /** `mode`; undefined: libvirt.conf says. */
  readonly mode: SocketMode | undefined;
  /** `proxy`; undefined: libvirt.conf says. */
  readonly proxy: SshProxy | undefined;
  /** `no_verify`: the other side's certificate or host key is accepted as it is. */
  readonly noVerify: boolean;
  /** `no_sanity`: our own certificates are not checked beforehand. */
  readonly noSanity: boolean;
  /** `no_tty`: ssh must not ask anything. */
  readonly noTty: boolean;
  /** `auth`; undefined: whatever the daemon offers first. */
  readonly auth: UriAuth | undefined;
  /** `sshauth`, in the order to try; undefined: all that apply. */
  readonly sshAuth: readonly SshAuthMethod[] | undefined;
  readonly knownHostsVerify: KnownHostsVerify;
}

/** No URI: the daemon on this machine chooses its driver. */
const noUri: ConnectUri = {
  text: "",
  driver: "",
  transport: "unix",
  user: undefined,
  host: undefined,
  port: undefined,
  path: "",
  parameters: new Map(),
  name: "",
  helperName: "",
  mode: undefined,
  proxy: undefined,
  noVerify: false,
  noSanity: false,
  noTty: false,
  auth: undefined,
  sshAuth: undefined,
  knownHostsVerify: "normal",
};

/**
 * Reads `driver[+transport]://[user@][host][:port]/[path][?parameters]` and checks every part of it.
 *
 * @throws {VirtError} with libvirt's code, naming the part that is wrong: VIR_ERR_INTERNAL_ERROR for what is no URI,
 *   VIR_ERR_NO_CONNECT without driver, VIR_ERR_INVALID_ARG for transports and parameters, VIR_ERR_AUTH_FAILED for
 *   `auth`, VIR_ERR_CONFIG_UNSUPPORTED for drivers that no daemon has
 * @source virConnectOpenInternal, libvirt src/libvirt.c; virURIParse, libvirt src/util/viruri.c; doRemoteOpen, libvirt
 *   src/remote/remote_driver.c
 */
export function parseUri(text: string): ConnectUri {
  if (text === "") return noUri;
  if (text.toLowerCase() === "xen" || text === "xen://") return parseUri("xen:///system");
  const { scheme, user, host, port, path, query, fragment } = split(text);
  const plus = scheme.indexOf("+");
  const driver = plus < 0 ? scheme : scheme.slice(0, plus);
  if (path.includes("\0")) throw unreadable(text, "there is %00 in its path");
  if ((host === "system" || host === "session") && driversWithPath.has(scheme)) {
    throw internal(`invalid URI ${shown(text)} (maybe you want ${scheme}:///${host})`);
  }
  if (path === "/embed") {
    throw unsupported(`Driver ${driver} cannot be used in embedded mode: path /embed needs libvirt's own library`);
  }
  if (clientSideDrivers.has(scheme.toLowerCase())) {
    const way = "it talks to its hypervisor from within libvirt's own library";
    throw unsupported(`libvirt was built without the '${scheme}' driver: ${way}, not through a daemon`);
  }
  const transport = plus < 0 ? (host === undefined ? "unix" : "tls") : transportOf(scheme.slice(plus + 1));
  if (transport === "unix" && host !== undefined) {
    throw invalid(`using unix socket and remote server '${host}' is not supported.`);
  }

  const parameters = new Map<string, string>();
  const forDaemon: string[] = [];
  const forHelper: string[] = [];
  for (const [rawName, rawValue] of parseQuery(query)) {
    const name = utf8(text, "name of a parameter", rawName);
    const key = name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
    const own = clientParameters.has(key);
    // The name goes out as it is, only the value is escaped: virURIFormatParams, libvirt src/util/viruri.c.
    const again = `${name}=${quoted(rawValue, /[^A-Za-z0-9\-._~]/g)}`;
    if (!own) forDaemon.push(again);
    if (!own || helperParameters.has(key)) forHelper.push(again);
    if (!own) continue;
    const value = utf8(text, `parameter ${key}`, rawValue);
    // Alone among them, this one is looked for by its exact name, and the first counts: libvirt src/util/virauth.c.
    if (key === "authfile" && (name !== key || parameters.has(key))) continue;
    parameters.set(key, value);
  }
  const tail = fragment === undefined ? "" : `#${quoted(fragment, /[^A-Za-z0-9\-_.!~*'();/?:@&=+$,[\]]/g)}`;
  const compose = (rest: readonly string[]) =>
    `${driver}://${quoted(path, /[^A-Za-z0-9\-_.!~*'()/;@&=+$,]/g)}${rest.length === 0 ? "" : `?${rest.join("&")}`}${tail}`;
  const given = parameters.get("name") ?? (driver === "remote" ? "" : undefined);

  if (transport === "ext" && parameters.get("command") === undefined) {
    throw invalid("remote_open: for 'ext' transport, command is required");
  }
  const overSsh = transport === "libssh" || transport === "libssh2";
  const verify = overSsh ? parameters.get("known_hosts_verify") : undefined;
  const sshAuth = overSsh ? parameters.get("sshauth") : undefined;
  for (const key of ["socket", "command", "netcat", "keyfile", "pkipath", "known_hosts"]) {
    if (parameters.get(key) === "") throw invalid(`parameter ${key} is empty: a path wanted`);
  }
  return {
    text,
    driver,
    transport,
    user,
    host,
    port,
    // Not UTF-8 is allowed here: the name has the bytes.
    path: new TextDecoder().decode(bytesOf(path)),
    parameters,
    name: given ?? compose(forDaemon),
    helperName: given ?? compose(forHelper),
    mode: oneOf("Unknown remote mode", parameters.get("mode"), modes),
    proxy: oneOf("Unknown proxy type", parameters.get("proxy"), proxies),
    noVerify: isSet(parameters, "no_verify"),
    noSanity: isSet(parameters, "no_sanity"),
    noTty: isSet(parameters, "no_tty"),
    auth: authOf(parameters.get("auth")),
    sshAuth: sshAuth?.split(",").map((word) => {
      return oneOf("Invalid authentication method in sshauth:", word.toLowerCase(), sshAuthMethods);
    }),
    knownHostsVerify:
      oneOf("Invalid host key verification method in known_hosts_verify:", verify?.toLowerCase(), knownHostsVerifies) ??
      "normal",
  };
}

/** The parts of a URI. Those that can carry any byte are still bytes, one per character. */
interface Parts {
  scheme: string;
  user: string | undefined;
  host: string | undefined;
  port: number | undefined;
  path: string;
  query: string;
  fragment: string | undefined;
}

/** What no part may have in it: RFC 3986, read as libxml2 reads it. */
const forbidden = {
  "user name": /%(?![0-9A-Fa-f]{2})|[^%A-Za-z0-9\-._~!$&'()*+,;=:]/,
  host: /%(?![0-9A-Fa-f]{2})|[^%A-Za-z0-9\-._~!$&'()*+,;=]/,
  path: /%(?![0-9A-Fa-f]{2})|[^%A-Za-z0-9\-._~!$&'()*+,;=:@/]/,
  query: /%(?![0-9A-Fa-f]{2})|[^%A-Za-z0-9\-._~!$&'()*+,;=:@/?]/,
  fragment: /%(?![0-9A-Fa-f]{2})|[^%A-Za-z0-9\-._~!$&'()*+,;=:@/?[\]]/,
} as const;

function split(text: string): Parts {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1];
  if (scheme === undefined) {
    const before = /^([^:/?#]*):/.exec(text)?.[1];
    if (before !== undefined) throw unreadable(text, `'${before}' cannot be the name of a driver`);
    check(text, "path", text.replace(/[?#]/g, ""));
    const detail = `URI '${shown(text)}' does not include a driver name`;
    throw virtError(VirErrorNumber.VIR_ERR_NO_CONNECT, VirErrorDomain.VIR_FROM_NONE, detail);
  }
  const [, authority, path = "", query, fragment] =
    /^(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#([\s\S]*))?$/.exec(text.slice(scheme.length + 1)) ?? [];
  check(text, "path", path);
  check(text, "query", query ?? "");
  check(text, "fragment", fragment ?? "");
  return {
    scheme,
    ...splitAuthority(text, authority ?? ""),
    path: unquoted(path),
    query: query ?? "",
    fragment: fragment === undefined ? undefined : unquoted(fragment),
  };
}

function splitAuthority(text: string, authority: string): Pick<Parts, "user" | "host" | "port"> {
  const at = authority.indexOf("@");
  const user = at < 0 ? undefined : authority.slice(0, at);
  if (user !== undefined) check(text, "user name", user);
  const place = authority.slice(at + 1);
  const [, name = "", rest = ""] = /^(\[[^\]]*\]|[^:]*)([\s\S]*)$/.exec(place) ?? [];
  if (!name.startsWith("[")) check(text, "host", name);
  else if (!name.includes(":") || !/^\[[0-9A-Fa-f:.]*(?:%[\w.~%-]+)?\]$/.test(name)) {
    throw unreadable(text, `its host ${place} is no IPv6 address in brackets`);
  }
  let port = 0;
  if (rest !== "") {
    const digits = /^:(\d+)$/.exec(rest)?.[1];
    if (digits === undefined) throw unreadable(text, `its port '${rest.replace(/^:/, "")}' is no number`);
    port = Number(digits);
    if (port > 65_535) throw unreadable(text, `its port ${digits} is above 65535`);
  }
  const host = utf8(text, "host", unquoted(name.replace(/^\[|\]$/g, "")));
  return {
    user: user === undefined || user === "" ? undefined : utf8(text, "user name", unquoted(user)),
    host: host === "" ? undefined : host,
    // Without a host there is nowhere that a port could be.
    port: port === 0 || host === "" ? undefined : port,
  };
}

function check(text: string, part: keyof typeof forbidden, value: string): void {
  const at = value.search(forbidden[part]);
  if (at < 0) return;
  const wrong = String.fromCodePoint(value.codePointAt(at) ?? 0);
  const instead = wrong === "%" ? "%25" : encodeURIComponent(wrong.replace(/\p{Cs}/gu, "\ufffd"));
  const written = instead === wrong ? "" : `, which must be written ${instead}`;
  throw unreadable(text, `there is '${wrong}' in its ${part}${written}`);
}

/** @source virURIParseParams, libvirt src/util/viruri.c: `;` separates only where no `&` follows. */
function parseQuery(query: string): [name: string, value: string][] {
  const found: [string, string][] = [];
  const last = query.lastIndexOf("&") + 1;
  for (const piece of [...query.slice(0, last).split("&"), ...query.slice(last).split(";")]) {
    const equals = piece.indexOf("=");
    if (piece === "" || equals === 0) continue;
    if (equals < 0) found.push([unquoted(piece), ""]);
    else found.push([unquoted(piece.slice(0, equals)), unquoted(piece.slice(equals + 1))]);
  }
  return found;
}

function transportOf(word: string): UriTransport {
  const found = transports.find((known) => known === word.toLowerCase());
  if (found !== undefined) return found;
  const should = transports.join("|");
  throw invalid(`remote_open: transport in URL not recognised (should be ${should}): '${word}'`);
}

/** @throws {VirtError} VIR_ERR_INVALID_ARG that says what is allowed */
export function oneOf<T extends string>(what: string, word: string, known: readonly T[]): T;
export function oneOf<T extends string>(what: string, word: string | undefined, known: readonly T[]): T | undefined;
export function oneOf<T extends string>(what: string, word: string | undefined, known: readonly T[]): T | undefined {
  const found = known.find((one) => one === word);
  if (word === undefined || found !== undefined) return found;
  throw invalid(`${what} '${word}': ${known.slice(0, -1).join(", ")} or ${known.at(-1)} wanted`);
}

/** The words that `mode` and `proxy` may have, in a URI and in libvirt.conf. */
export const modeOf = (word: string): SocketMode => oneOf("Unknown remote mode", word, modes);
export const proxyOf = (word: string): SshProxy => oneOf("Unknown proxy type", word, proxies);

/** A number as strtoll reads it, that fits an int: anything but zero is yes. */
function isSet(parameters: ReadonlyMap<string, string>, name: string): boolean {
  const text = parameters.get(name);
  if (text === undefined) return false;
  const value = /^[ \t\n\v\f\r]*[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= -0x8000_0000 && value <= 0x7fff_ffff) return value !== 0;
  throw invalid(`Failed to parse value of URI component ${name}: '${text}' is no integer of 32 bits`);
}

function authOf(text: string | undefined): UriAuth | undefined {
  if (text === undefined) return undefined;
  if (/^polkit$/i.test(text)) return { type: "polkit" };
  const sasl = /^sasl(?:\.(.+))?$/i.exec(text);
  if (sasl !== null) return { type: "sasl", mechanism: sasl[1] };
  const detail = `unknown authentication type ${text}: sasl, sasl.MECHANISM or polkit wanted`;
  throw virtError(VirErrorNumber.VIR_ERR_AUTH_FAILED, VirErrorDomain.VIR_FROM_REMOTE, detail);
}

/** Undoes percent signs. Each character of the result is one byte. */
function unquoted(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Escapes the bytes that a pattern, which is global, matches. */
function quoted(bytes: string, special: RegExp): string {
  return bytes.replace(special, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
}

function bytesOf(bytes: string): Uint8Array {
  return Uint8Array.from(bytes, (c) => c.charCodeAt(0));
}

/** The text that bytes, one per character, are. */
function utf8(uri: string, part: string, bytes: string): string {
  if (bytes.includes("\0")) throw unreadable(uri, `there is %00 in its ${part}`);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytesOf(bytes));
  } catch {
    throw unreadable(uri, `its ${part} is not UTF-8`);
  }
}

/** A URI for an error's text: without the password that some write behind the user's name. */
function shown(text: string): string {
  return text.replace(/^([^/?#]*\/\/[^:@/?#]*:)[^@/?#]*@/, "$1***@");
}

function unreadable(text: string, why: string): VirtError {
  return virtError(
    VirErrorNumber.VIR_ERR_INTERNAL_ERROR,
    VirErrorDomain.VIR_FROM_URI,
    `Unable to parse URI ${shown(text)}: ${why}`,
  );
}

function internal(detail: string): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, VirErrorDomain.VIR_FROM_NONE, detail);
}

function unsupported(detail: string): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_CONFIG_UNSUPPORTED, VirErrorDomain.VIR_FROM_NONE, detail);
}

/** A URI that libvirt refuses. */
export function invalid(detail: string, options?: ErrorOptions): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_INVALID_ARG, VirErrorDomain.VIR_FROM_REMOTE, detail, options);
}
