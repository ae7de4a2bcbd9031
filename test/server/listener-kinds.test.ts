/** Listeners with something of their own: groups, TLS, websockets, sockets from systemd. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer as createNetServer, connect as netConnect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as tlsConnect } from "node:tls";
import { promisify } from "node:util";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { remoteDescription } from "../../src/generated/remote/index.ts";
import {
  type CallContext,
  createServer,
  type ListenerOptions,
  notifySystemd,
  type Server,
  type ServerOptions,
  serve,
  systemdSockets,
} from "../../src/server/index.ts";
import {
  dialTls,
  dialWebSocket,
  sockets,
  type TlsServerOptions,
  type Transport,
  type WebSocketOptions,
} from "../../src/transport/index.ts";
import { RawEnd } from "../rpc/raw-end.ts";
import { frame } from "../rpc/wire.ts";
import { type Issued, TestAuthority } from "../transport/certificates.ts";
import { ChildDaemon } from "./child-daemon.ts";

const hasNotify = await promisify(execFile)("systemd-notify", ["--version"]).then(
  () => true,
  () => false,
);
if (!hasNotify) console.log("systemd/notify-real is skipped: systemd-notify is not installed");
const dir = mkdtempSync(join(tmpdir(), "virtwire-listeners-"));
afterAll(() => rmSync(dir, { recursive: true }));
const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

let seen: CallContext | undefined;
const programs = [
  serve(remoteDescription, {
    authList: (_args, context) => {
      seen = context;
      return { types: [0] };
    },
  }),
];

/** A server, and what it refused. */
async function listening(
  listener: ListenerOptions,
  options: Partial<ServerOptions> = {},
): Promise<{ server: Server; address: string; port: number; refused: Error[] }> {
  const refused: Error[] = [];
  const onRefused = (error: Error) => refused.push(error);
  const server = createServer({ listen: [listener], programs, onRefused, ...options });
  servers.push(server);
  await server.listen();
  const [address = ""] = server.addresses;
  return { server, address, port: Number(/:(\d+)/.exec(address)?.[1]), refused };
}

async function answers(transport: Transport): Promise<void> {
  const raw = new RawEnd(transport);
  raw.write(frame({ proc: 66 }));
  expect(await raw.expect()).toMatchObject({ proc: 66, type: 1, status: 0 });
  await raw.close();
}

describe("unix sockets", () => {
  test("listen/unix-group: by number, and then the group may connect unless the mode says something else", async () => {
    const [gid = 0] = process.getgroups?.() ?? [];
    const path = join(dir, "group");
    await listening({ address: `unix:${path}`, group: gid });
    expect(statSync(path)).toMatchObject({ gid });
    expect(statSync(path).mode & 0o777).toBe(0o660);
    const other = join(dir, "group-mode");
    await listening({ address: `unix:${other}`, group: gid, mode: 0o640 });
    expect(statSync(other).mode & 0o777).toBe(0o640);
  });

  test("listen/unix-group-name: as /etc/group has it; one that does not exist is refused", async () => {
    const gid = process.getgid?.() as number;
    const line = readFileSync("/etc/group", "utf8")
      .split("\n")
      .find((one) => one.split(":")[2] === String(gid));
    const name = line?.split(":")[0] as string;
    const path = join(dir, "group-name");
    await listening({ address: `unix:${path}`, group: name });
    expect(statSync(path).gid).toBe(gid);
    await expect(listening({ address: `unix:${join(dir, "none")}`, group: "no-such-group" })).rejects.toMatchObject({
      code: "connect",
      message: expect.stringContaining("no-such-group"),
    });
    expect(existsSync(join(dir, "none"))).toBe(false);
  });

  test("listen/unix-abstract: found by who fills the name with zeros, as libvirt does", async () => {
    const path = `@virtwire-test-${process.pid}`;
    const { address } = await listening({ address: `unix:${path}` });
    expect(address).toBe(`unix:${path}`);
    await answers(await (await sockets()).dialUnix(path));
  });

  test("listen/unix-too-long: an error, not another name", async () => {
    await expect(listening({ address: `unix:/tmp/${"x".repeat(110)}` })).rejects.toMatchObject({ code: "connect" });
  });

  test("listen/several: each with settings of its own", async () => {
    const [rw, ro] = [join(dir, "rw"), join(dir, "ro")];
    const server = createServer({
      listen: [`unix:${rw}`, { address: `unix:${ro}`, mode: 0o666, readOnly: true }, "tcp://127.0.0.1:0"],
      programs,
    });
    servers.push(server);
    await server.listen();
    expect(server.addresses).toEqual([`unix:${rw}`, `unix:${ro}`, expect.stringMatching(/^tcp:\/\/127\.0\.0\.1:\d+$/)]);
    expect([rw, ro].map((path) => statSync(path).mode & 0o777)).toEqual([0o600, 0o666]);
    const { dialUnix } = await sockets();
    await answers(await dialUnix(rw));
    expect(seen?.session.readOnly).toBe(false);
    await answers(await dialUnix(ro));
    expect(seen?.session.readOnly).toBe(true);
    expect(seen?.session.listener).toMatchObject({ address: `unix:${ro}`, readOnly: true });
  });
});

