// Generated from dialect.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import type { Caller, CallOptions, StreamReply } from "../../../../../src/xdr/index.js";
import * as procedures from "./procedures.js";
import type * as t from "./types.js";

/** The PET program as a client calls it: a method a procedure, arguments and results as in the .x file. */
export class PetClient<Stream = unknown> {
  readonly #caller: Caller<Stream>;

  constructor(caller: Caller<Stream>) {
    this.#caller = caller;
  }

  /**
   * ANIMAL_FEED = 1, priority high, since 1.2.3.
   * Rights: animal:write, animal:hold:PET_HOLD.
   */
  animalFeed(args: t.AnimalFeedArgs, options?: CallOptions): Promise<t.AnimalFeedRet> {
    return this.#caller.call(procedures.animalFeed, args, options);
  }

  /**
   * ANIMAL_WATCH = 2, priority low.
   * Rights: animal:read.
   * Opens a stream (read).
   */
  animalWatch(args: t.AnimalWatchArgs, options?: CallOptions): Promise<StreamReply<void, Stream>> {
    return this.#caller.open(procedures.animalWatch, args, options);
  }

  /**
   * CLOSE = 4, priority low.
   * Carries file descriptors (out).
   */
  close(options?: CallOptions): Promise<void> {
    return this.#caller.call(procedures.close, undefined, options);
  }
}
