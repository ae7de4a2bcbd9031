import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ConfFile } from "../../src/client/conf-file.ts";
import { type DialOptions, dial } from "../../src/client/dial.ts";
import { parseUri } from "../../src/client/index.ts";
import { localSockets } from "../../src/client/local-socket.ts";
import { pkiFiles } from "../../src/client/pki.ts";
import { type System, thisSystem } from "../../src/client/system.ts";
import { fakeSystem } from "./fake-system.ts";

const dialled = vi.hoisted(() => vi.fn());
vi.mock("../../src/transport/index.ts", async (actual) => {
  const fake = (kind: string) => async (options: unknown, how: unknown) => dialled(kind, options, how);
  return {
    ...(await actual<object>()),
    dialTls: fake("tls"),
    dialSsh: fake("ssh"),
    dialLibssh: fake("libssh"),
    dialExt: fake("ext"),
    dialWebSocket: fake("websocket"),
  };
});
beforeEach(() => void dialled.mockReset());

/** What a URI makes of a transport's options. */
async function optionsOf(uri: string, options: DialOptions = {}): Promise<[string, Record<string, unknown>]> {
  await dial(parseUri(uri), { system: fakeSystem(), ...options });
  expect(dialled).toHaveBeenCalledOnce();
  const [kind, given] = dialled.mock.calls[0] as [string, Record<string, unknown>];
  return [kind, given];
}

const user = { uid: 1000, home: "/home/me", env: { XDG_RUNTIME_DIR: "/run/user/1000" } };

