import { VirDomainMigrateFlags, VirErrorNumber } from "../../generated/libvirt/index.ts";
import type { TypedParam } from "../../generated/remote/index.ts";
import { UNLIMITED_SPEED } from "./domain.ts";
import { checkFlags, driverError, invalidArgument } from "./driver-errors.ts";
import { checkParams } from "./typed-parameters.ts";

const F = VirDomainMigrateFlags;

/** What this driver can do, or has no need of: its guests don't dirty memory faster than it is sent. */
const SUPPORTED =
  F.VIR_MIGRATE_LIVE |
  F.VIR_MIGRATE_PERSIST_DEST |
  F.VIR_MIGRATE_UNDEFINE_SOURCE |
  F.VIR_MIGRATE_PAUSED |
  F.VIR_MIGRATE_CHANGE_PROTECTION |
  F.VIR_MIGRATE_UNSAFE |
  F.VIR_MIGRATE_ABORT_ON_ERROR |
  F.VIR_MIGRATE_AUTO_CONVERGE;

/** What a step of a migration is asked to do, whichever of the two families of procedures carried it. */
export interface MigrationRequest {
  readonly flags: number;
  /** Where the memory goes: `tcp:host:port`. */
  readonly uri: string | undefined;
  /** The guest's name on the destination, where it differs. */
  readonly dname: string | undefined;
  /** In Begin, what the caller wants the guest to look like on the destination; in Prepare, what Begin answered. */
  readonly xml: string | undefined;
  readonly persistentXml: string | undefined;
  /** MiB/s; 0 where none is asked for. */
  readonly bandwidth: bigint;
  /** The address to listen on. */
  readonly listenAddress: string | undefined;
}

/** The arguments of the procedures without parameters. */
interface PlainArguments {
  readonly flags: bigint;
  readonly uri?: string | null;
  readonly dname?: string | null;
  readonly xml?: string | null;
  readonly bandwidth?: bigint;
}

/** @throws {VirtError} for flags that this driver does not support, and values that none may have. */
export function plainRequest(
  { flags, uri, dname, xml, bandwidth = 0n }: PlainArguments,
  api: string,
): MigrationRequest {
  if (flags > 0xffff_ffffn) throw invalidArgument(`unsupported flags (0x${flags.toString(16)}) in function ${api}`);
  const request = {
    flags: Number(flags),
    uri: uri ?? undefined,
    dname: dname ?? undefined,
    xml: xml ?? undefined,
    persistentXml: undefined,
    bandwidth,
    listenAddress: undefined,
  };
  return checked(request, api);
}

/** The typed parameters that this driver takes, by virDomainMigrate3's names. */
const PARAMETERS = {
  migrate_uri: "string",
  destination_name: "string",
  destination_xml: "string",
  persistent_xml: "string",
  bandwidth: "ullong",
  listen_address: "string",
} as const;

/** @throws {VirtError} as {@link checkParams} and {@link plainRequest}. */
export function paramsRequest(params: readonly TypedParam[], flags: number, api: string): MigrationRequest {
  const given = checkParams(params, PARAMETERS);
  const request = {
    flags,
    uri: given.string("migrate_uri"),
    dname: given.string("destination_name"),
    xml: given.string("destination_xml"),
    persistentXml: given.string("persistent_xml"),
    bandwidth: given.bigint("bandwidth") ?? 0n,
    listenAddress: given.string("listen_address"),
  };
  return checked(request, api);
}

function checked(request: MigrationRequest, api: string): MigrationRequest {
  const { flags, dname, bandwidth } = request;
  for (const [flag, what] of [
    [F.VIR_MIGRATE_PEER2PEER, "p2p"],
    [F.VIR_MIGRATE_TUNNELLED, "tunnelled"],
    [F.VIR_MIGRATE_OFFLINE, "offline"],
  ] as const) {
    if ((flags & flag) !== 0) {
      throw driverError(
        VirErrorNumber.VIR_ERR_ARGUMENT_UNSUPPORTED,
        `${what} migration is not supported by this driver`,
      );
    }
  }
  checkFlags(flags, SUPPORTED, api);
  if (dname === "") throw invalidArgument("string parameter 'dname' must not be empty");
  checkBandwidth(bandwidth);
  return request;
}

/** @throws {VirtError} VIR_ERR_OVERFLOW above what libvirt's QEMU driver takes. */
export function checkBandwidth(mibPerSecond: bigint): void {
  if (mibPerSecond > UNLIMITED_SPEED) {
    throw driverError(VirErrorNumber.VIR_ERR_OVERFLOW, `bandwidth must be less than ${UNLIMITED_SPEED + 1n}`);
  }
}
