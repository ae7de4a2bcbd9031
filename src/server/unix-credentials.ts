import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import type { Transport } from "../transport/index.ts";
import type { ClientIdentity } from "./session.ts";

/** What the kernel says about the process at the other end of a unix socket. */
export interface UnixCredentials extends ClientIdentity {
  unixUserId: number;
  unixGroupId: number;
  unixProcessId: number;
  /** Absent where the process is gone: then nothing that depends on it may be allowed. */
  unixProcessTime?: bigint;
}

/** The descriptor that the helper gets. Those below 3 would be made blocking, and with them our own end. */
const FD = 3;
/** Asked to answer within this many milliseconds. It takes five. */
const TIMEOUT = 10_000;
/** Bytes of names. A user may be in some thousand groups. */
const MAX_OUTPUT = 1 << 20;

/**
 * Programs that ask the kernel for SO_PEERCRED of the socket that they are given, which Node cannot. Each prints pid, uid,
 * gid, the user's name, the group's name, and the names of further groups, with a NUL after each.
 */
const helpers: readonly (readonly [string, readonly string[]])[] = [
  [
    "perl",
    [
      "-MSocket",
      "-e",
      `open(my $s, "+<&=", ${FD}) or die; my ($p, $u, $g) = unpack("iI2", getsockopt($s, SOL_SOCKET, SO_PEERCRED));
       my $n = getpwuid($u); my @m; if (defined $n) { while (my ($a, $x, $i, $l) = getgrent) {
       push @m, $a if $i != $g && grep { $_ eq $n } split / /, $l } }
       my $h = getgrgid($g); print join("\\0", $p, $u, $g, $n // "", $h // "", @m), "\\0"`,
    ],
  ],
  [
    "python3",
    [
      "-I", // reads no modules of the directory that the daemon was started in
      "-c",
      `import grp, pwd, socket, struct
s = socket.socket(fileno=${FD})
p, u, g = struct.unpack("iII", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
def name(get, number):
    try: return get(number)[0]
    except KeyError: return ""
n = name(pwd.getpwuid, u)
m = [x.gr_name for x in grp.getgrall() if n and x.gr_gid != g and n in x.gr_mem]
print("\\0".join([str(p), str(u), str(g), n, name(grp.getgrgid, g), *m]), end="\\0")`,
    ],
  ],
];

/** The sockets of transports that a unix listener accepted. */
const sockets = new WeakMap<Transport, Socket>();

/** For listeners: whose socket the transport is, so that {@link unixCredentials} can ask about it. */
export function rememberSocket(transport: Transport, socket: Socket): void {
  sockets.set(transport, socket);
}

/**
 * Who is at the other end of an accepted unix socket, as the kernel noted when it connected. Rejects where that cannot be
 * found out: it is no unix socket or is closed, or this machine has neither Perl nor Python. Who decides by it must then
 * refuse.
 * @source virNetSocketGetUNIXIdentity, libvirt src/rpc/virnetsocket.c
 */
export async function unixCredentials(transport: Transport, signal?: AbortSignal): Promise<UnixCredentials> {
  const socket = sockets.get(transport);
  if (socket === undefined) throw new Error("no unix socket leads to the client");
  return askKernel(socket, signal);
}

async function askKernel(socket: Socket, signal: AbortSignal | undefined): Promise<UnixCredentials> {
  let failure: unknown;
  for (const [command, args] of helpers) {
    try {
      return await withTime(parse(await run(command, args, socket, signal)));
    } catch (error) {
      failure = error;
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") break;
    }
  }
  throw new Error("the process at the other end of the unix socket cannot be found out", { cause: failure });
}

function run(
  command: string,
  args: readonly string[],
  socket: Socket,
  signal: AbortSignal | undefined,
): Promise<string> {
  // Handed over as a number: a socket handed over as an object is no longer read by us.
  const { fd = -1 } = (socket as unknown as { readonly _handle?: { readonly fd?: number } })._handle ?? {};
  if (fd < 0) return Promise.reject(new Error("the socket is closed"));
  return new Promise((resolve, reject) => {
    const env = { PATH, LC_ALL: "C" };
    const limits = { timeout: TIMEOUT, killSignal: "SIGKILL", ...(signal && { signal }) } as const;
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "ignore", fd], cwd: "/", env, ...limits });
    const output: Buffer[] = [];
    let size = 0;
    child.stdout?.on("data", (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size > MAX_OUTPUT) child.kill("SIGKILL");
      else output.push(chunk);
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(Buffer.concat(output).toString());
      else reject(new Error(`${command} ended with ${code}`));
    });
  });
}

const PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin";

function parse(text: string): UnixCredentials {
  const [pid, uid, gid, userName, groupName, ...groups] = text.split("\0").slice(0, -1);
  const [unixProcessId, unixUserId, unixGroupId] = [pid, uid, gid].map((word) =>
    /^\d{1,10}$/.test(word ?? "") ? Number(word) : -1,
  ) as [number, number, number];
  // Process 0: one that cannot be seen from here, such as one outside our container.
  if (unixProcessId <= 0 || unixUserId < 0 || unixGroupId < 0) throw new Error("the kernel names no process");
  return {
    unixProcessId,
    unixUserId,
    unixGroupId,
    ...(userName && { unixUserName: userName }),
    ...(groupName && { unixGroupName: groupName }),
    unixGroups: [groupName, ...groups].filter((group): group is string => group !== undefined && group !== ""),
  };
}

/** With the time when the process began, so that nobody who gets its number later is taken for it. */
async function withTime(found: UnixCredentials): Promise<UnixCredentials> {
  const unixProcessTime = await startTime(found.unixProcessId).catch(() => undefined);
  return unixProcessTime === undefined ? found : { ...found, unixProcessTime };
}

/** @source virProcessGetStartTime, libvirt src/util/virprocess.c; proc(5): field 22, after a name that may hold anything */
async function startTime(pid: number): Promise<bigint> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return BigInt(fields[19] ?? "");
}
