export {
  type Codec,
  decodeBool,
  decodeDouble,
  decodeFloat,
  decodeHyper,
  decodeInt,
  decodeShort,
  decodeUchar,
  decodeUhyper,
  decodeUint,
  decodeUshort,
  encodeBool,
  encodeDouble,
  encodeFloat,
  encodeHyper,
  encodeInt,
  encodeShort,
  encodeUchar,
  encodeUhyper,
  encodeUint,
  encodeUshort,
  type OpenEnum,
  plain,
  type XdrType,
  xdrType,
} from "./codec.ts";
export { inField, XdrError, type XdrErrorCode } from "./errors.ts";
export {
  type Caller,
  type CallOptions,
  decodeVoid,
  type EventProcedure,
  encodeVoid,
  eventsOf,
  type Handler,
  type HandlersOf,
  type Procedure,
  type ProgramDescription,
  type ProgramId,
  proceduresOf,
  type StreamDirection,
  type StreamProcedure,
  type StreamReply,
} from "./procedure.ts";
export { describeProgram } from "./program.ts";
export { type ReaderOptions, XdrReader } from "./reader.ts";
export { Records, type RecordsLayout, recordsOf, type WithRecords } from "./records.ts";
export { type XdrTypes, xdrTypes } from "./registry.ts";
export { XdrWriter } from "./writer.ts";