describe("the daemon on this machine", () => {
  const sockets = async (uri: string, system: System, readOnly = false) => {
    const parsed = parseUri(uri);
    const found = await localSockets(parsed, { readOnly, mode: parsed.mode ?? "auto", system });
    return found.map(({ path, daemon }) => (daemon === undefined ? path : `${path} ${daemon}`));
  };
  const root = (...files: string[]) => fakeSystem(Object.fromEntries(files.map((path) => [path, ""])));
  const me = (...files: string[]) => fakeSystem(Object.fromEntries(files.map((path) => [path, ""])), user);
  const system = "/var/run/libvirt";
  const session = "/run/user/1000/libvirt";

  test.each<[string, System, string[]]>([
    ["qemu:///system", root(), [`${system}/libvirt-sock`, `${system}/virtqemud-sock`]],
    ["qemu:///system", me(), [`${system}/libvirt-sock`, `${system}/virtqemud-sock`]],
    ["qemu:///session", root(), [`${system}/libvirt-sock`, `${system}/virtqemud-sock`]],
    ["qemu:///system", root(`${system}/libvirt-sock`), [`${system}/libvirt-sock`]],
    ["qemu:///system", root(`${system}/libvirt-sock`, `${system}/virtqemud-sock`), [`${system}/virtqemud-sock`]],
    ["lxc:///system", root(`${system}/virtqemud-sock`), [`${system}/libvirt-sock`, `${system}/virtlxcd-sock`]],
    ["qemu:///system?mode=direct", root(`${system}/libvirt-sock`), [`${system}/virtqemud-sock`]],
    ["test:///default?mode=direct", root(), [`${system}/virttestd-sock`]],
    ["qemu:///system?mode=legacy", root(`${system}/virtqemud-sock`), [`${system}/libvirt-sock`]],
    ["qemu:///session", me(), [`${session}/virtqemud-sock virtqemud`, `${session}/libvirt-sock libvirtd`]],
    ["qemu:///session", me(`${session}/libvirt-sock`), [`${session}/libvirt-sock libvirtd`]],
    ["qemu:///session?mode=direct", me(), [`${session}/virtqemud-sock virtqemud`]],
    ["qemu:///session?mode=legacy", me(), [`${session}/libvirt-sock libvirtd`]],
    ["test+unix:///default?mode=legacy", me(), [`${session}/libvirt-sock libvirtd`]],
    ["test:///default?mode=legacy", me(), [`${system}/libvirt-sock`]],
    ["qemu+unix:///system?socket=/tmp/x", me(), ["/tmp/x"]],
    ["qemu:///session?socket=/tmp/x&mode=direct", me(), ["/tmp/x"]],
    ["", root(`${system}/virtlxcd-sock`, `${system}/virtvboxd-sock`), [`${system}/virtlxcd-sock`]],
    ["", root(`${system}/virtqemud-sock`, `${system}/virtxend-sock`), [`${system}/virtxend-sock`]],
    ["", root(`${system}/libvirt-sock`), [`${system}/libvirt-sock`]],
    ["", me(`${session}/virtvboxd-sock`), [`${session}/virtvboxd-sock virtvboxd`]],
    [
      "",
      me(),
      [
        `${session}/virtqemud-sock virtqemud`,
        `${session}/virtvboxd-sock virtvboxd`,
        `${session}/libvirt-sock libvirtd`,
      ],
    ],
  ])("socket/choice: %s", async (uri, which, paths) => {
    expect(await sockets(uri, which)).toEqual(paths);
  });

  test("socket/directory: where the user's runtime files are, or else the cache", async () => {
    const of = (env: Record<string, string>) =>
      sockets("qemu:///session?mode=legacy", fakeSystem({}, { ...user, env }));
    expect(await of({ XDG_RUNTIME_DIR: "/r" })).toEqual(["/r/libvirt/libvirt-sock libvirtd"]);
    expect(await of({ XDG_RUNTIME_DIR: "", XDG_CACHE_HOME: "/c" })).toEqual(["/c/libvirt/libvirt-sock libvirtd"]);
    expect(await of({})).toEqual(["/home/me/.cache/libvirt/libvirt-sock libvirtd"]);
  });

  test("socket/read-only: a socket of its own in system mode alone", async () => {
    expect(await sockets("qemu:///system?mode=legacy", root(), true)).toEqual([`${system}/libvirt-sock-ro`]);
    expect(await sockets("qemu:///system?mode=direct", root(), true)).toEqual([`${system}/virtqemud-sock-ro`]);
    expect(await sockets("qemu:///session?mode=legacy", me(), true)).toEqual([`${session}/libvirt-sock libvirtd`]);
  });

  test("socket/autostart: not where LIBVIRT_AUTOSTART is 0", async () => {
    const env = { XDG_RUNTIME_DIR: "/r", LIBVIRT_AUTOSTART: "0" };
    const off = fakeSystem({}, { ...user, env });
    expect(await sockets("qemu:///session", off)).toEqual(["/r/libvirt/libvirt-sock", "/r/libvirt/virtqemud-sock"]);
    const on = fakeSystem({}, { ...user, env: { ...env, LIBVIRT_AUTOSTART: "" } });
    expect(await sockets("qemu:///session?mode=legacy", on)).toEqual(["/r/libvirt/libvirt-sock libvirtd"]);
  });

  test("socket/direct-without-uri: says what was looked for", async () => {
    const choose = localSockets(parseUri(""), { readOnly: false, mode: "direct", system: root() });
    await expect(choose).rejects.toMatchObject({ code: 84, message: expect.stringContaining("virtbhyved-sock") });
  });

  describe("with real sockets", () => {
    let folder: string;
    let listeners: Server[];
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), "virtwire-dial-"));
      listeners = [];
    });
    afterEach(async () => {
      for (const listener of listeners) await new Promise((resolve) => listener.close(resolve));
      await rm(folder, { recursive: true, force: true });
    });
    const listen = (path: string) =>
      new Promise<void>((resolve, reject) => {
        const listener = createServer((socket) => void socket.resume().on("error", () => {})).on("error", reject);
        listeners.push(listener);
        listener.listen(path, resolve);
      });
    const nobody = (uri: string, system: System) => dial(parseUri(uri), { system });
    const session = (files: Record<string, string>, onStart = async () => {}, env: Record<string, string> = {}) =>
      fakeSystem(files, { uid: 1000, home: folder, env: { XDG_RUNTIME_DIR: folder, PATH: "/a::/b", ...env }, onStart });

    test("dial/unix: the socket that a URI names", async () => {
      await listen(join(folder, "s"));
      const transport = await dial(parseUri(`qemu:///system?socket=${folder}/s`), { system: fakeSystem() });
      expect(transport.peer).toMatchObject({ transport: "unix", secure: true });
      await transport.close();
    });

    test.runIf(process.platform === "linux")("dial/abstract: as long as libvirt makes it", async () => {
      const name = `virtwire-${process.pid}`;
      await listen(`\0${name}`.padEnd(108, "\0"));
      const transport = await dial(parseUri(`qemu:///system?socket=@${name}`), { system: fakeSystem() });
      await transport.close();
      await expect(nobody(`qemu:///system?socket=@${name}-not`, fakeSystem())).rejects.toMatchObject({
        name: "TransportError",
        code: "connect",
        message: expect.not.stringContaining("\0"),
      });
    });

    test("dial/too-long: a path that no socket can have", async () => {
      const failed = nobody(`qemu:///system?socket=/${"x".repeat(107)}`, fakeSystem());
      await expect(failed).rejects.toMatchObject({ name: "VirtError", code: 38 });
      await expect(failed).rejects.toThrow("too long for unix socket: 108 bytes, at most 107");
    });

    test("dial/nobody: the error names what was looked for, and nothing is started", async () => {
      const failed = dial(parseUri("qemu:///session"), { system: session({}, undefined, { LIBVIRT_AUTOSTART: "0" }) });
      await expect(failed).rejects.toMatchObject({ name: "TransportError", code: "connect" });
      await expect(failed).rejects.toThrow(`${folder}/libvirt/libvirt-sock`);
      await expect(failed).rejects.toThrow(`${folder}/libvirt/virtqemud-sock`);
    });

    test("dial/autostart: a session's daemon is started where nobody listens, and waited for", async () => {
      const { mkdir } = await import("node:fs/promises");
      await mkdir(join(folder, "libvirt"));
      const system = session({ "/b/virtqemud": "", "/b/libvirtd": "" }, async () => {
        setImmediate(() => void listen(join(folder, "libvirt", "virtqemud-sock")));
      });
      const transport = await dial(parseUri("qemu:///session"), { system });
      await transport.close();
      const env = { LC_ALL: "C", PATH: "/a::/b", XDG_RUNTIME_DIR: folder };
      expect(system.started).toEqual([{ program: "/b/virtqemud", args: ["--timeout=120"], env }]);
      expect(system.made).toEqual([join(folder, "libvirt")]);
    });

    test("dial/autostart-found: one that listens is used as it is", async () => {
      await listen(join(folder, "s"));
      const path = join(folder, "libvirt-sock");
      await listen(path);
      const system = { ...session({ "/b/libvirtd": "", [path]: "" }), env: { XDG_RUNTIME_DIR: folder, PATH: "/b" } };
      const { mkdir, symlink } = await import("node:fs/promises");
      await mkdir(join(folder, "libvirt"));
      await symlink(path, join(folder, "libvirt", "libvirt-sock"));
      await (await dial(parseUri("qemu:///session"), { system })).close();
      expect(system.started).toEqual([]);
    });

    test.each<[string, Record<string, string>, string]>([
      ["PATH", {}, "/usr/sbin:/a:/b"],
      ["VIRTD_PATH", { VIRTD_PATH: "/v", LIBVIRTD_PATH: "/l" }, "/v"],
      ["LIBVIRTD_PATH", { LIBVIRTD_PATH: "/l" }, "/l"],
    ])("dial/autostart-missing: without a daemon in %s the error says which and where", async (_name, env, looked) => {
      const failed = nobody("qemu:///session", session({ "/elsewhere/virtqemud": "" }, undefined, env));
      await expect(failed).rejects.toMatchObject({ name: "VirtError", code: 38, int1: 2 });
      await expect(failed).rejects.toThrow(`there is no virtqemud or libvirtd to start: looked in ${looked}`);
    });

    test("dial/autostart-abort: the signal ends the waiting", async () => {
      const abort = new AbortController();
      const reason = new Error("enough");
      const system = session({ "/b/libvirtd": "" }, async () => void setImmediate(() => abort.abort(reason)));
      await expect(dial(parseUri("qemu:///session"), { system }, abort.signal)).rejects.toBe(reason);
    });
  });
});

