/**
 * Every way to reach a real libvirtd, by its URI and nothing else, beside virsh with the same URI; and what becomes of
 * such connections when the daemon or the network goes away.
 */
import { chown, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Connection, type ConnectOptions, connect } from "../../src/api/index.ts";
import { type System, thisSystem } from "../../src/client/system.ts";
import { VirConnectCloseReason, VirDomainEventType, VirErrorNumber } from "../../src/generated/libvirt/index.ts";
import { Lab, type LabState, labObstacle, runProcess } from "../lab/lab.ts";
import { leavesNothing } from "../transport/leak.ts";
import { part } from "./part.ts";
import { Sshd } from "./sshd.ts";

type Mode = "rw" | "ro";
type Query = Readonly<Record<string, string>>;

/** A URI, and what a connection needs besides. */
interface Way {
  readonly uri: string;
  readonly options?: ConnectOptions;
  /** Who is asked the same. Default: virsh with the same URI. */
  readonly virsh?: (...args: string[]) => Promise<{ code: number; stdout: string; stderr: string }>;
}

/** Nobody in particular, whose session's daemon runs in the test's own folder. */
const USER = 65_534;
const asUser = ["setpriv", `--reuid=${USER}`, `--regid=${USER}`, "--clear-groups"];

const { VIR_ERR_AUTH_FAILED, VIR_ERR_OPERATION_DENIED } = VirErrorNumber;

