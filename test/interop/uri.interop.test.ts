/** For the same URI, the real virsh and our client must go to the same place and ask for the same driver's URI. */
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { connect } from "../../src/client/index.ts";
import { type System, thisSystem } from "../../src/client/system.ts";
import { VirErrorDomain, VirErrorNumber } from "../../src/generated/libvirt/index.ts";
import { remoteDescription } from "../../src/generated/remote/index.ts";
import { VirtError, virtError } from "../../src/rpc/index.ts";
import { createServer, type Server, serve } from "../../src/server/index.ts";
import { Lab, type LabHost, type LabState, labObstacle, runProcess, setup } from "../lab/lab.ts";
import { part } from "./part.ts";

/** Nobody in particular, whose configuration and sockets are in the test's own folder. */
const USER = 65_534;

const asUser = ["setpriv", `--reuid=${USER}`, `--regid=${USER}`, "--clear-groups"];

interface Seen {
  /** Which listener was reached, `unix` or `tcp`, `tcp6`. */
  at: string[];
  /** What CONNECT_OPEN carried. */
  names: string[];
  /** Arguments of the `ssh`, or the program of `ext`, that was run. */
  argv: string[][];
}

part("URIs beside virsh", labObstacle(), () => {
  let folder: string;
  let home: string;
  let servers: Server[];
  let names: string[] = [];
  let at: string[] = [];
  /** Replaced in the table's URIs. */
  let places: Record<string, string>;

  beforeAll(async () => {
    await setup();
    folder = await mkdtemp(join(tmpdir(), "virtwire-uri-"));
    await chmod(folder, 0o755);
    home = join(folder, "home");
    await mkdir(join(home, "run", "libvirt"), { recursive: true });
    await mkdir(join(home, "config", "libvirt"), { recursive: true });
    const recorder = (place: string) => {
      const server = createServer({
        listen: [
          place === "unix"
            ? `unix:${join(folder, "a sock")}`
            : place === "session"
              ? `unix:${join(home, "run", "libvirt", "virtlxcd-sock")}`
              : place === "tcp"
                ? "tcp://127.0.0.1:0"
                : "tcp://[::1]:0",
        ],
        programs: [
          serve(remoteDescription, {
            authList: () => ({ types: [0] }),
            connectSupportsFeature: () => ({ supported: 0 }),
            connectOpen: ({ name }) => {
              at.push(place);
              names.push(name ?? "(none)");
              const detail = `seen at ${place}`;
              throw virtError(VirErrorNumber.VIR_ERR_OPERATION_FAILED, VirErrorDomain.VIR_FROM_REMOTE, detail);
            },
          }),
        ],
      });
      return server;
    };
    servers = ["unix", "session", "tcp", "tcp6"].map(recorder);
    await Promise.all(servers.map((server) => server.listen()));
    const port = (server: Server | undefined) => /:(\d+)$/.exec(server?.addresses[0] ?? "")?.[1] ?? "";
    places = {
      FOLDER: folder,
      HOME: home,
      PORT: port(servers[2]),
      PORT6: port(servers[3]),
      SOCK: encodeURIComponent(join(folder, "a sock")),
    };
    // In place of ssh, and for ext: notes its arguments and leads to the recorder.
    const program = `#!${process.execPath}
require("node:fs").appendFileSync(${JSON.stringify(join(folder, "argv"))}, JSON.stringify(process.argv.slice(2)) + "\\n");
const socket = require("node:net").connect(${JSON.stringify(join(folder, "a sock"))});
process.stdin.pipe(socket).pipe(process.stdout);
`;
    await mkdir(join(folder, "bin"));
    for (const name of ["ssh", "my ssh", "ext"]) {
      await writeFile(join(folder, "bin", name), program, { mode: 0o755 });
    }
  });
  afterAll(async () => {
    for (const server of servers ?? []) await server.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  const fill = (text: string) => text.replace(/\{(\w+)\}/g, (_, name: string) => places[name] ?? "");
  const environment = (): Record<string, string> => ({
    PATH: `${join(folder, "bin")}:${process.env.PATH}`,
    HOME: home,
    XDG_CONFIG_HOME: join(home, "config"),
    XDG_RUNTIME_DIR: join(home, "run"),
    XDG_CACHE_HOME: join(home, "cache"),
    LIBVIRT_AUTOSTART: "0",
    LC_ALL: "C.UTF-8",
  });

  async function watched(work: () => Promise<unknown>): Promise<Seen> {
    names = [];
    at = [];
    await rm(join(folder, "argv"), { force: true });
    await work();
    const argv = await readFile(join(folder, "argv"), "utf8").catch(() => "");
    const lines = argv.split("\n").filter(Boolean);
    return { at, names, argv: lines.map((line) => JSON.parse(line) as string[]) };
  }

  interface Run {
    readonly readOnly?: boolean;
    /** As nobody rather than as root. */
    readonly user?: boolean;
    readonly env?: Record<string, string>;
  }
  /** What virsh does, and the last line it prints. */
  async function theirs(uri: string | undefined, { readOnly, user, env }: Run): Promise<Seen & { says: string }> {
    let says = "";
    const args = [...(uri === undefined ? [] : ["-c", uri]), ...(readOnly ? ["-r"] : []), "list"];
    const command = user ? [...asUser, "virsh"] : ["virsh"];
    const [program = "", ...rest] = [...command, ...args];
    const seen = await watched(async () => {
      const { stderr } = await runProcess(program, rest, { env: { ...environment(), ...env }, timeout: 30_000 });
      says = stderr.trim().split("\n").at(-1) ?? "";
    });
    return { ...seen, says: says.replace(/^error: /, "") };
  }
  async function ours(
    uri: string | undefined,
    { readOnly = false, user, env }: Run,
  ): Promise<Seen & { error: unknown }> {
    let error: unknown;
    const system: System = { ...(await thisSystem()), uid: user ? USER : 0, home, env: { ...environment(), ...env } };
    const seen = await watched(async () => {
      try {
        await (await connect(uri, { readOnly, system })).close();
      } catch (cause) {
        error = cause;
      }
    });
    return { ...seen, error };
  }

  describe("what reaches a daemon", () => {
    const unix = "qemu+unix:///system?socket={SOCK}";
    const tcp = "qemu+tcp://127.0.0.1:{PORT}";
    test.each([
      // scheme, path and what becomes of them
      unix,
      "qemu:///system?socket={SOCK}",
      "qemu:/system?socket={SOCK}",
      "qemu:system?socket={SOCK}",
      "qemu:?socket={SOCK}",
      "QEMU+UNIX:///System?socket={SOCK}",
      "test+unix:///default?socket={SOCK}",
      "x-y.z9:///a?socket={SOCK}",
      "remote+unix://?socket={SOCK}",
      "remote:///system?socket={SOCK}&a=1",
      "xen:///system?socket={SOCK}",
      "qemu+unix:///session?socket={SOCK}",
      "qemu+unix:///sys%20tem/%2F~!*'();,:@$&=+?socket={SOCK}",
      "qemu+unix:///%C3%A9%ff?socket={SOCK}",
      "qemu+unix:////system//?socket={SOCK}",
      "qemu+unix:///sys%3Ftem?socket={SOCK}#frag%20ment/?[]",
      "qemu+unix:///system?socket={SOCK}#",
      // parameters
      `${unix}&a=1&b=2`,
      `${unix}&a=b%20r&%41=%7E%7e-._~!*'()`,
      `${unix}&a=+&b=/?:@$,;`,
      `${unix}&a=1;b=2`,
      "qemu+unix:///system?a=1;socket={SOCK};b=2",
      `${unix}&&a&=lost&b=&c==&a=again`,
      `${unix}&A%20B=1&c%26d=2&%C3%A9=%C3%A9`,
      `${unix}&no_verify=1&no_sanity=0&NO_TTY=%20-7&pkipath=/x&keyfile=/k&tls_priority=NORMAL&known_hosts=/h`,
      `${unix}&netcat=/nc&command=/c&sshauth=nonsense&known_hosts_verify=nonsense&authfile=/nowhere&Mode=legacy`,
      `${unix}&mode=direct&proxy=native&MODE=auto`,
      `${unix}&name=lxc:///`,
      `${unix}&name=`,
      `${unix}&name=a&NAME=b%20c`,
      "qemu+unix:///system?SOCKET=/nowhere&Socket={SOCK}",
      // hosts and ports
      `${tcp}/system`,
      `${tcp}`,
      `${tcp}/`,
      `${tcp}/system?socket=/nowhere&mode=legacy`,
      "qemu+tcp://localhost:{PORT}/system",
      "qemu+TCP://LOCALHOST:{PORT}/system",
      "qemu+tcp://user@127.0.0.1:{PORT}/system",
      "qemu+tcp://u%40h:pass@127.0.0.1:{PORT}/system",
      "qemu+tcp://%31%32%37.0.0.1:{PORT}/system",
      "qemu+tcp://[::1]:{PORT6}/system?a=1",
      "qemu+tcp://[::ffff:127.0.0.1]:{PORT}/system",
      "remote+tcp://127.0.0.1:{PORT}/system",
      "test+tcp://127.0.0.1:{PORT}/default",
      "esx+tcp://127.0.0.1:{PORT}/?x=y",
      // programs
      "qemu+ext:///system?command={FOLDER}/bin/ext",
      "qemu+ext://host:5/system?command={FOLDER}/bin/ext&a=1",
    ])("%s", async (template) => {
      const uri = fill(template);
      const { says, ...virsh } = await theirs(uri, {});
      expect(virsh.names, says).toHaveLength(1);
      const { error, ...mine } = await ours(uri, {});
      expect(mine).toEqual(virsh);
      expect(error).toMatchObject({ name: "VirtError", code: VirErrorNumber.VIR_ERR_OPERATION_FAILED });
      expect(says).toContain("seen at");
    });
  });

  describe("over ssh: the same arguments, letter by letter", () => {
    beforeEach(() => {
      vi.stubEnv("PATH", `${join(folder, "bin")}:${process.env.PATH}`);
      return () => vi.unstubAllEnvs();
    });
    test.each<[string, Run?]>([
      ["qemu+ssh://host/system"],
      ["qemu+ssh://host/system", { readOnly: true }],
      ["qemu+ssh:///system"],
      ["QEMU+SSH://user@host.example:2222/system?no_tty=1&no_verify=1&keyfile=/k%20ey&a=b%20c"],
      ["qemu+ssh://[fe80::1%25eth0]:22/system"],
      ["qemu+ssh://host/system?socket=/run/x.y-sock@1,2"],
      ["qemu+ssh://host/system?netcat=/opt/my%20nc"],
      ["qemu+ssh://host/system?netcat=nc'x&proxy=auto"],
      ["qemu+ssh://host/system?proxy=native"],
      ["qemu+ssh://host/system?proxy=netcat", { readOnly: true }],
      ["qemu+ssh://host/system?command={FOLDER}/bin/my%20ssh&no_tty=0"],
      ["qemu+ssh://host/session"],
      ["qemu+ssh://host/session", { user: true }],
      ["qemu+ssh://host/session?proxy=netcat", { user: true, readOnly: true }],
      ["test+ssh://host/default", { user: true }],
      ["remote+ssh://host/"],
      ["qemu+ssh://host/system?name=lxc:///%27"],
      ["qemu+ssh://host/system?a='%22$x"],
    ])("%s %o", async (template, run = {}) => {
      await rm(join(folder, "argv"), { force: true });
      const uri = fill(template);
      // The program must be able to note its arguments, whoever runs it.
      await chmod(folder, 0o777);
      await chmod(join(folder, "a sock"), 0o777);
      const { says, ...virsh } = await theirs(uri, run);
      expect(virsh.argv, says).toHaveLength(1);
      const { error, ...mine } = await ours(uri, run);
      expect(mine, String(error)).toEqual(virsh);
    });

    test("a socket's path with a blank is quoted as netcat's is, which libvirt does not do", async () => {
      const { argv } = await ours("qemu+ssh://host/system?socket=/run/x%20y-sock", {});
      expect(argv[0]?.at(-1)).toMatch(/ -U '''\\''\/run\/x y-sock'\\'''''$/);
    });

    test("virt-ssh-helper is told about mode and socket, as libvirt 11.3.0 does and 9.0.0 did not", async () => {
      const { argv } = await ours("qemu+ssh://host/system?socket=/x&proxy=native&mode=auto", {});
      const uri = "'\\''qemu:///system?socket=%2Fx&mode=auto'\\''";
      expect(argv.map((args) => args.at(-1))).toEqual([`sh -c 'virt-ssh-helper ''${uri}'''`]);
    });
  });

  describe("which socket on this machine, and which port, by the error that nobody is there", () => {
    test.each<[string | undefined, Run?]>([
      ["qemu:///system"],
      ["qemu:///system", { readOnly: true }],
      ["qemu:///system", { user: true }],
      ["qemu:///session"],
      ["qemu:///session", { user: true }],
      ["qemu:///session", { user: true, readOnly: true }],
      ["qemu:///session/", { user: true }],
      ["qemu:///Session", { user: true }],
      ["qemu:///session?mode=direct", { user: true }],
      ["qemu:///session?mode=legacy", { user: true }],
      ["test+unix:///default", { user: true }],
      ["test+unix:///default"],
      ["qemu:///system?mode=direct"],
      ["qemu:///system?mode=direct", { readOnly: true }],
      ["nosuch:///system?mode=direct"],
      ["xen"],
      ["XEN"],
      ["xen://"],
      ["remote:///system"],
      ["qemu+unix:///system?socket=/nowhere/sock"],
      ["qemu+unix:///system?socket=@nobody-listens-here"],
      ["qemu:///session", { user: true, env: { XDG_RUNTIME_DIR: "" } }],
      ["qemu:///session", { user: true, env: { XDG_RUNTIME_DIR: "", XDG_CACHE_HOME: "" } }],
      [undefined],
      ["", { user: true }],
      [undefined, { env: { LIBVIRT_DEFAULT_URI: "qemu+unix:///system?socket=/nowhere/default" } }],
    ])("%s %o", async (template, run = {}) => {
      const uri = template === undefined ? undefined : fill(template);
      const { says } = await theirs(uri, run);
      const [, path] = /'([^']*)': (?:No such file or directory|Connection refused)$/.exec(says) ?? [];
      expect(path, says).toBeDefined();
      const { error } = await ours(uri, run);
      expect(error).toMatchObject({ name: "TransportError", code: "connect" });
      expect((error as Error).message).toContain(`unix:${path}`);
    });

    test.each(["qemu+tcp://localhost/system", "qemu+tcp:///system", "qemu+tcp://127.0.0.1:0/system"])(
      "%s",
      async (uri) => {
        const { says } = await theirs(uri, {});
        const [, place] = /server at '([^']*)'/.exec(says) ?? [];
        expect(place, says).toBeDefined();
        const { error } = await ours(uri, {});
        expect((error as Error).message).toContain(`tcp://${place}`);
      },
    );

    test("a session's socket of one driver's daemon", async () => {
      await chmod(join(home, "run", "libvirt", "virtlxcd-sock"), 0o777);
      for (const uri of ["lxc:///session", "lxc:///session?mode=auto", "lxc:///session?mode=direct"]) {
        const { says, ...virsh } = await theirs(uri, { user: true });
        expect(virsh, says).toEqual({ at: ["session"], names: ["lxc:///session"], argv: [] });
        expect(await ours(uri, { user: true })).toMatchObject(virsh);
      }
    });
  });

  describe("a session's daemon that is not running", () => {
    const runtime = () => join(folder, "started");
    const run = (): Run => ({ user: true, env: { XDG_RUNTIME_DIR: runtime(), LIBVIRT_AUTOSTART: "1" } });
    beforeEach(async () => {
      await mkdir(runtime());
      await chown(runtime(), USER, USER);
      // The daemon that is started writes there.
      for (const path of [home, join(home, "config"), join(home, "config", "libvirt")]) await chown(path, USER, USER);
      return async () => {
        const pid = Number(await readFile(join(runtime(), "libvirt", "libvirtd.pid"), "utf8").catch(() => ""));
        if (pid > 1) await ended(pid);
        await rm(runtime(), { recursive: true });
      };
    });
    /** Ends the daemon that the test started, and waits for it. */
    async function ended(pid: number): Promise<void> {
      process.kill(pid, "SIGKILL");
      await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(), { timeout: 10_000 });
    }
    const commandLine = async () => {
      const pid = (await readFile(join(runtime(), "libvirt", "libvirtd.pid"), "utf8")).trim();
      return (await readFile(`/proc/${pid}/cmdline`, "utf8")).split("\0").filter(Boolean);
    };

    test("virsh starts it", async () => {
      const { says } = await theirs("test+unix:///default", run());
      expect(says).toBe("");
      expect(await commandLine()).toEqual(["/usr/sbin/libvirtd", "--timeout=120"]);
    });

    test("we start it", async () => {
      const here = await thisSystem();
      const { env } = run();
      const system: System = {
        ...here,
        uid: USER,
        home,
        env: { ...environment(), ...env },
        // This process is root, the session is somebody else's.
        startDaemon: (program, args, environ) =>
          here.startDaemon("/usr/bin/setpriv", [...asUser.slice(1), program, ...args], environ),
        makeDirectory: async (path) => {
          await here.makeDirectory(path);
          await chown(path, USER, USER);
        },
      };
      await using connection = await connect("test+unix:///default", { system });
      expect(await commandLine()).toEqual(["/usr/sbin/libvirtd", "--timeout=120"]);
      expect(connection.uri).toBe("test+unix:///default");
    });

    test("neither of us does where LIBVIRT_AUTOSTART is 0, or where it is not installed", async () => {
      for (const env of [{ LIBVIRT_AUTOSTART: "0" }, { LIBVIRTD_PATH: "/nowhere" }, { VIRTD_PATH: "/nowhere" }]) {
        const how = { ...run(), env: { ...run().env, ...env } };
        const { says } = await theirs("qemu:///session", how);
        const { error } = await ours("qemu:///session", how);
        expect(says).toContain("started/libvirt/libvirt-sock");
        expect((error as Error).message).toContain("LIBVIRT_AUTOSTART" in env ? "libvirt-sock" : "looked in /nowhere");
        expect(await readdir(runtime(), { recursive: true })).not.toContain("libvirt/libvirtd.pid");
      }
    });
  });

  describe("libvirt.conf", () => {
    const good = `# a comment
uri_default = 'inside'
uri_aliases = [
  "inside=qemu+unix:///inside?socket={SOCK}",   "x_-9=qemu+tcp://127.0.0.1:{PORT}/x?a==b",
  """tr=qemu+unix:///three?socket={SOCK}""",
]; remote_mode = "legacy" # more
tls_priority="NORMAL"
`;
    test.each<[string, string | undefined, Run?]>([
      [good, undefined],
      [good, "inside"],
      [good, "x_-9"],
      [good, "tr"],
      [good, undefined, { env: { LIBVIRT_DEFAULT_URI: "tr" } }],
      [good, "qemu+unix:///system?socket={SOCK}"],
      [good.replaceAll("\n", "\r\n"), "inside"],
      ['uri_default="qemu+unix:///1?socket={SOCK}"\nuri_default="qemu+unix:///2?socket={SOCK}"', undefined],
      ['uri_aliases=["a=qemu+unix:///1?socket={SOCK}","b","a=x"]', "a"],
      ['number = -12\nl = [ ]\nm=[[1,"a"],\n2]\nuri_default="qemu+unix:///1?socket={SOCK}"', undefined],
    ])("read alike: %s %s", async (conf, uri, run = {}) => {
      await writeFile(join(home, "config", "libvirt", "libvirt.conf"), fill(conf));
      await chmod(join(folder, "a sock"), 0o777);
      const given = uri === undefined ? undefined : fill(uri);
      const { says, ...virsh } = await theirs(given, { ...run, user: true });
      expect(virsh.names, says).toHaveLength(1);
      const { error, ...mine } = await ours(given, { ...run, user: true });
      expect(mine, String(error)).toEqual(virsh);
    });

    test.each<[string, string | undefined]>([
      ["uri_default = 5", undefined],
      ["\n\nuri_default", undefined],
      ['a = 1\nuri_default = "x', undefined],
      ["a = [ 1 2 ]", undefined],
      ["a = [ 1,\n\n2", undefined],
      ["a = 1 b = 2", undefined],
      ["5 = 1", undefined],
      ["a = ", undefined],
      ["a = x", undefined],
      ["a = -", undefined],
      ['a = """x\ny', undefined],
      ['uri_aliases = "a=b"', "a"],
      ["uri_aliases = [ 1 ]", "a"],
      ['uri_aliases = [ "a" ]', "a"],
      ['uri_aliases = [ "a b=c" ]', "a"],
      ['remote_mode = "fast"', "qemu:///system"],
    ])("refused alike: %s %s", async (conf, uri) => {
      const file = join(home, "config", "libvirt", "libvirt.conf");
      await writeFile(file, conf);
      const { says } = await theirs(uri, { user: true });
      const { error } = await ours(uri, { user: true });
      expect(error, says).toBeInstanceOf(VirtError);
      const { code, message } = error as VirtError;
      const [kind] = /^[a-z ]+: /.exec(says) ?? ["no kind"];
      expect(message.startsWith(kind), `${says} / ${code} ${message}`).toBe(true);
      // Where virsh names the line we name the same.
      const [where] = /\S+:\d+/.exec(says) ?? [""];
      expect(message).toContain(where);
      expect(message).toContain(file);
    });

    beforeEach(() => () => rm(join(home, "config", "libvirt", "libvirt.conf"), { force: true }));
  });

  describe("refused alike", () => {
    test.each<[string, string]>([
      ["no uri", "there is ' '"],
      ["qemu", "does not include a driver name"],
      ["/system", "does not include a driver name"],
      ["1qemu:///system", "'1qemu'"],
      ["qemu+nosuch:///system", "'nosuch'"],
      ["qemu+:///system", "transport"],
      ["qemu+unix://host/system", "'host'"],
      ["qemu://system", "qemu:///system)"],
      ["qemu://session/system", "qemu:///session)"],
      ["vbox://session", "vbox:///session)"],
      ["qemu+tcp://host:/system", "port"],
      ["qemu+tcp://host:x/system", "'x'"],
      ["qemu+tcp://ho[st/system", "'['"],
      ["qemu+tcp://[::1/system", "host"],
      ["qemu:///sys tem", "' '"],
      ["qemu:///system?a=%zz", "query"],
      ["qemu:///system?a=|", "%7C"],
      ["qemu:///system?a=é", "%C3%A9"],
      ["qemu:///system?no_verify=x", "no_verify"],
      ["qemu:///system?no_tty=", "no_tty"],
      ["qemu:///system?no_sanity=1x", "no_sanity"],
      ["qemu+tcp://127.0.0.1:{PORT}/system?no_tty=3000000000", "no_tty"],
      ["qemu+tcp://127.0.0.1:{PORT}/system?mode=fast", "'fast'"],
      ["qemu+tcp://127.0.0.1:{PORT}/system?mode=AUTO", "'AUTO'"],
      ["qemu+tcp://127.0.0.1:{PORT}/system?proxy=x", "'x'"],
      ["qemu+tcp://127.0.0.1:{PORT}/system?auth=magic", "magic"],
      ["qemu+ext:///system", "command"],
      ["qemu+ssh://host/system?mode=direct", "ssh"],
      ["qemu+ssh://host/system?proxy=native&netcat=x", "netcat"],
      ["qemu+libssh://host/system?sshauth=magic", "magic"],
      ["qemu+libssh2://host/system?known_hosts_verify=magic", "magic"],
      ["qemu+tls://localhost/system?pkipath=/nowhere", "/nowhere/cacert.pem"],
    ])("%s", async (template, naming) => {
      const uri = fill(template);
      const { says, ...virsh } = await theirs(uri, {});
      expect(virsh.names).toEqual([]);
      const { error } = await ours(uri, {});
      expect(error, says).toBeInstanceOf(VirtError);
      const { message } = error as VirtError;
      // The same error, and more than libvirt says about what is wrong.
      const [kind = ""] = /^[^:]+/.exec(says) ?? [];
      expect(message.startsWith(kind), `virsh: ${says}\nours: ${message}`).toBe(true);
      expect(message).toContain(naming);
    });
  });
});

