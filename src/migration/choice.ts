import { VirDomainMigrateFlags, VirDrvFeature, VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { type TypedParam, VIR_TYPED_PARAM_STRING, VIR_TYPED_PARAM_ULLONG } from "../generated/remote/index.ts";
import { virtError } from "../rpc/index.ts";
import type { Caller } from "../xdr/index.ts";
import { argumentUnsupported, invalidArgument } from "./errors.ts";
import { classic, extensible, type Family } from "./families.ts";
import { bothSupport, supports } from "./features.ts";
import { CLASSIC_PARAMETERS } from "./parameters.ts";

// What virDomainMigrate3 checks and asks before the first step, in its order: libvirt src/libvirt-domain.c.

/** @throws {VirtError} code 8 for flags that contradict each other or belong to another function. */
export function checkFlags(flags: number): void {
  const has = (name: keyof typeof VirDomainMigrateFlags) => (flags & VirDomainMigrateFlags[name]) !== 0;
  if (has("VIR_MIGRATE_NON_SHARED_DISK") && has("VIR_MIGRATE_NON_SHARED_INC")) {
    const both = "Flags 'VIR_MIGRATE_NON_SHARED_DISK' and 'VIR_MIGRATE_NON_SHARED_INC'";
    throw invalidArgument("flags", `${both} are mutually exclusive`);
  }
  if (
    has("VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES") &&
    !has("VIR_MIGRATE_NON_SHARED_DISK") &&
    !has("VIR_MIGRATE_NON_SHARED_INC")
  ) {
    const needed = "Flag 'VIR_MIGRATE_NON_SHARED_DISK' or 'VIR_MIGRATE_NON_SHARED_INC'";
    throw invalidArgument("flags", `${needed} is required by flag 'VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES'`);
  }
  if (has("VIR_MIGRATE_PEER2PEER")) {
    throw invalidArgument("flags", "use virDomainMigrateToURI3 for peer-to-peer migration");
  }
  if (has("VIR_MIGRATE_TUNNELLED")) {
    throw invalidArgument("flags", "cannot perform tunnelled migration without using peer2peer flag");
  }
}

/** @throws {VirtError} code 74 where a host cannot do what the flags ask for. */
export async function checkSupport(source: Caller, destination: Caller, flags: number): Promise<void> {
  if (flags & VirDomainMigrateFlags.VIR_MIGRATE_OFFLINE) {
    const unsupported = (host: string) => argumentUnsupported(`offline migration is not supported by the ${host} host`);
    if (!(await supports(source, VirDrvFeature.VIR_DRV_FEATURE_MIGRATION_OFFLINE))) throw unsupported("source");
    if (!(await supports(destination, VirDrvFeature.VIR_DRV_FEATURE_MIGRATION_OFFLINE)))
      throw unsupported("destination");
  }
  if (flags & VirDomainMigrateFlags.VIR_MIGRATE_CHANGE_PROTECTION) {
    if (!(await supports(source, VirDrvFeature.VIR_DRV_FEATURE_MIGRATE_CHANGE_PROTECTION))) {
      throw argumentUnsupported("cannot enforce change protection");
    }
  }
}

/**
 * The procedures that both hosts know.
 * @throws {VirtError} where only the older ones are left: code 74 for a parameter that needs the newer, code 8 for one
 *   of another type, which no host would get to see; code 3 where none are.
 */
export async function chooseFamily(
  source: Caller,
  destination: Caller,
  params: readonly TypedParam[],
): Promise<Family> {
  if (await bothSupport(source, destination, VirDrvFeature.VIR_DRV_FEATURE_MIGRATION_PARAMS)) return extensible;
  if (params.some(({ field }) => !CLASSIC_PARAMETERS.has(field))) {
    throw argumentUnsupported(
      "Migration APIs with extensible parameters are not supported but extended parameters were passed",
    );
  }
  checkClassicTypes(params);
  if (await bothSupport(source, destination, VirDrvFeature.VIR_DRV_FEATURE_MIGRATION_V3)) return classic;
  throw virtError(VirErrorNumber.VIR_ERR_NO_SUPPORT, VirErrorDomain.VIR_FROM_DOMAIN, "virDomainMigrate3");
}

const typeNames = ["unknown", "int", "uint", "llong", "ullong", "double", "boolean", "string"];

/** @source virTypedParamsGetString and virTypedParamsGetULLong, libvirt src/util/virtypedparam-public.c */
function checkClassicTypes(params: readonly TypedParam[]): void {
  for (const { field, value } of params) {
    const type = field === "bandwidth" ? VIR_TYPED_PARAM_ULLONG : VIR_TYPED_PARAM_STRING;
    if (value.type === type) continue;
    const requested = `Invalid type '${typeNames[type]}' requested for parameter '${field}'`;
    const detail = `${requested}, actual type is '${typeNames[value.type]}'`;
    throw virtError(VirErrorNumber.VIR_ERR_INVALID_ARG, VirErrorDomain.VIR_FROM_NONE, detail);
  }
}
