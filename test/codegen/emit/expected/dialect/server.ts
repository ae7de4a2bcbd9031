// Generated from dialect.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { describeProgram, type Handler } from "../../../../../src/xdr/index.js";
import * as p from "./procedures.js";
import type * as t from "./types.js";

/** Handlers of the PET program; what is left out is answered as not supported. */
export interface PetHandlers<Context> {
  /**
   * ANIMAL_FEED = 1, priority high, since 1.2.3.
   * Rights: animal:write, animal:hold:PET_HOLD.
   */
  readonly animalFeed?: Handler<t.AnimalFeedArgs, t.AnimalFeedRet, Context>;
  /**
   * ANIMAL_WATCH = 2, priority low.
   * Rights: animal:read.
   * Opens a stream (read).
   */
  readonly animalWatch?: Handler<t.AnimalWatchArgs, void, Context>;
  /**
   * CLOSE = 4, priority low.
   * Carries file descriptors (out).
   */
  readonly close?: Handler<void, void, Context>;
}

/** The PET program for a dispatcher: its procedures and its events. */
export const petDescription = /* @__PURE__ */ describeProgram(
  p.program,
  () => ({
    animalFeed: p.animalFeed,
    animalWatch: p.animalWatch,
    close: p.close,
  }),
  () => ({
    eventHungry: p.eventHungry,
  }),
);
