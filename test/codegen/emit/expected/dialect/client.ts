// Generated from dialect.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { type Caller, type CallOptions, clientOf, type StreamReply } from "../../../../../src/xdr/index.js";
import { petDescription } from "./server.js";
import type * as t from "./types.js";

/** The PET program as a client calls it: a method a procedure, arguments and results as in the .x file. */
export interface PetClient<Stream = unknown> {
  /**
   * ANIMAL_FEED = 1, priority high, since 1.2.3.
   * Rights: animal:write, animal:hold:PET_HOLD.
   */
  animalFeed(args: t.AnimalFeedArgs, options?: CallOptions): Promise<t.AnimalFeedRet>;
  /**
   * ANIMAL_WATCH = 2, priority low.
   * Rights: animal:read.
   * Opens a stream (read).
   */
  animalWatch(args: t.AnimalWatchArgs, options?: CallOptions): Promise<StreamReply<void, Stream>>;
  /**
   * CLOSE = 4, priority low.
   * Carries file descriptors (out).
   */
  close(options?: CallOptions): Promise<void>;
}
export const PetClient: new <Stream = unknown>(caller: Caller<Stream>) => PetClient<Stream> =
  /* @__PURE__ */ clientOf(petDescription);
