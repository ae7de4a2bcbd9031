import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { Command } from "commander";
import { removeUser, setUser } from "../../server/index.ts";
import { printMessage, VerbError } from "../output.ts";

interface Options {
  readonly file: string;
  readonly delete?: boolean;
}

export function passwd(): Command {
  return new Command("passwd")
    .description("say who may log in at a daemon: its sasl_users_file")
    .argument("<user>", "the user's name")
    .requiredOption("-f, --file <file>", "the file; it holds no passwords, only keys to check them")
    .option("-d, --delete", "take the user out")
    .action(async (user: string, options: Options) => {
      if (options.delete) {
        if (!(await removeUser(options.file, user))) throw new VerbError(`no user '${user}' in ${options.file}`);
        printMessage(`User '${user}' deleted`);
        return;
      }
      const password = await readPassword(user);
      if (password === "") throw new VerbError("an empty password lets nobody in");
      await setUser(options.file, user, password);
      printMessage(`Password of '${user}' set`);
    });
}

/** From the terminal, where it is asked for twice and not shown; else the first line of standard input. */
async function readPassword(user: string): Promise<string> {
  const { stdin, stderr } = process;
  const terminal = stdin.isTTY === true;
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: silent, terminal });
  try {
    if (!terminal) {
      for await (const line of lines) return line;
      return "";
    }
    const ask = async (question: string): Promise<string> => {
      stderr.write(question);
      const answer = await lines.question("");
      stderr.write("\n");
      return answer;
    };
    const password = await ask(`Password of ${user}: `);
    if ((await ask("Again: ")) !== password) throw new VerbError("the two are not the same");
    return password;
  } finally {
    lines.close();
  }
}