describe("tls", () => {
  const authority = new TestAuthority();
  const own = authority.issue({ name: "server", altNames: ["IP:127.0.0.1"], purposes: ["server"] });
  const client = authority.issue({ name: "client", altNames: ["DNS:laptop.example"], purposes: ["client"] });
  const tls = (more: Partial<TlsServerOptions> = {}): TlsServerOptions => ({
    cert: own.cert,
    key: own.key,
    ca: authority.cert,
    ...more,
  });
  const serving = (more?: Partial<TlsServerOptions>) => listening({ address: "tls://127.0.0.1:0", tls: tls(more) });
  const dial = (port: number, mine: Issued | undefined = client, priority?: string) =>
    dialTls({
      host: "127.0.0.1",
      port,
      ca: authority.cert,
      ...(mine && { cert: mine.cert, key: mine.key }),
      ...(priority !== undefined && { priority }),
    });

  test.each(["NORMAL:-VERS-ALL:+VERS-TLS1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.3"])(
    "tls/accepted: %s, the client's name is known",
    async (priority) => {
      const { port, address } = await serving();
      expect(address).toBe(`tls://127.0.0.1:${port}`);
      await answers(await dial(port, client, priority));
      const { identity, client: proved } = seen?.session ?? {};
      expect(identity).toMatchObject({ transport: "tls", secure: true, local: true, tls: { verified: true } });
      expect(identity?.security.encrypted).toBe(true);
      expect(identity?.tls?.protocol).toBe(`TLSv${priority.slice(-3)}`);
      expect(proved?.tlsDistinguishedName).toBe("CN=client");
    },
  );

  test("tls/confirmation: one byte 0x01 before anything else; calls sent before it are answered behind it", async () => {
    const { port } = await serving();
    const socket = tlsConnect({ host: "127.0.0.1", port, ca: authority.cert, cert: client.cert, key: client.key });
    socket.write(frame({ proc: 66 }));
    let bytes = Buffer.alloc(0);
    while (bytes.length < 37) bytes = Buffer.concat([bytes, ((await once(socket, "data")) as [Buffer])[0]]);
    expect(bytes[0]).toBe(1);
    expect(bytes.readUInt32BE(1)).toBe(36);
    socket.destroy();
  });

  test.each([
    ["no certificate", undefined, {}],
    ["one of another CA", new TestAuthority().issue({ name: "client" }), {}],
    ["one that is a server's", authority.issue({ name: "client", purposes: ["server"], critical: true }), {}],
    ["one that has expired", authority.issue({ name: "client", from: -10, to: -1 }), {}],
    ["one that names nobody", authority.issue({ name: "", altNames: ["DNS:laptop.example"] }), {}],
    ["one that names nobody, of another CA", new TestAuthority({ name: "" }).issue({ name: "" }), {}],
    ["a revoked one", client, { crl: authority.revoke([client.serial]) }],
    ["a name that is not among the allowed", client, { allowedNames: ["CN=admin", "O=*"] }],
    ["a name where nobody is allowed", client, { allowedNames: [] }],
    ["an alternative name that is not allowed", client, { allowedAltNames: ["*.example.org"] }],
  ])("tls/refused: %s gets no byte, and is no session", async (_, mine, more) => {
    const { server, port, refused } = await serving(more);
    // Not the default parameter: `undefined` means none here.
    const bytes = await new Promise<Buffer>((resolve) => {
      const raw = tlsConnect({
        host: "127.0.0.1",
        port,
        ca: authority.cert,
        ...(mine && { cert: mine.cert, key: mine.key }),
      });
      const parts: Buffer[] = [];
      raw.on("data", (part: Buffer) => parts.push(part));
      raw.on("error", () => {});
      raw.on("close", () => resolve(Buffer.concat(parts)));
    });
    expect(bytes).toHaveLength(0);
    expect(server.sessions).toEqual([]);
    await expect.poll(() => refused.length).toBe(1);
  });

  test.each([
    [{ allowedNames: ["CN=cl?ent"] }],
    [{ allowedNames: ["O=x", "CN=*"] }],
    [{ allowedAltNames: ["*.example"] }],
  ])("tls/allowed: %j", async (more) => {
    const { port } = await serving(more);
    await answers(await dial(port));
  });

  test("tls/unverified: where no client has to be verified, one without a certificate is let in, and proves nothing", async () => {
    const { port } = await serving({ verify: false });
    const raw = new RawEnd(await dialTls({ host: "127.0.0.1", port, ca: authority.cert }));
    raw.write(frame({ proc: 66 }));
    expect(await raw.expect()).toMatchObject({ proc: 66, status: 0 });
    expect(seen?.session.client.tlsDistinguishedName).toBeUndefined();
    await raw.close();
    const { cert, key } = new TestAuthority().issue({ name: "client" });
    await answers(await dialTls({ host: "127.0.0.1", port, ca: authority.cert, cert, key, sanity: false }));
    expect(seen?.session.client.tlsDistinguishedName).toBeUndefined();
  });

  test("tls/garbage: a handshake that is none harms nobody", async () => {
    const { port, refused } = await serving();
    const raw = netConnect(port, "127.0.0.1").resume();
    raw.on("error", () => {});
    raw.write(Buffer.alloc(4096, 0x5a));
    await once(raw, "close");
    expect(refused).toHaveLength(1);
    await answers(await dial(port));
  });

  test("tls/silent: a handshake that does not begin ends in its time, and with the server", async () => {
    const { port, refused, server } = await serving({ handshakeTimeout: 20 });
    const raw = netConnect(port, "127.0.0.1").resume();
    raw.on("error", () => {});
    await once(raw, "close");
    expect(refused).toHaveLength(1);
    const patient = await serving();
    const waiting = netConnect(patient.port, "127.0.0.1").resume();
    waiting.on("error", () => {});
    await once(waiting, "connect");
    const ended = once(waiting, "close");
    await patient.server.close();
    await ended;
    expect(server.sessions).toEqual([]);
  });

  test("tls/reload: new certificates without a restart; those that cannot be used change nothing", async () => {
    const files = { cert: join(dir, "cert.pem"), key: join(dir, "key.pem"), ca: join(dir, "ca.pem") };
    const write = (issued: Issued) => {
      writeFileSync(files.cert, issued.cert);
      writeFileSync(files.key, issued.key);
    };
    write(own);
    writeFileSync(files.ca, authority.cert);
    const { server, port } = await listening({ address: "tls://127.0.0.1:0", tls: files });
    const old = new RawEnd(await dial(port));
    const shown = async () => {
      const socket = tlsConnect({ host: "127.0.0.1", port, ca: authority.cert, cert: client.cert, key: client.key });
      await once(socket, "secureConnect");
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      return Number.parseInt(serialNumber, 16);
    };
    expect(await shown()).toBe(own.serial);
    const next = authority.issue({ name: "server", altNames: ["IP:127.0.0.1"], purposes: ["server"] });
    write(next);
    await server.reloadCertificates();
    expect(await shown()).toBe(next.serial);
    old.write(frame({ proc: 66 }));
    expect(await old.expect()).toMatchObject({ proc: 66, status: 0 });
    writeFileSync(files.cert, "no certificate");
    await expect(server.reloadCertificates()).rejects.toMatchObject({ code: "own-certificate" });
    expect(await shown()).toBe(next.serial);
    await old.close();
  });

  test.each(["TLSv1.2", "TLSv1.3"] as const)(
    "tls/reload-revoked: a %s session from before a client's certificate was revoked does not get it in",
    async (version) => {
      const crl = join(dir, `${version}.pem`);
      writeFileSync(crl, authority.revoke([]));
      const { server, port, refused } = await serving({ crl });
      let session: Buffer | undefined;
      const taken = () =>
        new Promise<boolean>((resolve) => {
          const socket = tlsConnect({
            host: "127.0.0.1",
            port,
            ca: authority.cert,
            cert: client.cert,
            key: client.key,
            minVersion: version,
            maxVersion: version,
            session,
          });
          socket.on("session", (given: Buffer) => {
            session = given;
          });
          socket.on("error", () => {});
          socket.once("data", () => resolve(true)).once("close", () => resolve(false));
          socket.on("data", () => socket.destroy());
        });
      expect(await taken()).toBe(true);
      await expect.poll(() => session).toBeDefined();
      writeFileSync(crl, authority.revoke([client.serial]));
      await server.reloadCertificates();
      expect(await taken()).toBe(false);
      expect(refused).toMatchObject([{ code: "certificate-revoked" }]);
    },
  );

  test.each([
    ["no CA where clients are verified", { ca: undefined } as never],
    ["a file that is not there", { cert: "/no/such/file" }],
    ["a certificate that is a client's", { cert: client.cert, key: client.key }],
    ["a key of another certificate", { key: client.key }],
  ])("tls/own: %s is refused before anyone connects", async (_, more) => {
    const own = authority.issue({ name: "client", purposes: ["client"], critical: true });
    const mine = "cert" in (more as object) && "key" in (more as object) ? { cert: own.cert, key: own.key } : more;
    await expect(serving(mine)).rejects.toMatchObject({ name: "TransportError", code: "own-certificate" });
  });

  test("tls/needs-certificate: said before anything listens", () => {
    expect(() => createServer({ listen: ["tls://127.0.0.1:0"], programs })).toThrow(/certificate/);
    expect(() => createServer({ listen: ["wss://127.0.0.1:0"], programs })).toThrow(/certificate/);
  });

  test("wss/accepted: TLS first, then the websocket", async () => {
    const { address } = await listening({ address: "wss://127.0.0.1:0/libvirt", tls: tls() });
    const options: WebSocketOptions = { url: address, ca: authority.cert, cert: client.cert, key: client.key };
    await answers(await dialWebSocket(options));
    expect(seen?.session.identity).toMatchObject({ transport: "wss", secure: true, tls: { verified: true } });
    expect(seen?.session.client.tlsDistinguishedName).toBe("CN=client");
    await expect(dialWebSocket({ url: address, ca: authority.cert })).rejects.toMatchObject({ code: "connect" });
  });
});

