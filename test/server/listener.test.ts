import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer as createNetServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { remoteDescription } from "../../src/generated/remote/index.ts";
import { createServer, type ServerOptions, serve } from "../../src/server/index.ts";
import { sockets } from "../../src/transport/index.ts";
import { RawEnd } from "../rpc/raw-end.ts";
import { frame } from "../rpc/wire.ts";

const dir = mkdtempSync(join(tmpdir(), "virtwire-listener-"));
afterAll(() => rmSync(dir, { recursive: true }));

const programs = [serve(remoteDescription, { authList: () => ({ types: [0] }) })];
const make = (listen: string[], options: Partial<ServerOptions> = {}) => createServer({ listen, programs, ...options });

async function answers(path: string): Promise<void> {
  const { dialUnix } = await sockets();
  const raw = new RawEnd(await dialUnix(path));
  raw.write(frame({ proc: 66 }));
  expect(await raw.expect()).toMatchObject({ proc: 66, type: 1, status: 0 });
  await raw.close();
}

describe("unix sockets", () => {
  test("listen/unix: mode 0600, removed on close", async () => {
    const path = join(dir, "plain");
    const server = make([`unix:${path}`]);
    await server.listen();
    expect(server.addresses).toEqual([`unix:${path}`]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await answers(path);
    await server.close();
    expect(existsSync(path)).toBe(false);
  });

  test("listen/unix-mode: as asked for", async () => {
    const path = join(dir, "mode");
    const before = process.umask();
    const server = make([`unix:${path}`], { mode: 0o666 });
    await server.listen();
    expect(statSync(path).mode & 0o777).toBe(0o666);
    expect(process.umask()).toBe(before);
    await server.close();
  });

  test("listen/unix-stale: the socket of a daemon that died is replaced", async () => {
    const path = join(dir, "stale");
    const script = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
    expect(() => execFileSync(process.execPath, ["-e", script], { stdio: "ignore" })).toThrow();
    expect(existsSync(path)).toBe(true);
    const server = make([`unix:${path}`]);
    await server.listen();
    await answers(path);
    await server.close();
  });

  test("listen/unix-live: the socket of a living daemon is left alone", async () => {
    const path = join(dir, "live");
    const first = make([`unix:${path}`]);
    await first.listen();
    const second = make(["tcp://127.0.0.1:0", `unix:${path}`]);
    await expect(second.listen()).rejects.toMatchObject({
      name: "TransportError",
      code: "connect",
      cause: { code: "EADDRINUSE" },
    });
    expect(second.addresses).toEqual([]);
    await answers(path);
    await first.close();
  });

  test("listen/unix-other-file: a file that is no socket is left alone", async () => {
    const path = join(dir, "file");
    writeFileSync(path, "precious");
    await expect(make([`unix:${path}`]).listen()).rejects.toMatchObject({ cause: { code: "EADDRINUSE" } });
    expect(statSync(path).size).toBe(8);
  });
});

describe("addresses", () => {
  test.each(["127.0.0.1", "localhost", "127.1.2.3"])("listen/tcp-loopback: %s, with the port chosen", async (host) => {
    const server = make([`tcp://${host}:0`]);
    await server.listen();
    expect(server.addresses[0]).toMatch(new RegExp(`^tcp://${host}:[1-9]\\d*$`));
    await server.close();
  });

  test("listen/tcp-in-use", async () => {
    const other = createNetServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    await expect(make([`tcp://127.0.0.1:${port}`]).listen()).rejects.toMatchObject({ cause: { code: "EADDRINUSE" } });
    await new Promise((resolve) => other.close(resolve));
  });

  test.each([
    "tcp://0.0.0.0:0",
    "tcp://[::]:0",
    "tcp://192.0.2.1:16509",
    "tcp://example.org:1",
    "tcp://127.0.0.1.evil.org:1",
  ])("listen/tcp-needs-insecure: %s", (address) => {
    expect(() => make([address])).toThrow(/insecure: true/);
    expect(() => make([address], { insecure: true })).not.toThrow();
  });

  test.each([
    "unix:relative",
    "unix:",
    "tcp://127.0.0.1",
    "tcp://127.0.0.1:65536",
    "tcp://:1",
    "tls://127.0.0.1:0",
    "http://127.0.0.1:0",
    "",
  ])("listen/bad-address: %s", (address) => {
    expect(() => make([address])).toThrow(TypeError);
  });

  test("listen/twice", async () => {
    const server = make([]);
    await server.listen();
    await expect(server.listen()).rejects.toThrow(TypeError);
    await server.close();
  });
});
