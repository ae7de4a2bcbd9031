import type { KeepAliveOptions } from "../rpc/index.ts";
import type { TlsServerOptions } from "../transport/index.ts";
import type { AuthPolicy } from "./authentication.ts";

/** What a listener says of the clients that come by it. */
export interface ListenerSettings {
  /** Sessions are read-only from the start and stay so, as at libvirt's `libvirt-sock-ro`. Default false. */
  readonly readOnly?: boolean;
  /** How clients log in. Default: the server's. */
  readonly auth?: AuthPolicy;
  /** When to ping a silent client; false for never. Default: the server's. */
  readonly keepAlive?: KeepAliveOptions | false;
}

/** One place to listen at. */
export interface ListenerOptions extends ListenerSettings {
  /**
   * - `unix:/run/x-sock`; `unix:@name` in Linux' abstract namespace, which has no permissions: every user of
   *   the machine may connect.
   * - `tcp://127.0.0.1:16509`, `tls://[::]:16514`, `ws://127.0.0.1:0/path`, `wss://0.0.0.0:443/path`; port 0 lets
   *   the system choose. Where there is a path, it is the only one that websockets find.
   * - `systemd:name`, `systemd+tls:name`, `systemd+ws:name`, `systemd+wss:name`: a socket that systemd opened, by its
   *   FileDescriptorName; all of them where it has several of that name.
   */
  readonly address: string;
  /** Permissions of a unix socket. Default 0o600, or 0o660 where there is a group. */
  readonly mode?: number;
  /** The group of a unix socket: a name or a number. Default: that of the process. */
  readonly group?: string | number;
  /**
   * Allows tcp and ws, where anyone on the way can read and change everything, beyond the loopback addresses. SASL
   * makes it needless for tcp.
   */
  readonly insecure?: boolean;
  /** Wanted by tls and wss. Default: the server's. */
  readonly tls?: TlsServerOptions;
  /**
   * Pages whose scripts may open a websocket here, by their origin: `https://console.example`; `*` for all. Default
   * none: a page anywhere could command a daemon on the machine it is read on. Programs, which send no origin, always
   * may.
   */
  readonly origins?: readonly string[];
}

/** What all listeners do that do not say otherwise themselves. */
export type ListenerDefaults = Pick<ListenerOptions, "mode" | "group" | "insecure" | "tls" | "origins" | "auth">;
