// Generated from dialect.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import {
  decodeVoid,
  encodeVoid,
  type EventProcedure,
  eventsOf,
  type Procedure,
  proceduresOf,
  type ProgramId,
  type StreamProcedure,
} from "../../../../../src/xdr/index.js";
import * as t from "./types.js";

export const program: ProgramId = { name: "PET", number: 0x20008099, version: 1 };

const procedure = /* @__PURE__ */ proceduresOf(program);

const event = /* @__PURE__ */ eventsOf(program);

/**
 * ANIMAL_FEED = 1, priority high, since 1.2.3.
 * Rights: animal:write, animal:hold:PET_HOLD.
 */
export const animalFeed: Procedure<t.AnimalFeedArgs, t.AnimalFeedRet> = /* @__PURE__ */ procedure(
  "ANIMAL_FEED", 1, "high", ["animal:write", "animal:hold:PET_HOLD"],
  t.encodeAnimalFeedArgs, t.decodeAnimalFeedArgs,
  t.encodeAnimalFeedRet, t.decodeAnimalFeedRet,
  "1.2.3",
);

/**
 * ANIMAL_WATCH = 2, priority low.
 * Rights: animal:read.
 * Opens a stream (read).
 */
export const animalWatch: StreamProcedure<t.AnimalWatchArgs, void> = /* @__PURE__ */ procedure(
  "ANIMAL_WATCH", 2, "low", ["animal:read"],
  t.encodeAnimalWatchArgs, t.decodeAnimalWatchArgs,
  encodeVoid, decodeVoid,
  undefined, { stream: "read", sparseFlag: "PET_SPARSE" },
);

/**
 * EVENT_HUNGRY = 3, event.
 * Receivers filtered by: animal:getattr.
 */
export const eventHungry: EventProcedure<t.EventHungryMsg> = /* @__PURE__ */ event(
  "EVENT_HUNGRY", 3, ["animal:getattr"],
  t.encodeEventHungryMsg, t.decodeEventHungryMsg,
);

/**
 * CLOSE = 4, priority low.
 * Carries file descriptors (out).
 */
export const close: Procedure<void, void> = /* @__PURE__ */ procedure(
  "CLOSE", 4, "low", ["none"],
  encodeVoid, decodeVoid,
  encodeVoid, decodeVoid,
  undefined, { fds: "out" },
);
