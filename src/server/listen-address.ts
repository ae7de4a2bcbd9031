import type { ListenerOptions } from "./listener-options.ts";

/** What is spoken over a listening socket. */
export type Wire = "plain" | "tls" | "ws" | "wss";

/** A listening address, checked: what `listen` needs. */
export type ListenAddress =
  | { readonly kind: "unix"; readonly wire: Wire; readonly path: string }
  | { readonly kind: "tcp"; readonly wire: Wire; readonly host: string; readonly port: number; readonly path: string }
  | { readonly kind: "systemd"; readonly wire: Wire; readonly name: string };

const WIRES: Readonly<Record<string, Wire>> = { tcp: "plain", tls: "tls", ws: "ws", wss: "wss" };

/**
 * Reads the address of a listener, and looks whether the rest of what is said goes with it.
 * @throws {TypeError} for anything that cannot be listened at, and for tcp and ws beyond loopback without `insecure`
 */
export function parseListenAddress(options: ListenerOptions): ListenAddress {
  const address = parse(options.address);
  const fault = (detail: string) => new TypeError(`${options.address}: ${detail}`);
  const { wire } = address;
  const { auth = "none" } = options;
  const polkit = auth === "polkit" || (typeof auth === "object" && "polkit" in auth);
  if (polkit && (wire !== "plain" || address.kind === "tcp")) throw fault("polkit is for unix sockets");
  if ((wire === "tls" || wire === "wss") && options.tls === undefined) throw fault("TLS wants a certificate: `tls`");
  if (address.kind === "tcp") checkReach(options, wire, address.host);
  return address;
}

/**
 * Looks whether a listener may be where others than this machine reach it.
 * @param host where its TCP socket is
 * @throws {TypeError} for tcp and ws beyond loopback without `insecure`
 */
export function checkReach({ address, auth, insecure }: ListenerOptions, wire: Wire, host: string): void {
  if (wire === "tls" || wire === "wss" || insecure === true || isLoopback(host)) return;
  if (wire === "plain" && typeof auth === "object" && "sasl" in auth) return; // which encrypts
  throw new TypeError(
    `${address}: plain TCP without authentication lets everyone in reach control this daemon; ` +
      "listen at a loopback address, or say `insecure: true`",
  );
}

function parse(address: string): ListenAddress {
  const unix = /^unix:(?:\/\/)?(\/.+|@.+)$/.exec(address);
  if (unix !== null) return { kind: "unix", wire: "plain", path: unix[1] as string };
  const given = /^systemd(?:\+(tls|ws|wss))?:([^:\s]+)$/.exec(address);
  if (given !== null) return { kind: "systemd", wire: WIRES[given[1] ?? "tcp"] as Wire, name: given[2] as string };
  const net = /^(tcp|tls|wss?):\/\/(?:\[([0-9A-Fa-f:.]+)\]|([^:/[\]]+)):(\d{1,5})(\/[^?#\s]*)?$/.exec(address);
  const [, scheme = "", ipv6, name, digits, path = "/"] = net ?? [];
  const wire = WIRES[scheme];
  if (wire === undefined || (path !== "/" && !scheme.startsWith("ws"))) {
    throw new TypeError(
      `${address}: not an address to listen at; unix:/path, or tcp, tls, ws or wss://host:port, or systemd:name wanted`,
    );
  }
  const port = Number(digits);
  if (port > 65_535) throw new TypeError(`${address}: no such port`);
  return { kind: "tcp", wire, host: ipv6 ?? (name as string), port, path };
}

/** 127.0.0.0/8, ::1 and the name localhost. */
function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}
