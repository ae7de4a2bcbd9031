/** Asking polkit, through programs that stand in for pkcheck; the real one is asked in the interop tests. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { polkitAccess } from "../../src/server/index.ts";
import { checkPolkit, type PolkitQuestion } from "../../src/server/polkit.ts";
import { rememberSocket, unixCredentials } from "../../src/server/unix-credentials.ts";
import { pair } from "../../src/transport/index.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "vw-polkit-"));
});
afterAll(async () => await rm(dir, { recursive: true, force: true }));

async function standIn(name: string, script: string): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}

const client = { unixProcessId: 4242, unixProcessTime: 987_654n, unixUserId: 1001 };
const question: PolkitQuestion = { action: "org.libvirt.unix.manage", client, interactive: true };

test("the process is named by number, start and user, and the answer is the exit code", async () => {
  const args = join(dir, "args");
  const command = await standIn("yes", `printf '%s\\n' "$@" > ${args}`);
  const details = [["domain_name", "a b; rm -rf /"]] as const;
  await checkPolkit({ ...question, details }, { command });
  expect((await readFile(args, "utf8")).split("\n")).toEqual([
    ...["--process", "4242,987654,1001", "--action-id", "org.libvirt.unix.manage"],
    ...["--detail", "domain_name", "a b; rm -rf /", "--allow-user-interaction", ""],
  ]);
  await checkPolkit({ ...question, interactive: false }, { command });
  expect(await readFile(args, "utf8")).not.toContain("interaction");
});

test.each([
  [1, 45, "authentication failed: access denied by policy"],
  [2, 94, "authentication unavailable: no polkit agent available to authenticate action 'org.libvirt.unix.manage'"],
  [3, 79, "authentication cancelled: user cancelled authentication process"],
  [127, 45, "authentication failed: polkit could not be asked"],
])("exit code %i is VirtError %i", async (exit, code, message) => {
  const command = await standIn(`exit-${exit}`, `exit ${exit}`);
  await expect(checkPolkit(question, { command })).rejects.toMatchObject({ code, domain: 60, message });
});

test("a program that is not there, or dies, is a no", async () => {
  const dying = await standIn("dying", "kill -9 $$");
  for (const command of [join(dir, "none"), dying]) {
    await expect(checkPolkit(question, { command })).rejects.toMatchObject({ code: 45, domain: 60 });
  }
});

test.each(["unixProcessId", "unixProcessTime", "unixUserId"])(
  "without %s nobody is asked, and it is a no",
  async (key) => {
    const asked = join(dir, `asked-${key}`);
    const command = await standIn(`note-${key}`, `touch ${asked}`);
    const partial = Object.fromEntries(Object.entries(client).filter(([name]) => name !== key));
    await expect(checkPolkit({ ...question, client: partial }, { command })).rejects.toMatchObject({ code: 45 });
    await expect(readFile(asked)).rejects.toMatchObject({ code: "ENOENT" });
  },
);

describe("a program that does not answer is ended", () => {
  const isGone = async (pid: number) => {
    for (;;) {
      try {
        process.kill(pid, 0);
      } catch {
        return true;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  };

  test("when nobody waits any more", async () => {
    const file = join(dir, "pid-abort");
    const command = await standIn("slow-abort", `echo $$ > ${file}; exec sleep 600`);
    const gone = new AbortController();
    const asked = checkPolkit({ ...question, signal: gone.signal }, { command });
    let pid = 0;
    while (!pid) pid = Number(await readFile(file, "utf8").catch(() => "0"));
    gone.abort(new Error("the client has gone"));
    await expect(asked).rejects.toMatchObject({ name: "AbortError" });
    expect(await isGone(pid)).toBe(true);
  });

  test("when its time is over", async () => {
    const command = await standIn("slow-timeout", "exec sleep 600");
    await expect(checkPolkit(question, { command, timeout: 50 })).rejects.toMatchObject({ name: "TimeoutError" });
  });

  test("and is not begun for nobody", async () => {
    const signal = AbortSignal.abort();
    await expect(checkPolkit({ ...question, signal }, { command: "/none" })).rejects.toMatchObject({
      name: "AbortError",
    });
  });
});

test.each([
  ["domain:read_secure", { name: "web", uuid: "u" }, ["read-secure", "domain_name", "web", "domain_uuid", "u"]],
  [
    "storage_vol:data_read",
    { name: "v", pool: "p", key: "k" },
    ["storage-vol.data-read", "pool_name", "p", "vol_name", "v", "vol_key", "k"],
  ],
  [
    "network_port:read",
    { uuid: "u", network: "n", networkUuid: "w" },
    ["network-port.read", "network_name", "n", "network_uuid", "w", "port_uuid", "u"],
  ],
  [
    "secret:read",
    { uuid: "u", usageType: 2, usageId: "c" },
    ["secret.read", "secret_uuid", "u", "secret_usage_ceph", "c"],
  ],
  ["connect:getattr", {}, ["connect.getattr", "connect_driver", "QEMU"]],
])("as an access policy: %s with libvirt's action and details", async (right, target, words) => {
  const args = join(dir, "access-args");
  const command = await standIn("access", `printf '%s\\n' "$@" > ${args}`);
  const [object = "", permission = ""] = right.split(":");
  const request = { object, permission, target, client, driver: "QEMU", signal: new AbortController().signal };
  expect(await polkitAccess({ command }).allows(request)).toBe(true);
  const given = await readFile(args, "utf8");
  expect(given).toContain(`--action-id\norg.libvirt.api.${right.replace(":", ".").replaceAll("_", "-")}\n`);
  for (const word of words) expect(given).toContain(word);
  expect(given).not.toContain("interaction");
});

test("an access policy starts so many programs at once, and no more, however much is asked", async () => {
  const notes = join(dir, "turn-notes");
  const gate = join(dir, "gate");
  const wait = `while [ ! -e ${gate} ]; do sleep 0.01; done`;
  const command = await standIn("turns", `echo + >> ${notes}; ${wait}; echo - >> ${notes}`);
  const noted = async () => (await readFile(notes, "utf8").catch(() => "")).trim().split("\n");
  const policy = polkitAccess({ command });
  const ask = (signal: AbortSignal) =>
    policy.allows({ object: "domain", permission: "read", target: {}, client, driver: "QEMU", signal });
  const { signal } = new AbortController();
  const asked = Promise.all(Array.from({ length: 40 }, () => ask(signal)));
  await expect.poll(async () => (await noted()).length).toBeGreaterThanOrEqual(8);
  await writeFile(gate, "");
  expect(await asked).toEqual(Array(40).fill(true));
  let running = 0;
  let most = 0;
  for (const note of await noted()) {
    running += note === "+" ? 1 : -1;
    most = Math.max(most, running);
  }
  expect(running).toBe(0);
  expect(most).toBeLessThanOrEqual(8);
  // Those who wait leave with their client, and leave the turns to others.
  const leaving = new AbortController();
  const left = Array.from({ length: 20 }, () => expect(ask(leaving.signal)).rejects.toThrow());
  leaving.abort();
  await Promise.all(left);
  expect(await ask(signal)).toBe(true);
});

test("an access policy refuses clients that are no processes", async () => {
  const command = await standIn("access-yes", "exit 0");
  const request = {
    object: "domain",
    permission: "read",
    target: {},
    driver: "QEMU",
    signal: new AbortController().signal,
  };
  await expect(polkitAccess({ command }).allows({ ...request, client: { saslUserName: "root" } })).rejects.toThrow();
});

test("the kernel says who is at the other end of a unix socket, and the connection goes on", async () => {
  const path = join(dir, "who.sock");
  const [transport] = pair();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const accepted = new Promise<Awaited<ReturnType<typeof unixCredentials>>>((resolve, reject) => {
    server.on("connection", (socket) => {
      socket.on("data", (chunk) => socket.write(chunk));
      rememberSocket(transport, socket);
      unixCredentials(transport).then(resolve, reject);
    });
  });
  const client = connect(path);
  const found = await accepted;
  await expect(unixCredentials(transport, AbortSignal.abort())).rejects.toThrow("cannot be found out");
  expect(found).toMatchObject({
    unixProcessId: process.pid,
    unixUserId: process.getuid?.(),
    unixGroupId: process.getgid?.(),
  });
  const stat = await readFile("/proc/self/stat", "utf8");
  expect(String(found.unixProcessTime)).toBe(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
  client.write("still here");
  const [echo] = await new Promise<Buffer[]>((resolve) => client.once("data", (chunk) => resolve([chunk])));
  expect(String(echo)).toBe("still here");
  client.destroy();
  await new Promise((resolve) => server.close(resolve));
});

test("where no unix socket leads to the client, or it is closed, nobody is found", async () => {
  const [transport] = pair();
  await expect(unixCredentials(transport)).rejects.toThrow("no unix socket");
  const { Socket } = await import("node:net");
  rememberSocket(transport, new Socket());
  await expect(unixCredentials(transport)).rejects.toThrow("cannot be found out");
});
