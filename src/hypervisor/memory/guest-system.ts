import { operationInvalid } from "./driver-errors.ts";

/** What a guest's clock shows when it has booted: seconds since 1970, as the test driver's. */
const BOOT_SECONDS = 627_319_920n;

/** The system inside of a guest, as far as an agent could tell: a clock and two mounted file systems. */
export class GuestSystem {
  /** Seconds since 1970. The guest does nothing, so its clock stands. */
  seconds = BOOT_SECONDS;
  nanoseconds = 0;
  readonly #frozen = new Map([
    ["/", false],
    ["/boot", false],
  ]);

  get mountPoints(): readonly string[] {
    return [...this.#frozen.keys()];
  }

  /**
   * Freezes or thaws file systems.
   *
   * @param mountPoints none: all.
   * @returns how many were not so before.
   * @throws {VirtError} VIR_ERR_OPERATION_INVALID for a mount point that there is not; then nothing has changed.
   */
  freeze(mountPoints: readonly string[], frozen: boolean): number {
    const which = mountPoints.length === 0 ? this.mountPoints : [...new Set(mountPoints)];
    for (const mountPoint of which) this.check(mountPoint);
    const changing = which.filter((mountPoint) => this.#frozen.get(mountPoint) !== frozen);
    for (const mountPoint of changing) this.#frozen.set(mountPoint, frozen);
    return changing.length;
  }

  /** @throws {VirtError} VIR_ERR_OPERATION_INVALID for a mount point that there is not. */
  check(mountPoint: string): void {
    if (!this.#frozen.has(mountPoint)) throw operationInvalid(`mount point not found: ${mountPoint}`);
  }
}
