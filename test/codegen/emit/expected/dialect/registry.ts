// Generated from dialect.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { xdrTypes } from "../../../../../src/xdr/index.js";
import * as t from "./types.js";

/** Every type by its name in the .x file, with whole payloads in and out. */
export const types = /* @__PURE__ */ xdrTypes(() => ({
  pet_nonnull_string: [t.encodeNonnullString, t.decodeNonnullString],
  pet_string: [t.encodePetString, t.decodePetString],
  pet_error: [t.encodePetError, t.decodePetError],
  pet_animal_feed_args: [t.encodeAnimalFeedArgs, t.decodeAnimalFeedArgs],
  pet_animal_feed_ret: [t.encodeAnimalFeedRet, t.decodeAnimalFeedRet],
  pet_animal_watch_args: [t.encodeAnimalWatchArgs, t.decodeAnimalWatchArgs],
  pet_event_hungry_msg: [t.encodeEventHungryMsg, t.decodeEventHungryMsg],
  pet_procedure: [t.encodePetProcedure, t.decodePetProcedure],
}));