part("every way to a libvirtd", labObstacle(), () => {
  let lab: Lab;
  let state: LabState;
  let sshd: Sshd;
  let folder: string;
  let ssh: string;
  const table: string[] = [];
  const row = (transport: string, login: string, mode: string, verdict: string) =>
    table.push(`${transport.padEnd(9)} ${login.padEnd(24)} ${mode.padEnd(11)} ${verdict}`);

  beforeAll(async () => {
    lab = await Lab.up({ hosts: ["alpha"], up: ["--tls"], tag: "vj", net: "10.85.0" });
    await lab.command("up", "--hosts", "beta", "--tls", "--auth", "sasl");
    state = await lab.state();
    folder = await mkdtemp(join(tmpdir(), "vw-connections-"));
    sshd = await Sshd.start(folder);
    ssh = await sshd.client("ssh", sshd.knownHosts);
    for (const host of ["alpha", "beta"]) {
      const { unix, ip, tcp } = state.hosts[host] as LabState["hosts"][string];
      await writeFile(join(folder, host), `#!/bin/sh\nexec nc -U ${unix}\n`, { mode: 0o755 });
      await writeFile(join(folder, `${host}-tcp`), `#!/bin/sh\nexec nc ${ip} ${tcp}\n`, { mode: 0o755 });
    }
    const wrong = (await readFile(join(state.dir, "auth.conf"), "utf8")).replace(/^password=.*$/m, "password=wrong");
    await writeFile(join(folder, "wrong.conf"), wrong);
  });
  afterAll(async () => {
    console.log(["transport login                    mode        verdict", ...table].join("\n"));
    await sshd?.stop();
    await lab?.down();
    if (folder !== undefined) await rm(folder, { recursive: true });
  });

  /** `qemu+unix:///system?socket=…` and the like, all that the way needs being in the URI. */
  function uriOf(transport: string, host: string, more: Query = {}): string {
    const { ip, unix } = state.hosts[host] as LabState["hosts"][string];
    const far = { socket: unix, keyfile: sshd.keyfile };
    const [authority, own]: [string, Query] = {
      unix: ["", { socket: unix }],
      tcp: [ip, {}],
      tls: [ip, { pkipath: join(state.dir, "pki/client") }],
      ssh: [`root@127.0.0.1:${sshd.port}`, { ...far, no_tty: "1", command: ssh }],
      libssh2: [`root@127.0.0.1:${sshd.port}`, { ...far, known_hosts: sshd.knownHosts, sshauth: "privkey" }],
      ext: ["", { command: join(folder, host) }],
    }[transport] as [string, Query];
    const query = Object.entries({ ...own, ...more }).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    return `qemu+${transport}://${authority}/system?${query.join("&")}`;
  }
  const sasl = (mechanism: string, authfile = join(state.dir, "auth.conf")): Query => ({
    auth: `sasl.${mechanism}`,
    authfile,
  });

  let guests = 0;
  const newGuest = () => `cell${++guests}`;
  const define = (conn: Connection, name: string) =>
    conn.defineXML(
      `<domain type='qemu'><name>${name}</name><memory>4096</memory><os><type arch='x86_64'>hvm</type></os></domain>`,
    );

  /** All of it: as virsh sees it, a write, events, and nothing left behind. */
  async function cell(way: Way, mode: Mode): Promise<void> {
    const { uri, options } = way;
    const readOnly = mode === "ro";
    const virsh = way.virsh ?? ((...args: string[]) => lab.virsh(uri, ...args));
    await leavesNothing(async () => {
      const conn = await connect(uri, { readOnly, ...options });
      expect(conn.uri).toBe(uri);
      expect(conn.readOnly).toBe(readOnly);

      const questions = "version --daemon; hostname; list --all --uuid --name";
      const { stdout, stderr } = await virsh(...(readOnly ? ["-r"] : []), "-q", questions);
      const [version, hostname, ...listed] = stdout.slice(stdout.indexOf("Running against daemon")).split(/\n+/);
      expect(version, stderr).toMatch(/: \d/);
      const number = await conn.getLibVersion();
      const ours = [Math.floor(number / 1_000_000), Math.floor(number / 1000) % 1000, number % 1000];
      expect(`Running against daemon: ${ours.join(".")}`).toBe(version);
      expect(await conn.getHostname()).toBe(hostname);
      const domains = await conn.listAllDomains();
      const lines = domains.map((domain) => `${domain.getUUIDString()} ${domain.getName()}`);
      expect(lines.sort()).toEqual(listed.filter(Boolean).sort());

      const name = newGuest();
      const events = await conn.domainEvents("lifecycle");
      if (readOnly) await expect(define(conn, name)).rejects.toMatchObject({ code: VIR_ERR_OPERATION_DENIED });
      const writer = readOnly ? await connect(uri, options) : conn;
      const guest = await define(writer, name);
      expect(await events.next()).toMatchObject({
        value: { kind: "lifecycle", event: VirDomainEventType.VIR_DOMAIN_EVENT_DEFINED },
      });
      await guest.undefine();
      for await (const event of events) {
        if (event.kind === "gap") throw new Error("nothing should be missing");
        expect(event.domain.getName()).toBe(name);
        if (event.event === VirDomainEventType.VIR_DOMAIN_EVENT_UNDEFINED) break;
      }
      if (writer !== conn) await writer.close();
      await conn.close();
      expect(conn.closeReason).toBe(VirConnectCloseReason.VIR_CONNECT_CLOSE_REASON_CLIENT);
    });
  }

  describe.each<Mode>(["rw", "ro"])("the system's daemon, %s", (mode) => {
    const seen = mode === "rw" ? "as virsh; writes; events" : "as virsh; a write is refused with 29; events";

    test.each(["unix", "tcp", "tls", "ssh", "libssh2", "ext"])("%s without login", async (transport) => {
      await cell({ uri: uriOf(transport, "alpha") }, mode);
      row(transport, "none", `system ${mode}`, seen);
    });

    test.each([
      ["unix", "SCRAM-SHA-256"],
      ["tls", "SCRAM-SHA-256"],
      ["ssh", "SCRAM-SHA-256"],
      ["libssh2", "SCRAM-SHA-256"],
      ["tcp", "DIGEST-MD5"],
      ["ext", "DIGEST-MD5"],
    ])("%s with %s", async (transport, mechanism) => {
      const query = { ...sasl(mechanism), ...(transport === "ext" && { command: join(folder, "beta-tcp") }) };
      await cell({ uri: uriOf(transport, "beta", query) }, mode);
      row(transport, mechanism, `system ${mode}`, seen);
    });
  });

  test("the read-only socket of a daemon that wants a login elsewhere", async () => {
    const socket = state.hosts.beta?.unixReadOnly ?? "";
    await leavesNothing(async () => {
      const conn = await connect(uriOf("unix", "beta", { socket }));
      expect(await conn.getHostname()).toBe("beta");
      await expect(define(conn, newGuest())).rejects.toMatchObject({ code: VIR_ERR_OPERATION_DENIED });
      await conn.close();
    });
    row("unix -ro", "none", "system rw", "reads without login; a write is refused with 29");
  });

  describe("logins that the caller's code answers", () => {
    const password = "secret";
    test.each([
      ["unix", "SCRAM-SHA-256"],
      ["tls", "SCRAM-SHA-256"],
      ["tcp", "DIGEST-MD5"],
    ])("%s takes %s by itself", async (transport, mechanism) => {
      const uri = uriOf(transport, "beta", { authfile: "/dev/null" });
      await leavesNothing(async () => {
        const asked: string[] = [];
        const credentials = (requests: readonly { readonly prompt: string }[]) => {
          asked.push(...requests.map(({ prompt }) => prompt));
          return requests.map(({ prompt }) => (prompt === "Password" ? password : "lab"));
        };
        for (const answers of [credentials, { authname: "lab", password }]) {
          const conn = await connect(uri, { auth: { credentials: answers } });
          expect(await conn.getHostname()).toBe("beta");
          expect(conn.identity.secure).toBe(true);
          await conn.close();
        }
        expect(asked).toEqual(["Login name", "Password"]);
      });
      row(transport, `${mechanism}, callback`, "system rw", "chosen among the daemon's; opens");
    });
  });

  describe("refused by design, or by the other side", () => {
    test.each<[transport: string, login: string, verdict: object, way: () => Way]>([
      [
        "tcp",
        "SCRAM-SHA-256",
        {
          name: "VirtError",
          code: VIR_ERR_AUTH_FAILED,
          message: expect.stringContaining("SCRAM-SHA-256 not supported"),
        },
        () => ({ uri: uriOf("tcp", "beta", sasl("SCRAM-SHA-256")) }),
      ],
      [
        "ext",
        "SCRAM-SHA-256",
        { name: "VirtError", code: VIR_ERR_AUTH_FAILED },
        () => ({ uri: uriOf("ext", "beta", sasl("SCRAM-SHA-256")) }),
      ],
      ...(["unix", "tls", "tcp"] as const).map((transport): [string, string, object, () => Way] => [
        transport,
        "wrong password",
        {
          name: "VirtError",
          code: VIR_ERR_AUTH_FAILED,
          message: "authentication failed: authentication failed",
        },
        () => {
          const mechanism = transport === "tcp" ? "DIGEST-MD5" : "SCRAM-SHA-256";
          return { uri: uriOf(transport, "beta", sasl(mechanism, join(folder, "wrong.conf"))) };
        },
      ]),
      [
        "unix",
        "sasl where none is",
        { name: "VirtError", code: VIR_ERR_AUTH_FAILED, message: expect.stringContaining("sasl rejected") },
        () => ({ uri: uriOf("unix", "alpha", { auth: "sasl" }) }),
      ],
      [
        "unix",
        "nobody to ask",
        { name: "VirtError", code: VIR_ERR_AUTH_FAILED },
        () => ({ uri: uriOf("unix", "beta", { authfile: "/dev/null" }) }),
      ],
      [
        "tls",
        "rogue certificate",
        { name: "TransportError", code: "rejected" },
        () => {
          const { ca, rogueCert: cert, rogueKey: key } = state.pki;
          return { uri: uriOf("tls", "alpha", { no_sanity: "1" }), options: { tls: { ca, cert, key } } };
        },
      ],
      [
        "tls",
        "no certificate",
        { name: "TransportError", code: "rejected" },
        () => ({ uri: uriOf("tls", "alpha", { pkipath: join(folder, "ca-only") }) }),
      ],
      [
        "tls",
        "server of another CA",
        { name: "TransportError", code: "certificate-untrusted" },
        () => ({ uri: uriOf("tls", "alpha", { no_sanity: "1", pkipath: join(folder, "rogue-ca") }) }),
      ],
      [
        "ssh",
        "wrong host key",
        { name: "TransportError", code: "host-key" },
        () => ({ uri: uriOf("ssh", "alpha", { command: join(folder, "ssh-wrong") }) }),
      ],
      [
        "ssh",
        "key that is not let in",
        { name: "TransportError", code: "auth" },
        () => ({ uri: uriOf("ssh", "alpha", { keyfile: sshd.strangerKey }) }),
      ],
      [
        "libssh2",
        "wrong host key",
        { name: "TransportError", code: "host-key" },
        () => ({ uri: uriOf("libssh2", "alpha", { known_hosts: sshd.wrongHosts }) }),
      ],
      [
        "libssh2",
        "key that is not let in",
        { name: "TransportError", code: "auth" },
        () => ({ uri: uriOf("libssh2", "alpha", { keyfile: sshd.strangerKey }) }),
      ],
    ])("%s: %s", async (transport, login, verdict, way) => {
      await sshd.client("ssh-wrong", sshd.wrongHosts);
      for (const [name, ca] of [
        ["ca-only", state.pki.ca],
        ["rogue-ca", state.pki.rogueCert],
      ] as const) {
        await mkdir(join(folder, name), { recursive: true });
        await writeFile(join(folder, name, "cacert.pem"), await readFile(ca));
      }
      const { uri, options } = way();
      const error = await leavesNothing(async () => connect(uri, options ?? {}).then(nothingRefused, (e: Error) => e));
      expect(error).toMatchObject(verdict);
      const virsh = await lab.virsh(uri, "hostname");
      if (options === undefined) expect(virsh).toMatchObject({ code: 1 });
      row(transport, login, "system rw", `${error.name} ${(error as Error & { code: unknown }).code}`);
    });
  });

  describe("a user's session, whose daemon is started", () => {
    let home: string;
    let system: System;
    let env: Record<string, string>;
    beforeAll(async () => {
      home = join(folder, "home");
      for (const path of [home, join(home, "run")]) {
        await mkdir(path);
        await chown(path, USER, USER);
      }
      env = {
        PATH: process.env.PATH ?? "",
        HOME: home,
        XDG_RUNTIME_DIR: join(home, "run"),
        XDG_CONFIG_HOME: join(home, "config"),
        XDG_CACHE_HOME: join(home, "cache"),
        LC_ALL: "C.UTF-8",
      };
      const here = await thisSystem();
      // This process is root's, the session is somebody else's.
      system = {
        ...here,
        uid: USER,
        home,
        env,
        startDaemon: (program, args, environ) =>
          here.startDaemon("/usr/bin/setpriv", [...asUser.slice(1), program, ...args], environ),
        makeDirectory: async (path) => {
          await here.makeDirectory(path);
          await chown(path, USER, USER);
        },
      };
    });
    afterAll(async () => await stopDaemon(join(home, "run/libvirt/libvirtd.pid")));

    test.each<Mode>(["rw", "ro"])("unix, %s", async (mode) => {
      const uri = "qemu:///session";
      const virsh = (...args: string[]) => {
        const [program = "", ...rest] = [...asUser, "virsh", "-c", uri, ...args];
        return runProcess(program, rest, { env });
      };
      await cell({ uri, options: { system }, virsh }, mode);
      row(
        "unix",
        "none",
        `session ${mode}`,
        mode === "rw" ? "started; as virsh; writes; events" : "as virsh; 29; events",
      );
    });
  });

  describe("a user's session at the other end of ssh, whose daemon virt-ssh-helper starts", () => {
    const user = `vwj${process.pid}`;
    let home: string;
    beforeAll(async () => {
      home = join(folder, user);
      await mkdir(home);
      await runProcess("useradd", ["--no-create-home", "--home-dir", home, "--shell", "/bin/sh", "-p", "*", user]);
      expect(await runProcess("chown", [user, home])).toMatchObject({ code: 0 });
    });
    afterAll(async () => {
      await stopDaemon(join(home, ".cache/libvirt/libvirtd.pid"));
      await runProcess("userdel", [user]);
    });

    test.each<[string, Mode]>([
      ["ssh", "rw"],
      ["ssh", "ro"],
      ["libssh2", "rw"],
    ])("%s, %s", async (transport, mode) => {
      const uri = uriOf(transport, "alpha", { proxy: "native" })
        .replace("//root@", `//${user}@`)
        .replace("/system?", "/session?")
        .replace(/socket=[^&]*&/, "");
      await cell({ uri }, mode);
      row(transport, "none", `session ${mode}`, mode === "rw" ? "as virsh; writes; events" : "as virsh; 29; events");
    });
  });

  describe("faults", () => {
    const { VIR_CONNECT_CLOSE_REASON_EOF: EOF, VIR_CONNECT_CLOSE_REASON_KEEPALIVE: KEEPALIVE } = VirConnectCloseReason;
    const hosts = ["alpha", "beta"] as const;
    /** Transport, login and host. */
    const network = [
      ["tcp", "none", "alpha"],
      ["tcp", "DIGEST-MD5", "beta"],
      ["tls", "none", "alpha"],
      ["tls", "SCRAM-SHA-256", "beta"],
    ] as const;
    const all = [
      ...network,
      ["unix", "none", "alpha"],
      ["unix", "SCRAM-SHA-256", "beta"],
      ["ssh", "none", "alpha"],
      ["libssh2", "none", "alpha"],
      ["ext", "none", "alpha"],
    ] as const;
    type Ways = readonly (typeof all)[number][];
    const uriFor = ([transport, login, host]: (typeof all)[number]) =>
      uriOf(transport, host, login === "none" ? {} : sasl(login));
    const open = (ways: Ways, options: ConnectOptions) => Promise.all(ways.map((way) => connect(uriFor(way), options)));

    /** Ends what the daemons do, and expects of each connection that it is over, with this error and reason. */
    async function ends(ways: Ways, conns: readonly Connection[], what: string, code: string, reason: number) {
      const began = performance.now();
      const calls = conns.map((conn) => conn.getHostname().then(nothingRefused, (error: Error) => error));
      for (const [i, conn] of conns.entries()) {
        const error = await conn.closed;
        const [transport = "", login = ""] = ways[i] ?? [];
        expect(error, transport).toMatchObject({ name: "TransportError", code });
        expect(conn.closeReason, transport).toBe(reason);
        expect(await calls[i], transport).toMatchObject({ name: "TransportError" });
        await expect(conn.getHostname(), transport).rejects.toMatchObject({ code: "closed", cause: error });
        const seconds = ((performance.now() - began) / 1000).toFixed(1);
        row(transport, login, what, `TransportError ${code}, close reason ${reason}, after ${seconds} s`);
      }
    }

    /** That connecting to a host which says nothing takes no longer than it may. */
    async function opensInTime(ways: Ways, what: string) {
      const late = ways.map((way) => connect(uriFor(way), { timeout: 1000 }).then(nothingRefused, (e: Error) => e));
      for (const [i, error] of (await Promise.all(late)).entries()) {
        const [transport = "", login = ""] = ways[i] ?? [];
        expect(error, transport).toMatchObject({ name: "TimeoutError" });
        row(transport, login, what, "TimeoutError");
      }
    }

    test("freeze: keepalive ends connections, and connecting takes no longer than it may", async () => {
      await leavesNothing(async () => {
        const conns = await open(all, { keepAlive: { interval: 1, count: 3 } });
        for (const host of hosts) await lab.command("daemon", host, "freeze");
        try {
          await ends(all, conns, "freeze", "keepalive", KEEPALIVE);
          await opensInTime(all, "open frozen");
        } finally {
          for (const host of hosts) await lab.command("daemon", host, "thaw");
        }
      });
    });

    test("kill: the end of the pipe ends connections", async () => {
      await leavesNothing(async () => {
        const conns = await open(all, {});
        for (const host of hosts) await lab.command("daemon", host, "kill");
        try {
          await ends(all, conns, "kill", "eof", EOF);
        } finally {
          for (const host of hosts) await lab.command("daemon", host, "start");
        }
      });
    });

    test("a network that is cut: keepalive ends connections, and connecting takes no longer than it may", async () => {
      await leavesNothing(async () => {
        const conns = await open(network, { keepAlive: { interval: 1, count: 3 } });
        for (const host of hosts) await lab.command("net", host, "--cut");
        try {
          await ends(network, conns, "net --cut", "keepalive", KEEPALIVE);
          await opensInTime(network, "open cut");
        } finally {
          for (const host of hosts) await lab.command("net", host, "--heal");
        }
      });
    });

    test("restart: connections come back by themselves, and event streams go on behind a gap", async () => {
      await leavesNothing(async () => {
        const conns = await open(all, { reconnect: true });
        const streams = await Promise.all(conns.map((conn) => conn.domainEvents("lifecycle")));
        for (const host of hosts) await lab.command("daemon", host, "restart");
        for (const [i, stream] of streams.entries()) {
          const [transport, , host] = all[i] as (typeof all)[number];
          expect(await stream.next(), transport).toMatchObject({ value: { kind: "gap", reason: "reconnect" } });
          expect(await conns[i]?.getHostname()).toBe(host);
        }
        // What one defines all others at that daemon see.
        for (const [i, host] of [0, 1].map((i) => [i, all[i]?.[2]] as const)) {
          const name = newGuest();
          const guest = await define(conns[i] as Connection, name);
          for (const [j, stream] of streams.entries()) {
            if (all[j]?.[2] !== host) continue;
            const { value } = await stream.next();
            expect(value).toMatchObject({ kind: "lifecycle" });
            expect("domain" in value && value.domain.getName(), all[j]?.[0]).toBe(name);
          }
          await guest.undefine();
        }
        for (const [transport, login] of all) row(transport, login, "restart", "back by itself; gap, then events");
        await Promise.all(conns.map((conn) => conn.close()));
      });
    });
  });
});

function nothingRefused(): Error {
  throw new Error("nothing was refused");
}

/** Ends a session's daemon, and waits for it. */
async function stopDaemon(pidfile: string): Promise<void> {
  const pid = Number(await readFile(pidfile, "utf8").catch(() => ""));
  if (!(pid > 1)) return;
  process.kill(pid, "SIGTERM");
  await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(), { timeout: 30_000 });
}