describe("websockets", () => {
  test("ws/accepted: at its path alone", async () => {
    const { address, refused, server } = await listening({ address: "ws://127.0.0.1:0/libvirt" });
    expect(address).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/libvirt$/);
    await answers(await dialWebSocket({ url: address }));
    expect(seen?.session.identity).toMatchObject({ transport: "ws", secure: false, local: true });
    await expect(dialWebSocket({ url: address.replace("libvirt", "other") })).rejects.toMatchObject({
      code: "connect",
    });
    expect(refused).toHaveLength(1);
    expect(server.sessions.length).toBeLessThanOrEqual(1);
  });

  test("ws/origin: pages only where they are allowed", async () => {
    const status = async (url: string, origin: string) => {
      const socket = new WebSocket(url, { origin });
      const answer = await new Promise((resolve) => {
        socket.on("open", () => resolve(101));
        socket.on("unexpected-response", (_, { statusCode }) => resolve(statusCode));
        socket.on("error", () => {});
      });
      socket.terminate();
      return answer;
    };
    const none = await listening({ address: "ws://127.0.0.1:0" });
    expect(await status(none.address, "https://evil.example")).toBe(403);
    const some = await listening({ address: "ws://127.0.0.1:0", origins: ["https://console.example"] });
    expect(await status(some.address, "https://console.example")).toBe(101);
    expect(await status(some.address, "https://evil.example")).toBe(403);
    const all = await listening({ address: "ws://127.0.0.1:0", origins: ["*"] });
    expect(await status(all.address, "https://evil.example")).toBe(101);
  });

  test("ws/no-websocket: a plain request is answered 426, garbage is closed, silence ends with the server", async () => {
    const { address, port, server } = await listening({ address: "ws://127.0.0.1:0" });
    expect((await fetch(address.replace("ws:", "http:"))).status).toBe(426);
    const raw = netConnect(port, "127.0.0.1").resume();
    raw.on("error", () => {});
    raw.end(Buffer.alloc(1000, 1));
    await once(raw, "close");
    const silent = netConnect(port, "127.0.0.1").resume();
    silent.on("error", () => {});
    await once(silent, "connect");
    const ended = once(silent, "close");
    await answers(await dialWebSocket({ url: address }));
    await server.close();
    await ended;
  });

  test("ws/needs-insecure: beyond loopback", () => {
    expect(() => createServer({ listen: ["ws://0.0.0.0:0"], programs })).toThrow(/insecure: true/);
  });
});

