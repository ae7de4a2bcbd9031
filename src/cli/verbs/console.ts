import type { ReadStream } from "node:tty";
import { type Command, InvalidArgumentError } from "commander";
import type { CallStream } from "../../api/index.ts";
import { VirDomainConsoleFlags as Flag, VirDomainState } from "../../generated/libvirt/index.ts";
import { print, printable, VerbError } from "../output.ts";
import { attempting, connectionUri, flagsOf, guestVerb, lookupGuest, operand, withConnection } from "../verb.ts";

const flags = { force: Flag.VIR_DOMAIN_CONSOLE_FORCE, safe: Flag.VIR_DOMAIN_CONSOLE_SAFE };

interface Options extends Readonly<Record<string, unknown>> {
  readonly devname?: string;
  readonly escape: string;
}

export function consoleVerb(): Command {
  return guestVerb("console", "connect to the guest console")
    .argument("[devname]", "character device name")
    .option("--devname <string>", "character device name")
    .option("--force", "force console connection (disconnect already connected sessions)")
    .option("--safe", "only connect if safe console handling is supported")
    .option("-e, --escape <char>", "the character that ends it", escapeOption, "^]")
    .action(run);
}

async function run(
  domainGiven: string | undefined,
  devnameGiven: string | undefined,
  options: Options,
  command: Command,
): Promise<void> {
  // `--domain web serial0`: the one operand is the device.
  const shifted = options.domain !== undefined && devnameGiven === undefined;
  const name = operand(command, "domain", shifted ? undefined : domainGiven);
  const device = options.devname ?? (shifted ? domainGiven : devnameGiven) ?? null;
  await withConnection(connectionUri(command), async (conn) => {
    const domain = await lookupGuest(conn, name);
    const { state } = await attempting("Unable to get domain status", () => domain.getState());
    if (state === VirDomainState.VIR_DOMAIN_SHUTOFF) throw new VerbError("The domain is not running");
    const { stdin } = process;
    if (!stdin.isTTY) throw new VerbError("Cannot run interactive console without a controlling TTY");
    const { escape: key } = options;
    print(`Connected to domain '${printable(domain.getName())}'\n`);
    print(`Escape character is ${key}${key.startsWith("^") ? ` (Ctrl + ${key.charAt(1)})` : ""}\n`);
    await using stream = await domain.openConsole(device, flagsOf(options, flags));
    stdin.setRawMode(true);
    try {
      await talk(stream, stdin, byteOf(key));
      await stream.finish();
    } finally {
      stdin.setRawMode(false);
      stdin.destroy(); // it would keep the process alive
    }
  });
  print("\n");
}

/** Carries both directions until the escape character is typed or the guest's side ends. */
async function talk(stream: CallStream, stdin: ReadStream, quit: number): Promise<void> {
  const typed = type(stream, stdin, quit);
  typed.catch(() => {}); // where the other one ends first
  const shown = show(stream);
  shown.catch(() => {});
  const signals = ["SIGTERM", "SIGHUP"] as const;
  let onSignal = () => {};
  const told = new Promise<void>((resolve) => {
    onSignal = resolve;
  });
  for (const signal of signals) process.once(signal, onSignal);
  try {
    await Promise.race([typed, shown, told]);
  } finally {
    for (const signal of signals) process.removeListener(signal, onSignal);
  }
}

async function type(stream: CallStream, stdin: ReadStream, quit: number): Promise<void> {
  for await (const chunk of stdin as AsyncIterable<Buffer>) {
    const end = chunk.indexOf(quit);
    await stream.write(end < 0 ? chunk : chunk.subarray(0, end));
    if (end >= 0) return;
  }
  throw new VerbError("EOF on stdin");
}

async function show(stream: CallStream): Promise<void> {
  for await (const lease of stream) {
    await new Promise<void>((resolve) => process.stdout.write(lease.bytes, () => resolve()));
    lease.release();
  }
}

/** `^]` or one character. */
function escapeOption(text: string): string {
  if (!/^(\^[@A-Za-z[\\\]^_]|[\x20-\x7e])$/.test(text)) {
    throw new InvalidArgumentError("One character is needed, or ^ and one.");
  }
  return text;
}

function byteOf(key: string): number {
  return key.length === 2 ? key.toUpperCase().charCodeAt(1) & 0x1f : key.charCodeAt(0);
}
