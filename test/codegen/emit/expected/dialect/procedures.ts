// Generated from dialect.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import {
  type EventProcedure,
  nothing,
  type Procedure,
  type ProgramId,
  type StreamProcedure,
} from "../../../../../src/xdr/index.js";
import * as t from "./types.js";

export const program: ProgramId = { name: "PET", number: 0x20008099, version: 1 };

/**
 * ANIMAL_FEED = 1, priority high, since 1.2.3.
 * Rights: animal:write, animal:hold:PET_HOLD.
 */
export const animalFeed: Procedure<t.AnimalFeedArgs, t.AnimalFeedRet> = {
  program,
  name: "ANIMAL_FEED",
  number: 1,
  priority: "high",
  acl: ["animal:write", "animal:hold:PET_HOLD"],
  aclFilter: [],
  since: "1.2.3",
  args: { encode: t.encodeAnimalFeedArgs, decode: t.decodeAnimalFeedArgs },
  ret: { encode: t.encodeAnimalFeedRet, decode: t.decodeAnimalFeedRet },
};

/**
 * ANIMAL_WATCH = 2, priority low.
 * Rights: animal:read.
 * Opens a stream (read).
 */
export const animalWatch: StreamProcedure<t.AnimalWatchArgs, void> = {
  program,
  name: "ANIMAL_WATCH",
  number: 2,
  priority: "low",
  acl: ["animal:read"],
  aclFilter: [],
  stream: "read",
  sparseFlag: "PET_SPARSE",
  args: { encode: t.encodeAnimalWatchArgs, decode: t.decodeAnimalWatchArgs },
  ret: nothing,
};

/**
 * EVENT_HUNGRY = 3, event.
 * Receivers filtered by: animal:getattr.
 */
export const eventHungry: EventProcedure<t.EventHungryMsg> = {
  program,
  name: "EVENT_HUNGRY",
  number: 3,
  aclFilter: ["animal:getattr"],
  msg: { encode: t.encodeEventHungryMsg, decode: t.decodeEventHungryMsg },
};

/**
 * CLOSE = 4, priority low.
 * Carries file descriptors (out).
 */
export const close: Procedure<void, void> = {
  program,
  name: "CLOSE",
  number: 4,
  priority: "low",
  acl: ["none"],
  aclFilter: [],
  fds: "out",
  args: nothing,
  ret: nothing,
};
