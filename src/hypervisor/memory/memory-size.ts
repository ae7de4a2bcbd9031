import { VirErrorNumber } from "../../generated/libvirt/index.ts";
import { domainError } from "./driver-errors.ts";

const KIB = 1024n;

/** Powers of the base: `K` alone, `KiB` and `KB` stand for kilo and so on up to exa. */
const POWERS = "KMGTPE";
const MAX = 0xffff_ffff_ffff_ffffn;

/**
 * Bytes in one `unit` of a `<memory>` or `<currentMemory>` element: `b`, `bytes`, `K`/`KiB`, `KB` (1000) … `EB`, in
 * any case.
 *
 * @throws {VirtError} VIR_ERR_INVALID_ARG, `unknown suffix 'Furlong'`.
 * @source virScaleInteger, libvirt src/util/virutil.c.
 */
export function unitBytes(unit: string): bigint {
  const folded = unit.toLowerCase();
  if (folded === "b" || folded === "byte" || folded === "bytes") return 1n;
  const power = POWERS.toLowerCase().indexOf(folded.charAt(0));
  const rest = folded.slice(1);
  if (folded !== "" && power >= 0 && (rest === "" || rest === "ib" || rest === "b")) {
    return (rest === "b" ? 1000n : KIB) ** BigInt(power + 1);
  }
  throw domainError(VirErrorNumber.VIR_ERR_INVALID_ARG, `unknown suffix '${unit}'`);
}

/**
 * A size in KiB, rounded up as libvirt does.
 *
 * @param value Decimal digits.
 * @throws {VirtError} VIR_ERR_OVERFLOW where the bytes do not fit 64 bits.
 */
export function toKib(value: string, unit: string): bigint {
  const bytes = BigInt(value) * unitBytes(unit);
  if (bytes > MAX) throw domainError(VirErrorNumber.VIR_ERR_OVERFLOW, `value too large: ${value}${unit}`);
  return (bytes + KIB - 1n) / KIB;
}
