import { TransportError, type TransportErrorCode } from "./errors.ts";
import type { SshOptions } from "./options.ts";
import { commonEnvironment, dialProgram } from "./process.ts";
import { remoteCommand } from "./ssh-command.ts";
import type { DialOptions, PeerIdentity, Transport } from "./transport.ts";

/** What libvirt leaves to ssh besides the usual: agent, askpass, Kerberos, display. */
const environment = [
  "XDG_RUNTIME_DIR",
  "KRB5CCNAME",
  "SSH_AUTH_SOCK",
  "SSH_ASKPASS",
  "SSH_ASKPASS_REQUIRE",
  "OPENSSL_CONF",
  "DISPLAY",
  "XAUTHORITY",
];

/**
 * Starts the system's ssh, so that the user's configuration, agent and jump hosts count.
 * @source virNetSocketNewConnectSSH, libvirt src/rpc/virnetsocket.c
 */
export async function dialSsh(options: SshOptions, dial: DialOptions = {}): Promise<Transport> {
  const { command = "ssh", noTty = false } = options;
  checkDestination(options);
  const args = sshArguments(options);
  const peer: PeerIdentity = {
    transport: "ssh",
    address: sshAddress("ssh", options),
    secure: true,
    local: false,
    security: { encrypted: true, ssf: 0 },
    command: [command, ...args],
  };
  // gpg-agent asks on the terminal.
  const env = commonEnvironment(noTty ? environment : [...environment, "GPG_TTY", "TERM"]);
  return dialProgram({ file: command, args, env, peer, blame }, dial);
}

/**
 * A configuration of the user's may hand both names to a shell, as `%h` and `%r` of a ProxyCommand. ssh refuses what
 * would be more than a name there only since its release 9.6.
 * @throws {TransportError} `option`
 * @source valid_hostname and valid_ruser, OpenSSH ssh.c
 */
export function checkDestination({ host, user = "" }: Pick<SshOptions, "host" | "user">): void {
  if (/^-|[\s\p{Cc}'`"$\\;&<>|(){}]/u.test(host)) throw notAName("host", host);
  if (/^-|[\p{Cc}'`";&<>|(){}]|\s-|\\$/u.test(user)) throw notAName("user", user);
}

function notAName(what: string, name: string): TransportError {
  return new TransportError("option", `${JSON.stringify(name)} cannot be the name of a ${what} for ssh`);
}

export function sshArguments(options: SshOptions): string[] {
  const { host, port, user, keyfile, noTty, noVerify, remote } = options;
  return [
    ...(port === undefined ? [] : ["-p", String(port)]),
    ...(user === undefined ? [] : ["-l", user]),
    ...(keyfile === undefined ? [] : ["-i", keyfile]),
    ...["-T", "-e", "none"],
    ...(noTty ? ["-o", "BatchMode=yes"] : []),
    ...(noVerify ? ["-o", "StrictHostKeyChecking=no"] : []),
    ...["--", host, remoteCommand(remote)],
  ];
}

/** `ssh://user@host:port`, with what was given. */
export function sshAddress(scheme: string, { host, port, user }: Pick<SshOptions, "host" | "port" | "user">): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return `${scheme}://${user === undefined ? "" : `${user}@`}${name}${port === undefined ? "" : `:${port}`}`;
}

/**
 * Which kind of failure ssh means. It has one status, 255, for all of its own; the words, which have no translations,
 * decide no more than the error's code.
 */
function blame(status: number | null, said: string): TransportErrorCode {
  if (status === 127) return "command"; // the far shell's "not found"
  if (status !== 255) return "io";
  if (/host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|host key is known/i.test(said))
    return "host-key";
  if (/permission denied|too many authentication failures|no supported authentication/i.test(said)) return "auth";
  if (
    /connect to (host|address)|could not resolve|connection (refused|timed out|reset|closed)|exchange_identification/i.test(
      said,
    )
  ) {
    return "connect";
  }
  return "io";
}