describe("what becomes of a URI and libvirt.conf", () => {
  const conf = (text: string) => new ConfFile("/etc/libvirt/libvirt.conf", text);
  const ssh = async (uri: string, options: DialOptions = {}) => (await optionsOf(uri, options))[1];

  test("dial/ssh: everything that the URI says", async () => {
    const query = "no_tty=1&no_verify=1&keyfile=/k&command=/my/ssh&netcat=/nc&a=1";
    expect(await optionsOf(`qemu+ssh://me@host:22222/system?${query}`, { readOnly: true })).toEqual([
      "ssh",
      {
        host: "host",
        port: 22_222,
        user: "me",
        keyfile: "/k",
        noTty: true,
        noVerify: true,
        command: "/my/ssh",
        remote: {
          proxy: "auto",
          netcat: "/nc",
          socket: "/var/run/libvirt/libvirt-sock-ro",
          uri: "qemu:///system?a=1",
          readOnly: true,
        },
      },
    ]);
  });

  test("dial/ssh-least: nothing that the URI does not say", async () => {
    const remote = { proxy: "auto", socket: "/var/run/libvirt/libvirt-sock", uri: "qemu:///system", readOnly: false };
    expect(await ssh("qemu+ssh:///system")).toEqual({ host: "localhost", noTty: false, noVerify: false, remote });
  });

  test.each<[string, DialOptions, Record<string, unknown>]>([
    ["qemu+ssh://h/system?socket=/s", {}, { proxy: "netcat", socket: "/s" }],
    ["qemu+ssh://h/system?socket=/s&proxy=native", {}, { proxy: "native" }],
    ["qemu+ssh://h/session", {}, { proxy: "auto" }],
    ["qemu+ssh://h/session", { system: fakeSystem({}, user) }, { proxy: "native" }],
    ["qemu+ssh://h/system", { conf: conf('remote_proxy="netcat"') }, { proxy: "netcat" }],
    ["qemu+ssh://h/system?proxy=auto", { conf: conf('remote_proxy="netcat"') }, { proxy: "auto" }],
    ["qemu+ssh://h/system?mode=legacy", { conf: conf('remote_mode="direct"') }, { uri: "qemu:///system?mode=legacy" }],
  ])("dial/ssh-proxy: %s %#", async (uri, options, remote) => {
    expect((await ssh(uri, options)).remote).toMatchObject(remote);
  });

  test("dial/libssh: everything that the URI says", async () => {
    const query = "keyfile=/k&known_hosts=/kh&known_hosts_verify=auto&sshauth=agent,privkey";
    expect((await optionsOf(`qemu+libssh2://me@host/system?${query}`))[1]).toMatchObject({
      transport: "libssh2",
      host: "host",
      user: "me",
      keyfile: "/k",
      knownHosts: "/kh",
      knownHostsVerify: "auto",
      methods: ["agent", "privkey"],
    });
  });

  test("dial/libssh-default: the user's own known hosts", async () => {
    const [kind, options] = await optionsOf("qemu+libssh://host/system", { ssh: { keyfile: "/mine", agent: "/a" } });
    expect(kind).toBe("libssh");
    expect(options).toMatchObject({
      knownHosts: "/home/me/.config/libvirt/known_hosts",
      keyfile: "/mine",
      agent: "/a",
    });
    expect(options).not.toHaveProperty("methods");
  });

  test("dial/libssh-password: auth.conf answers first, then whoever asks the user", async () => {
    const file = "[credentials-x]\npassword=hush\n[auth-ssh-host]\ncredentials=x\n";
    const asked: string[] = [];
    const [, options] = await optionsOf("qemu+libssh://me@host/system", {
      system: fakeSystem({ "/etc/libvirt/auth.conf": file }),
      ssh: { ask: async ({ kind, attempt }) => `${asked.push(`${kind} ${attempt}`)}` },
    });
    const ask = options.ask as NonNullable<NonNullable<DialOptions["ssh"]>["ask"]>;
    const question = { prompt: "", echo: false, user: "me", host: "host" };
    const { signal } = new AbortController();
    expect(await ask({ ...question, kind: "password", attempt: 0 }, signal)).toBe("hush");
    expect(await ask({ ...question, kind: "password", attempt: 1 }, signal)).toBe("1");
    expect(await ask({ ...question, kind: "passphrase", attempt: 0 }, signal)).toBe("2");
    expect(asked).toEqual(["password 1", "passphrase 0"]);
  });

  test("dial/tls: ports, files, and what turns checks off", async () => {
    const ca = { "/etc/pki/CA/cacert.pem": "", "/p/cacert.pem": "" };
    expect(await optionsOf("qemu://host/system", { system: fakeSystem(ca) })).toEqual([
      "tls",
      {
        host: "host",
        port: 16_514,
        ca: "/etc/pki/CA/cacert.pem",
        crl: "/etc/pki/CA/cacrl.pem",
        cert: "/etc/pki/libvirt/clientcert.pem",
        key: "/etc/pki/libvirt/private/clientkey.pem",
        verify: true,
        sanity: true,
      },
    ]);
    dialled.mockReset();
    const query = "pkipath=/p&no_verify=1&no_sanity=1&tls_priority=SECURE128";
    const [, strange] = await optionsOf(`qemu+tls://[::1]:1/system?${query}`, { conf: conf("tls_priority='NO'") });
    expect(strange).toMatchObject({ host: "::1", port: 1, ca: "/p/cacert.pem", verify: false, sanity: false });
    expect(strange).toMatchObject({ cert: "/p/clientcert.pem", key: "/p/clientkey.pem", priority: "SECURE128" });
  });

  test("dial/tls-options: before what the URI and the files say", async () => {
    const tls = { ca: "PEM", cert: "C", key: "K", crl: "L", verify: true, priority: "NORMAL" };
    const [, options] = await optionsOf("qemu+tls://h/?no_verify=1&tls_priority=NONE&pkipath=/p", { tls });
    expect(options).toMatchObject(tls);
    dialled.mockReset();
    const [, half] = await optionsOf("qemu+tls://h/", {
      tls: { ca: "PEM", cert: "C" },
      conf: conf("tls_priority='P'"),
    });
    expect(half).toMatchObject({ cert: "C", priority: "P" });
    expect(half).not.toHaveProperty("key");
  });

  test("dial/tls-no-ca: without the CA's certificate there is no way, unless nobody looks at it", async () => {
    const missing = dial(parseUri("qemu+tls://h/?pkipath=/p"), { system: fakeSystem() });
    await expect(missing).rejects.toMatchObject({ code: 38, int1: 2 });
    await expect(missing).rejects.toThrow("Cannot read CA certificate '/p/cacert.pem': No such file or directory");
    expect(dialled).not.toHaveBeenCalled();
    expect((await optionsOf("qemu+tls://h/?pkipath=/p&no_verify=1"))[1]).toMatchObject({ verify: false });
  });

  test("dial/ext", async () => {
    expect(await optionsOf("qemu+ext:///system?command=/x%20y")).toEqual(["ext", { command: "/x y" }]);
  });

  test.each<[string, DialOptions, Record<string, unknown>]>([
    ["qemu+ws://host/system", {}, { url: "ws://host/" }],
    ["qemu+ws://good%40evil%2F/system", {}, { url: "ws://good%40evil%2F/" }], // which no URL parser takes for a host
    ["qemu+wss://[::1]:8443/system", { websocket: { path: "/a/b?c" } }, { url: "wss://[::1]:8443/a/b?c" }],
    [
      "qemu+wss:///system?no_verify=1",
      { websocket: { path: "x", ca: "C" } },
      { url: "wss://localhost/x", verify: false, ca: "C" },
    ],
  ])("dial/websocket: %s", async (uri, options, wanted) => {
    expect(await optionsOf(uri, options)).toEqual(["websocket", wanted]);
  });

  test("dial/signal: reaches every transport, and counts before the first step", async () => {
    const abort = new AbortController();
    const reason = new Error("enough");
    for (const uri of ["ssh://h/", "libssh://h/", "tls://h/?no_verify=1", "ext:///?command=/x", "ws://h/"]) {
      dialled.mockReset();
      await dial(parseUri(`qemu+${uri}`), { system: fakeSystem() }, abort.signal);
      expect(dialled.mock.calls[0]?.[2], uri).toEqual({ signal: abort.signal });
    }
    abort.abort(reason);
    dialled.mockReset();
    for (const uri of ["ssh://h/", "ws://h/", "tcp://localhost:1/", "unix:///"]) {
      await expect(dial(parseUri(`qemu+${uri}`), { system: fakeSystem() }, abort.signal)).rejects.toBe(reason);
    }
    expect(dialled).not.toHaveBeenCalled();
  });

  test.each([
    ["qemu+ssh://h/system?mode=direct", "", 84, "Cannot use direct socket mode for ssh transport"],
    ["qemu+libssh://h/system", "remote_mode='direct'", 84, "for libssh transport"],
    ["qemu+ssh://h/system?proxy=native&netcat=nc", "", 8, "netcat path not valid with native proxy mode"],
    ["qemu+ssh://h/system?netcat=nc", "remote_proxy='native'", 8, "netcat path not valid"],
    ["qemu:///system", "\nremote_mode='fast'", 8, '/etc/libvirt/libvirt.conf:2: remote_mode = "fast"'],
    ["qemu:///system", "remote_mode=5", 1, "libvirt.conf:1: expected a string for 'remote_mode'"],
    ["qemu+ssh://h/system", "remote_proxy='x'", 8, 'remote_proxy = "x"'],
  ])("dial/refused: %s with %j", async (uri, text, code, message) => {
    const failed = dial(parseUri(uri), { system: fakeSystem(), conf: conf(text) });
    await expect(failed).rejects.toMatchObject({ name: "VirtError", code });
    await expect(failed).rejects.toThrow(message);
  });
});

