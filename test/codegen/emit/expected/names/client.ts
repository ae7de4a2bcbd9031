// Generated from names.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { type Caller, type CallOptions, clientOf } from "../../../../../src/xdr/index.js";
import { namesDescription } from "./server.js";
import type * as t from "./types.js";

/** The NAMES program as a client calls it: a method a procedure, arguments and results as in the .x file. */
export interface NamesClient<_Stream = unknown> {
  /** PROGRAM = 0, priority low. */
  program2(options?: CallOptions): Promise<void>;
  /** T = 1, priority low. */
  t(args: t.Point2, options?: CallOptions): Promise<number>;
  /** NOTHING = 2, priority low. */
  nothing(options?: CallOptions): Promise<number>;
  /** Types = 3, priority low. */
  types2(args: [number, t.Odd], options?: CallOptions): Promise<number>;
  /** class = 4, priority low. */
  class_2(args: number, options?: CallOptions): Promise<number>;
  /** CONSTRUCTOR = 5, priority low. */
  constructor_(args: number, options?: CallOptions): Promise<number>;
  /** get_info = 6, priority low. */
  getInfo(args: t.Context, options?: CallOptions): Promise<number>;
  /** GET_INFO = 7, priority low. */
  getInfo2(args: number, options?: CallOptions): Promise<number>;
  /** w = 8, priority low. */
  w(args: number, options?: CallOptions): Promise<number>;
}
export const NamesClient: new <Stream = unknown>(caller: Caller<Stream>) => NamesClient<Stream> =
  /* @__PURE__ */ clientOf(namesDescription);
