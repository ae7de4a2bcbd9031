/**
 * Bytes that belong to somebody for a while: until `release()` nobody else writes there. A lease counts once, so
 * releasing it again does nothing; asking for its bytes afterwards throws.
 */
export interface Lease extends Disposable {
  /** @throws {TypeError} when it was released */
  readonly bytes: Uint8Array;
  /** A lease of its own on a part of these bytes, which lives on when this one is released. */
  slice(start?: number, end?: number): Lease;
  /** Gives the bytes back. Views of them must not be used any more. */
  release(): void;
}