describe("where the files for TLS are", () => {
  const own = "/home/me/.pki/libvirt";
  const system = {
    ca: "/etc/pki/CA/cacert.pem",
    crl: "/etc/pki/CA/cacrl.pem",
    cert: "/etc/pki/libvirt/clientcert.pem",
    key: "/etc/pki/libvirt/private/clientkey.pem",
  };
  const mine = {
    ca: `${own}/cacert.pem`,
    crl: `${own}/cacrl.pem`,
    cert: `${own}/clientcert.pem`,
    key: `${own}/clientkey.pem`,
  };
  const { ca, crl, cert, key } = mine;
  test.each<[string, number, string[], object]>([
    ["root has the system's only", 0, Object.values(mine), system],
    ["nothing of one's own", 1, [], system],
    ["everything of one's own", 1, Object.values(mine), mine],
    ["each by itself", 1, [ca], { ...system, ca }],
    ["each by itself", 1, [crl], { ...system, crl }],
    ["a certificate without its key is none", 1, [cert], system],
    ["a key without its certificate is none", 1, [key], system],
    ["certificate and key are a pair", 1, [cert, key], { ...system, cert, key }],
  ])("pki/default: %s", async (_name, uid, files, found) => {
    const present = Object.fromEntries(files.map((path) => [path, ""]));
    expect(await pkiFiles(undefined, fakeSystem(present, { uid }))).toEqual(found);
  });

  test("pki/path: all in one place, whether they are there or not", async () => {
    expect(await pkiFiles("/p", fakeSystem({ [ca]: "" }, { uid: 1 }))).toEqual({
      ca: "/p/cacert.pem",
      crl: "/p/cacrl.pem",
      cert: "/p/clientcert.pem",
      key: "/p/clientkey.pem",
    });
  });
});

