import type { FileHandle } from "node:fs/promises";

/** Part of a file, by byte positions. */
export interface DataRange {
  readonly start: number;
  readonly end: number;
  /** False where nobody could tell holes from data: then there may be holes in it. */
  readonly sure: boolean;
}

/** What `stat` counts blocks in, whatever the file system's own are. */
const STAT_BLOCK = 512;

/**
 * `lseek` with SEEK_DATA and SEEK_HOLE, which Node does not have and perl, part of every system, does. The file comes as
 * descriptor 3; opened again, so that the position of the caller's stays.
 */
const script = `
my ($at, $end, $data, $hole) = @ARGV;
my $file;
open($file, "<", "/dev/fd/3") or open($file, "<&=", 3) or exit 2;
while ($at < $end) {
  my $from = sysseek($file, $at, $data);
  if (!defined $from) { last if $!{ENXIO}; exit 3 }
  last if $from >= $end;
  $at = sysseek($file, $from, $hole);
  exit 3 if !defined $at or $at <= $from;
  $at = $end if $at > $end;
  print $from + 0, " ", $at + 0, "\\n";
}
print "end\\n";
`;

/** SEEK_DATA and SEEK_HOLE. */
const whence = process.platform === "darwin" ? ["4", "3"] : ["3", "4"];

/** Where a regular file has data, in order. What lies between is holes. */
export async function* dataRanges(
  file: FileHandle,
  start: number,
  end: number,
  { signal, perl = "perl" }: { readonly signal?: AbortSignal | undefined; readonly perl?: string } = {},
): AsyncGenerator<DataRange, void, undefined> {
  const { size, blocks } = await file.stat();
  if (blocks * STAT_BLOCK >= size) {
    if (start < end) yield { start, end, sure: true };
    return;
  }
  let at = start;
  for await (const line of linesOf(perl, file.fd, [String(start), String(end), ...whence], signal)) {
    if (line === "end") return;
    const [from, to] = line.split(" ").map(Number) as [number, number];
    if (!(from >= at && to > from && to <= end)) break;
    yield { start: from, end: to, sure: true };
    at = to;
  }
  signal?.throwIfAborted();
  if (at < end) yield { start: at, end, sure: false }; // no perl, or one that cannot
}

/** What the script prints. It ends with the loop over it. */
async function* linesOf(
  perl: string,
  fd: number,
  args: readonly string[],
  signal: AbortSignal | undefined,
): AsyncGenerator<string, void, undefined> {
  const [{ spawn }, { createInterface }] = await Promise.all([import("node:child_process"), import("node:readline")]);
  const env = { PATH: process.env.PATH, LC_ALL: "C" }; // no PERL5OPT
  const child = spawn(perl, ["-e", script, ...args], { stdio: ["ignore", "pipe", "ignore", fd], env });
  const ended = new Promise((resolve) => child.once("error", resolve).once("close", resolve)); // error: no such program
  const end = () => child.kill("SIGKILL");
  signal?.addEventListener("abort", end, { once: true });
  try {
    const { stdout } = child;
    if (stdout !== null) yield* createInterface({ input: stdout });
  } finally {
    signal?.removeEventListener("abort", end);
    end();
    await ended;
  }
}
