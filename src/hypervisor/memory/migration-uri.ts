import { isIPv6 } from "node:net";
import { VirErrorNumber } from "../../generated/libvirt/index.ts";
import { driverError, invalidArgument } from "./driver-errors.ts";

/** Where a guest's memory is sent to. */
export interface MigrationAddress {
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  /** Absent where the destination is to choose. */
  readonly port: number | undefined;
}

/**
 * Reads a migration URI: `tcp:host:port`, which is how libvirt's destinations write it, or `tcp://host:port`, each
 * with or without the port. IPv6 addresses stand in brackets.
 *
 * @throws {VirtError} VIR_ERR_INVALID_ARG for what is no such URI, VIR_ERR_ARGUMENT_UNSUPPORTED for other schemes.
 */
export function parseMigrationUri(uri: string): MigrationAddress {
  const parts =
    /^([A-Za-z][A-Za-z0-9+.-]*):(?:\/\/)?(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:/?#[\]@]+))(?::(\d{1,5}))?\/?$/.exec(uri);
  if (parts === null) throw invalidArgument(`malformed migration URI '${uri}'`);
  const [, scheme, v6, name, digits] = parts;
  if (scheme!.toLowerCase() !== "tcp") {
    throw driverError(
      VirErrorNumber.VIR_ERR_ARGUMENT_UNSUPPORTED,
      `unsupported scheme ${scheme} in migration URI ${uri}`,
    );
  }
  const port = digits === undefined ? undefined : Number(digits);
  const host = (v6 ?? name)!;
  if ((port !== undefined && (port === 0 || port > 65535)) || (v6 !== undefined && !isIPv6(host))) {
    throw invalidArgument(`malformed migration URI '${uri}'`);
  }
  return { host, port };
}

/** Whether a name or an address can stand in a migration URI. */
export function isMigrationHost(host: string): boolean {
  return isIPv6(host) || /^[^\s:/?#[\]@]+$/.test(host);
}

/** `tcp:host:port`, as libvirt's QEMU driver writes it. */
export function formatMigrationUri(host: string, port: number): string {
  return isIPv6(host) ? `tcp:[${host}]:${port}` : `tcp:${host}:${port}`;
}