describe("systemd", () => {
  test.each([
    [{}, []],
    [{ LISTEN_PID: "7", LISTEN_FDS: "2" }, [3, 4].map((fd) => ({ fd, name: "unknown" }))],
    [{ LISTEN_PID: "8", LISTEN_FDS: "2" }, []],
    [
      { LISTEN_PID: "7", LISTEN_FDS: "2", LISTEN_FDNAMES: "libvirtd.socket:libvirtd-ro.socket" },
      [
        { fd: 3, name: "libvirtd.socket" },
        { fd: 4, name: "libvirtd-ro.socket" },
      ],
    ],
  ])("systemd/sockets: %j", (env, expected) => {
    expect(systemdSockets(env, 7)).toEqual(expected);
  });

  test.each([
    { LISTEN_PID: "7", LISTEN_FDS: "two" },
    { LISTEN_PID: "7", LISTEN_FDS: "-1" },
    { LISTEN_PID: "7", LISTEN_FDS: "2", LISTEN_FDNAMES: "one" },
  ])("systemd/sockets-contradict: %j", (env) => {
    expect(() => systemdSockets(env, 7)).toThrow(TypeError);
  });

  test("systemd/listen: sockets that were handed over are served, by their names", async () => {
    const unix = createNetServer().listen(join(dir, "handed"));
    const tcp = createNetServer().listen(0, "127.0.0.1");
    await Promise.all([once(unix, "listening"), once(tcp, "listening")]);
    const fd = (server: object) => (server as { _handle: { fd: number } })._handle.fd;
    const { port } = tcp.address() as { port: number };
    // Descriptors 3 and 4 of a process of its own, as systemd hands them over.
    using daemon = await ChildDaemon.start({
      listen: ["systemd:one.socket", { address: "systemd:two.socket", readOnly: true }],
      systemd: ["one.socket", "two.socket"],
      fds: [fd(unix), fd(tcp)],
    });
    unix.close(); // of this process; Node takes away the file, which the test does not need
    tcp.close();
    expect(daemon.addresses).toEqual(["systemd:one.socket", "systemd:two.socket"]);
    await answers(await (await sockets()).dialTcp("127.0.0.1", port));
    expect(await daemon.figures()).toMatchObject({ accepted: 1 });
  });

  test("systemd/listen-several: all sockets of one name are served", async () => {
    const handed = [createNetServer().listen(0, "127.0.0.1"), createNetServer().listen(0, "127.0.0.1")];
    await Promise.all(handed.map((server) => once(server, "listening")));
    using _daemon = await ChildDaemon.start({
      listen: ["systemd:one.socket"],
      systemd: ["one.socket", "one.socket"],
      fds: handed.map((server) => (server as unknown as { _handle: { fd: number } })._handle.fd),
    });
    for (const server of handed) {
      const { port } = server.address() as { port: number };
      server.close();
      await answers(await (await sockets()).dialTcp("127.0.0.1", port));
    }
  });

  test("systemd/listen-beyond-loopback: plain TCP wants what it wants elsewhere", async () => {
    // Written so, it stands for any address that is not plainly a loopback one.
    const tcp = createNetServer().listen(0, "::ffff:127.0.0.1");
    await once(tcp, "listening");
    const { fd } = (tcp as unknown as { _handle: { fd: number } })._handle;
    const start = (insecure: boolean) =>
      ChildDaemon.start({ listen: [{ address: "systemd:one.socket", insecure }], systemd: ["one.socket"], fds: [fd] });
    await expect(start(false)).rejects.toThrow("does not start");
    using daemon = await start(true);
    expect(daemon.addresses).toEqual(["systemd:one.socket"]);
    tcp.close();
  });

  test("systemd/listen-unknown: one that was not handed over is an error", async () => {
    await expect(listening({ address: "systemd:no-such.socket" })).rejects.toMatchObject({ code: "connect" });
  });

  test("systemd/notify: nobody asked, another kind of address, and what is missing is said", async () => {
    expect(await notifySystemd("ready", {})).toBe(false);
    await expect(notifySystemd("ready", { NOTIFY_SOCKET: "relative" })).rejects.toThrow(TypeError);
    const missing = notifySystemd("ready", { NOTIFY_SOCKET: "/run/notify", PATH: join(dir, "empty") });
    await expect(missing).rejects.toThrow(/systemd-notify.*is not installed/);
  });

  test("systemd/notify-when: ready when it listens, stopping when it closes", async () => {
    const bin = mkdtempSync(join(dir, "bin-"));
    const log = join(bin, "log");
    writeFileSync(join(bin, "systemd-notify"), `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> ${log}\n`);
    chmodSync(join(bin, "systemd-notify"), 0o755);
    const before = { PATH: process.env.PATH, NOTIFY_SOCKET: process.env.NOTIFY_SOCKET };
    process.env.PATH = `${bin}:${before.PATH}`;
    process.env.NOTIFY_SOCKET = "@notify";
    try {
      const { server } = await listening({ address: `unix:${join(dir, "notified")}` }, { notify: true });
      expect(readFileSync(log, "utf8")).toBe("@notify READY=1\n");
      await server.close();
      expect(readFileSync(log, "utf8")).toBe("@notify READY=1\n@notify STOPPING=1\n");
    } finally {
      process.env.PATH = before.PATH;
      if (before.NOTIFY_SOCKET === undefined) delete process.env.NOTIFY_SOCKET;
      else process.env.NOTIFY_SOCKET = before.NOTIFY_SOCKET;
    }
  });

  test.skipIf(!hasNotify && process.env.CI === undefined)(
    "systemd/notify-real: systemd's own program brings the notice to a socket",
    async () => {
      const path = join(dir, "notify");
      const receiver = spawn(
        "python3",
        [
          "-c",
          `import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound", flush=True)
while True:
    data, fds, _, _ = socket.recv_fds(s, 4096, 4)
    for fd in fds: os.close(fd)
    print(data.decode(), flush=True)`,
          path,
        ],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      try {
        let said = "";
        receiver.stdout.setEncoding("utf8").on("data", (text: string) => {
          said += text;
        });
        await expect.poll(() => said, { timeout: 10_000 }).toContain("bound");
        expect(await notifySystemd("ready", { ...process.env, NOTIFY_SOCKET: path })).toBe(true);
        await expect.poll(() => said).toContain("READY=1");
      } finally {
        receiver.kill("SIGKILL");
      }
    },
  );
});