describe("this machine", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "virtwire-system-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test("system/read: whole files, none, too large, and what is no file", async () => {
    const { writeFile } = await import("node:fs/promises");
    const system = await thisSystem();
    await writeFile(join(folder, "f"), "é".repeat(50_000));
    expect(await system.readText(join(folder, "f"), 100_000)).toBe("é".repeat(50_000));
    await expect(system.readText(join(folder, "f"), 99_999)).rejects.toMatchObject({ code: 38 });
    expect(await system.readText(join(folder, "none"), 10)).toBeUndefined();
    await expect(system.readText(folder, 10)).rejects.toMatchObject({ name: "VirtError", code: 38, int1: 21 });
    expect(await system.access(join(folder, "f"), "exists")).toBe(true);
    expect(await system.access(join(folder, "f"), "run")).toBe(false);
    expect(await system.access(join(folder, "none"), "read")).toBe(false);
  });

  test("system/browser: without a process there are no files, no environment and no programs", async () => {
    vi.stubGlobal("process", undefined);
    const nowhere = thisSystem();
    vi.unstubAllGlobals();
    const system = await nowhere;
    expect(await system.access("/", "exists")).toBe(false);
    expect(await system.readText("/etc/passwd", 10)).toBeUndefined();
    await expect(system.startDaemon("/bin/true", [], {})).rejects.toThrow();
    expect(system.env).toEqual({});
  });

  test("system/start: a program runs on its own, with the environment that it is given", async () => {
    const system = await thisSystem();
    const { watch } = await import("node:fs");
    await system.makeDirectory(join(folder, "a", "b"));
    const seen = new Promise<void>((resolve) => {
      const watcher = watch(join(folder, "a", "b"), (_event, name) => {
        if (name !== "done") return;
        watcher.close();
        resolve();
      });
    });
    await system.startDaemon("/bin/sh", ["-c", `mkdir "$WHERE/done"`], {
      WHERE: join(folder, "a", "b"),
      PATH: "/bin:/usr/bin",
    });
    await seen;
    await expect(system.startDaemon(join(folder, "none"), [], {})).rejects.toMatchObject({ code: "ENOENT" });
  });
});
