import { describe, expect, test } from "vitest";
import { clientMoves, type StreamEvent, serverMoves } from "../../src/rpc/stream/states.ts";

const events = [
  "sent", "unsent", "reply", "refused", "data", "hole", "end", "ok",
  "error", "violation", "finish", "abort", "eof", "done", "threw", "lost",
] as const satisfies readonly StreamEvent[]; // biome-ignore format: one row of the tables below

/**
 * What is expected, written a second time: a row per state, each event's new state and action, `.` where nothing
 * happens.
 */
const client = `
unsent        sent=opening unsent=. reply=. refused=closed data=. hole=. end=. ok=. error=. violation=. finish=. abort=closed/fail eof=. done=. threw=. lost=failed/fail
opening       sent=. unsent=unsent reply=open refused=closed/confirm data=opening/deliver hole=opening/deliver end=openingEnded/endOfData ok=failed/fail error=failed/fail violation=cancelled/fail finish=. abort=cancelled/fail eof=. done=. threw=. lost=failed/fail
openingEnded  sent=. unsent=unsent reply=ended refused=closed/confirm data=. hole=. end=. ok=failed/fail error=failed/fail violation=cancelled/fail finish=. abort=cancelled/fail eof=. done=. threw=. lost=failed/fail
cancelled     sent=. unsent=failed/confirm reply=aborting/sendAbort refused=closed/confirm data=. hole=. end=. ok=. error=failed/confirm violation=. finish=. abort=. eof=. done=. threw=. lost=failed/confirm
open          sent=. unsent=. reply=. refused=. data=open/deliver hole=open/deliver end=ended/endOfData ok=failed/fail error=failed/fail violation=aborting/breakOff finish=finishing/sendFinish abort=aborting/breakOff eof=. done=. threw=. lost=failed/fail
ended         sent=. unsent=. reply=. refused=. data=. hole=. end=. ok=failed/fail error=failed/fail violation=aborting/breakOff finish=finishing/sendFinish abort=aborting/breakOff eof=. done=. threw=. lost=failed/fail
finishing     sent=. unsent=. reply=. refused=. data=. hole=. end=. ok=closed/confirm error=failed/fail violation=failed/fail finish=. abort=failed/fail eof=. done=. threw=. lost=failed/fail
aborting      sent=. unsent=. reply=. refused=. data=. hole=. end=. ok=closed/confirm error=closed/confirm violation=. finish=. abort=. eof=. done=. threw=. lost=failed/confirm
closed        sent=. unsent=. reply=. refused=. data=. hole=. end=. ok=. error=. violation=. finish=. abort=. eof=. done=. threw=. lost=.
failed        sent=. unsent=. reply=. refused=. data=. hole=. end=. ok=. error=. violation=. finish=. abort=. eof=. done=. threw=. lost=.`;

const server = `
offered       sent=. unsent=. reply=open/start refused=closed/drop data=. hole=. end=. ok=. error=. violation=. finish=. abort=. eof=. done=. threw=. lost=closed/drop
open          sent=. unsent=. reply=. refused=. data=open/deliver hole=open/deliver end=. ok=finishing/stopData error=closed/giveUp violation=closed/refuse finish=. abort=. eof=ended/sendEof done=waiting/leave threw=closed/sendError lost=closed/lose
ended         sent=. unsent=. reply=. refused=. data=ended/deliver hole=ended/deliver end=. ok=finishing/endData error=closed/giveUp violation=closed/refuse finish=. abort=. eof=. done=waiting/rest threw=closed/sendError lost=closed/lose
finishing     sent=. unsent=. reply=. refused=. data=. hole=. end=. ok=. error=closed/giveUp violation=closed/refuse finish=. abort=. eof=. done=closed/confirm threw=closed/sendError lost=closed/lose
waiting       sent=. unsent=. reply=. refused=. data=. hole=. end=. ok=closed/confirm error=closed/confirm violation=closed/refuse finish=. abort=. eof=. done=. threw=. lost=closed/lose
closed        sent=. unsent=. reply=. refused=. data=. hole=. end=. ok=. error=. violation=. finish=. abort=. eof=. done=. threw=. lost=.`;

function cells(table: string): [state: string, event: StreamEvent, wanted: string][] {
  return table
    .trim()
    .split("\n")
    .flatMap((row) => {
      const [state = "", ...cells] = row.trim().split(/\s+/);
      return cells.map((cell): [string, StreamEvent, string] => {
        const [event, wanted = ""] = cell.split("=");
        return [state, event as StreamEvent, wanted];
      });
    });
}

describe.each([
  ["client", client, clientMoves],
  ["server", server, serverMoves],
] as const)("%s: every state and event", (_side, table, moves) => {
  test("all of them are listed", () => {
    const listed = cells(table).map(([state, event]) => `${state} ${event}`);
    const all = Object.keys(moves).flatMap((state) => events.map((event) => `${state} ${event}`));
    expect(listed.toSorted()).toEqual(all.toSorted());
  });

  test.each(cells(table))("%s, %s", (state, event, wanted) => {
    const rows: Readonly<Record<string, { readonly [Event in StreamEvent]?: readonly (string | undefined)[] }>> = moves;
    expect(rows[state]?.[event]?.join("/") ?? ".").toBe(wanted);
  });
});