part("auth.conf and certificates beside virsh", labObstacle(), () => {
  let lab: Lab;
  let state: LabState;
  let home: string;
  beforeAll(async () => {
    lab = await Lab.up({ hosts: ["alpha"], up: ["--tls", "--auth", "sasl"], tag: "vwuri", net: "10.86.0" });
    state = await lab.state();
    // The sockets are for everybody, once one gets there.
    for (const folder of ["", "alpha", "alpha/run", "alpha/run/libvirt"]) await chmod(join(lab.dir, folder), 0o755);
    home = await mkdtemp(join(tmpdir(), "virtwire-auth-"));
    await chmod(home, 0o755);
    for (const folder of ["config/libvirt", ".pki/libvirt", "pki"])
      await mkdir(join(home, folder), { recursive: true });
    const names = { ca: "cacert.pem", cert: "clientcert.pem", key: "clientkey.pem" } as const;
    for (const [part, name] of Object.entries(names)) {
      const bytes = await readFile(state.pki[part as keyof typeof names]);
      for (const folder of [".pki/libvirt", "pki"]) await writeFile(join(home, folder, name), bytes);
    }
  });
  afterAll(async () => {
    await lab?.down();
    if (home !== undefined) await rm(home, { recursive: true, force: true });
  });

  const alpha = () => state.hosts.alpha as LabHost;
  const environment = (env: Record<string, string> = {}) => ({
    PATH: process.env.PATH ?? "",
    HOME: home,
    XDG_CONFIG_HOME: join(home, "config"),
    LC_ALL: "C.UTF-8",
    ...env,
  });
  /** The text of virsh's error, empty for none. It must not ask anybody. */
  async function theirs(uri: string, env?: Record<string, string>): Promise<string> {
    const args = [...asUser.slice(1), "sh", "-c", 'exec virsh -c "$0" uri </dev/null', uri];
    const { code, stderr } = await runProcess("setpriv", args, { env: environment(env), timeout: 30_000 });
    expect(code === 0, stderr).toBe(stderr.trim() === "");
    return (
      stderr
        .trim()
        .split("\n")
        .at(-1)
        ?.replace(/^error: /, "") ?? ""
    );
  }
  async function ours(uri: string, env?: Record<string, string>): Promise<unknown> {
    const system: System = { ...(await thisSystem()), uid: USER, home, env: environment(env) };
    try {
      await (await connect(uri, { system })).close();
      return undefined;
    } catch (error) {
      return error;
    }
  }

  const right = "[credentials-x]\nauthname=lab\npassword=secret\n";
  const wrong = "[credentials-x]\nauthname=lab\npassword=no\n";
  const use = (group: string, credentials = "x") => `[auth-libvirt-${group}]\ncredentials=${credentials}\n`;
  /** What is in which file, what the environment says, what the URI says, and how it must end. */
  interface Case {
    readonly file?: string;
    readonly user?: string;
    readonly other?: string;
    readonly env?: string;
    readonly uri?: string;
    readonly over?: "unix" | "tls";
  }
  test.each<[string, boolean, Case]>([
    ["the user's own file", true, { user: right + use("localhost") }],
    ["fallback to the default", true, { user: right + use("default") }],
    ["the host's own before the default", true, { user: `${right}${use("default", "y")}${use("localhost")}` }],
    [
      "LIBVIRT_AUTH_FILE before the user's",
      true,
      { env: "file", file: right + use("default"), user: wrong + use("default") },
    ],
    [
      "LIBVIRT_AUTH_FILE before authfile",
      true,
      { env: "file", file: right + use("default"), uri: "other", other: wrong },
    ],
    ["authfile before the user's", true, { uri: "file", file: right + use("default"), user: wrong + use("default") }],
    ["by the URI's host over TLS", true, { over: "tls", user: `${right}[auth-libvirt-HOST]\ncredentials=x\n` }],
    ["another host's", false, { over: "tls", user: right + use("localhost") }],
    ["nothing known", false, {}],
    ["a wrong password", false, { user: wrong + use("default") }],
    ["blanks before the value", true, { user: right.replace("=secret", " =  secret") + use("default") }],
    ["blanks behind the value", false, { user: right.replace("=secret", "=secret ") + use("default") }],
    ["an escape in the value", false, { user: right.replace("=secret", "=\\secret") + use("default") }],
    [
      "comments, groups that go on, keys that come again",
      true,
      {
        user: `# c\n${wrong}${use("default")}  # d\n\n[credentials-x]\npassword=secret\n`,
      },
    ],
    ["DOS lines", true, { user: (right + use("default")).replaceAll("\n", "\r\n") }],
    ["without credentials", false, { user: "[auth-libvirt-default]\nuser=lab\n" }],
    ["without the group that it names", false, { user: use("default", "gone") }],
    ["what is no key file", false, { user: `hello\n${right}${use("default")}` }],
    ["a file that is not there", false, { uri: "file" }],
  ])("auth.conf: %s", async (_name, good, { file, user, other, env, uri, over = "unix" }) => {
    const text = (content: string) => content.replace("HOST", alpha().ip);
    const paths = {
      file: join(home, "file"),
      other: join(home, "other"),
      user: join(home, "config/libvirt/auth.conf"),
    };
    for (const [name, content] of Object.entries({ file, other, user })) {
      const path = paths[name as keyof typeof paths];
      await rm(path, { force: true });
      // Everybody may read it, which libvirt does not mind either.
      if (content !== undefined) await writeFile(path, text(content), { mode: 0o644 });
    }
    const environ = env === undefined ? {} : { LIBVIRT_AUTH_FILE: join(home, env) };
    const parameter = uri === undefined ? "" : `&authfile=${join(home, uri)}`;
    const base =
      over === "unix"
        ? `test+unix:///default?socket=${alpha().unix}`
        : `test+tls://${alpha().ip}:${alpha().tls}/default?a=1`;
    const says = await theirs(base + parameter, environ);
    expect(says === "", says).toBe(good);
    const error = await ours(base + parameter, environ);
    expect(error === undefined, String(error)).toBe(good);
    // The same error wherever libvirt has one: for what GLib cannot read it has none.
    const [kind = ""] = /^[^:]+/.exec(says) ?? [];
    if (!/cause is unknown|^$/.test(says))
      expect((error as Error).message.startsWith(kind), `${says}\n${error}`).toBe(true);
  });

  test.each<[string, string[], string]>([
    ["pkipath", [".pki"], "pkipath={HOME}/pki"],
    ["the user's own place", [], ""],
    ["no CA there", [".pki/libvirt/cacert.pem"], ""],
    ["pkipath without fallback", ["pki/cacert.pem"], "pkipath={HOME}/pki"],
    ["no certificate of our own", ["pki/clientcert.pem"], "pkipath={HOME}/pki"],
  ])("certificates: %s", async (_name, away, query) => {
    await writeFile(join(home, "config/libvirt/auth.conf"), right + use("default"));
    const uri = `test+tls://${alpha().ip}:${alpha().tls}/default?${query.replace("{HOME}", home)}`;
    for (const name of away) await rename(join(home, name), join(home, "away"));
    try {
      const says = await theirs(uri);
      const error = await ours(uri);
      expect(error === undefined, `virsh: ${says}\nours: ${error}`).toBe(says === "");
      const [missing = ""] = /'\S+cacert.pem'/.exec(says) ?? [];
      expect(String(error)).toContain(missing);
    } finally {
      for (const name of away) await rename(join(home, "away"), join(home, name));
    }
  });
});
