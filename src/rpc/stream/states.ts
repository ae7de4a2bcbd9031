/**
 * What happens to a stream:
 * - `sent`, `unsent`: its opening call went out; was not sent after all, and waits for another connection
 * - `reply`, `refused`: the opening call was answered, with OK or with an error
 * - `data`, `hole`: STREAM/CONTINUE with bytes, STREAM_HOLE
 * - `end`: STREAM/CONTINUE without bytes
 * - `ok`, `error`: STREAM/OK, STREAM/ERROR; REPLY/ERROR with a stream's serial counts as the latter, because libvirtd
 *   answers a bad hole so
 * - `violation`: a packet that breaks the rules
 * - `finish`, `abort`, `eof`: the application ends the stream, breaks it off, ends its data
 * - `done`, `threw`: what serves the stream has ended, well or badly
 * - `lost`: the connection is over
 */
export type StreamEvent =
  | "sent"
  | "unsent"
  | "reply"
  | "refused"
  | "data"
  | "hole"
  | "end"
  | "ok"
  | "error"
  | "violation"
  | "finish"
  | "abort"
  | "eof"
  | "done"
  | "threw"
  | "lost";

/**
 * The client's half:
 * - `unsent`: its opening call waits.
 * - `opening`, `openingEnded`: the call is sent, and data may come already; may be at its end.
 * - `cancelled`: likewise, and nobody wants the stream any more.
 * - `open`; `ended`: open, and the server has no more data.
 * - `finishing`, `aborting`: told so, and waits for the confirmation.
 * - `closed`, `failed`: over. Late packets change nothing.
 */
export type ClientState =
  | "unsent"
  | "opening"
  | "openingEnded"
  | "cancelled"
  | "open"
  | "ended"
  | "finishing"
  | "aborting"
  | "closed"
  | "failed";

/**
 * The server's half:
 * - `offered`: the call that opens it is not answered yet. What comes for it is dropped, as libvirtd does.
 * - `open`; `ended`: the handler runs, and may have said that it sends no more.
 * - `finishing`: the client wants the end, and the handler still runs.
 * - `waiting`: the handler is done, and the client has not asked for the end.
 * - `closed`
 */
export type ServerState = "offered" | "open" | "ended" | "finishing" | "waiting" | "closed";

/** What is to be done about it: methods of the halves. */
export type ClientAction =
  | "deliver" // hand the data on
  | "endOfData" // the reader's end
  | "sendFinish"
  | "sendAbort"
  | "breakOff" // sendAbort, and everything that waits fails
  | "fail" // everything that waits fails
  | "confirm"; // what waits for the end gets it

export type ServerAction =
  | "deliver"
  | "start" // let it be served
  | "stopData" // the client finishes: the reader's end, and nothing more is sent
  | "endData" // the client finishes: the reader's end
  | "sendEof"
  | "leave" // the handler is done: the end of its data, if that was not said
  | "rest" // the handler is done, and has said so before
  | "confirm"
  | "drop" // forget it
  | "giveUp" // the client has gone off: confirm, and the handler is told
  | "refuse" // an error for the client, and the handler is told
  | "sendError"
  | "lose"; // the handler is told

export type Move<State, Action> = readonly [to: State, action?: Action];
export type Moves<State extends string, Action> = {
  readonly [From in State]: { readonly [Event in StreamEvent]?: Move<State, Action> };
};

/** What is not listed changes nothing: a packet is dropped, a wish of the application comes too late. */
export const clientMoves: Moves<ClientState, ClientAction> = {
  unsent: { sent: ["opening"], abort: ["closed", "fail"], refused: ["closed"], lost: ["failed", "fail"] },
  opening: {
    unsent: ["unsent"],
    reply: ["open"],
    refused: ["closed", "confirm"],
    data: ["opening", "deliver"],
    hole: ["opening", "deliver"],
    end: ["openingEnded", "endOfData"],
    ok: ["failed", "fail"],
    error: ["failed", "fail"],
    violation: ["cancelled", "fail"],
    abort: ["cancelled", "fail"],
    lost: ["failed", "fail"],
  },
  openingEnded: {
    unsent: ["unsent"],
    reply: ["ended"],
    refused: ["closed", "confirm"],
    ok: ["failed", "fail"],
    error: ["failed", "fail"],
    violation: ["cancelled", "fail"],
    abort: ["cancelled", "fail"],
    lost: ["failed", "fail"],
  },
  // An abort before the reply reaches nobody at libvirtd: it goes out when the stream is there.
  cancelled: {
    unsent: ["failed", "confirm"],
    reply: ["aborting", "sendAbort"],
    refused: ["closed", "confirm"],
    error: ["failed", "confirm"],
    lost: ["failed", "confirm"],
  },
  open: {
    data: ["open", "deliver"],
    hole: ["open", "deliver"],
    end: ["ended", "endOfData"],
    ok: ["failed", "fail"],
    error: ["failed", "fail"],
    violation: ["aborting", "breakOff"],
    finish: ["finishing", "sendFinish"],
    abort: ["aborting", "breakOff"],
    lost: ["failed", "fail"],
  },
  ended: {
    ok: ["failed", "fail"],
    error: ["failed", "fail"],
    violation: ["aborting", "breakOff"],
    finish: ["finishing", "sendFinish"],
    abort: ["aborting", "breakOff"],
    lost: ["failed", "fail"],
  },
  // Neither a second finish nor an abort behind it would be answered.
  finishing: {
    ok: ["closed", "confirm"],
    error: ["failed", "fail"],
    violation: ["failed", "fail"],
    abort: ["failed", "fail"],
    lost: ["failed", "fail"],
  },
  aborting: { ok: ["closed", "confirm"], error: ["closed", "confirm"], lost: ["failed", "confirm"] },
  closed: {},
  failed: {},
};

export const serverMoves: Moves<ServerState, ServerAction> = {
  offered: { reply: ["open", "start"], refused: ["closed", "drop"], lost: ["closed", "drop"] },
  open: {
    data: ["open", "deliver"],
    hole: ["open", "deliver"],
    ok: ["finishing", "stopData"],
    error: ["closed", "giveUp"],
    violation: ["closed", "refuse"],
    eof: ["ended", "sendEof"],
    done: ["waiting", "leave"],
    threw: ["closed", "sendError"],
    lost: ["closed", "lose"],
  },
  ended: {
    data: ["ended", "deliver"],
    hole: ["ended", "deliver"],
    ok: ["finishing", "endData"],
    error: ["closed", "giveUp"],
    violation: ["closed", "refuse"],
    done: ["waiting", "rest"],
    threw: ["closed", "sendError"],
    lost: ["closed", "lose"],
  },
  finishing: {
    error: ["closed", "giveUp"],
    violation: ["closed", "refuse"],
    done: ["closed", "confirm"],
    threw: ["closed", "sendError"],
    lost: ["closed", "lose"],
  },
  waiting: {
    ok: ["closed", "confirm"],
    error: ["closed", "confirm"],
    violation: ["closed", "refuse"],
    lost: ["closed", "lose"],
  },
  closed: {},
};
