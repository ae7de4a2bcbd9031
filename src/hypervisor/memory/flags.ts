import { badArgument } from "./driver-errors.ts";

/** A generated table of flags: names and bits. */
type FlagTable = Readonly<Record<string, number>>;

/**
 * Refuses two flags together.
 *
 * @param domain a virErrorDomain.
 * @throws {VirtError} VIR_ERR_INVALID_ARG, as VIR_EXCLUSIVE_FLAGS_GOTO of libvirt src/internal.h.
 */
export function exclusiveFlags<Table extends FlagTable>(
  flags: number,
  table: Table,
  [one, other]: readonly [keyof Table & string, keyof Table & string],
  domain: number,
): void {
  if ((flags & table[one]!) === 0 || (flags & table[other]!) === 0) return;
  throw badArgument(undefined, "ctl", `Flags '${one}' and '${other}' are mutually exclusive`, domain);
}

/**
 * Refuses a flag without one that it needs.
 *
 * @throws {VirtError} VIR_ERR_INVALID_ARG, as VIR_REQUIRE_FLAG_GOTO of libvirt src/internal.h.
 */
export function requiredFlag<Table extends FlagTable>(
  flags: number,
  table: Table,
  [flag, needed]: readonly [keyof Table & string, keyof Table & string],
  domain: number,
): void {
  if ((flags & table[flag]!) === 0 || (flags & table[needed]!) !== 0) return;
  throw badArgument(undefined, "ctl", `Flag '${needed}' is required by flag '${flag}'`, domain);
}
