import type { Command } from "commander";
import { reasonWord, stateWord } from "../domain-words.ts";
import { printJson, printMessage } from "../output.ts";
import { connectionUri, guestVerb, lookupGuest, operand, withConnection } from "../verb.ts";

export function domstate(): Command {
  return guestVerb("domstate", "domain state")
    .option("--reason", "also print reason for the state")
    .option("--json", "one JSON value instead of a line")
    .action(async (given: string | undefined, options: { reason?: boolean; json?: boolean }, command: Command) => {
      const name = operand(command, "domain", given);
      const { state, reason } = await withConnection(connectionUri(command), async (conn) =>
        (await lookupGuest(conn, name)).getState(),
      );
      const words = { state: stateWord(state), reason: reasonWord(state, reason) };
      if (options.json) printJson(words);
      else printMessage(options.reason ? `${words.state} (${words.reason})` : words.state);
    });
}
