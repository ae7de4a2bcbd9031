import { type ConnectOptions, type ConnectTransportOptions, open, openTransport } from "../client/index.ts";
import type { Transport } from "../transport/index.ts";
import { Connection } from "./connection.ts";

/**
 * Opens a connection to a daemon.
 *
 * @param uri libvirt's: `qemu:///system`, `qemu+tcp://host/system`, `qemu+unix:///system?socket=/run/x-sock`.
 *   Empty: the daemon on this machine chooses its driver.
 *
 * Rejects with: TransportError; VirtError where the daemon refuses or the URI is wrong; TimeoutError; AbortError.
 */
export async function connect(uri = "", options: ConnectOptions = {}): Promise<Connection> {
  return new Connection(await open(uri, options));
}

/** Opens a connection over a transport that is connected already, which from now on belongs to the connection. */
export async function connectTransport(
  transport: Transport,
  options: ConnectTransportOptions = {},
): Promise<Connection> {
  return new Connection(await openTransport(transport, options));
}
