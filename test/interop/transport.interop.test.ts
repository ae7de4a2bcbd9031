/** Our transports against real libvirtd, and against OpenSSH's server and agent on this machine. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { authList, connectGetHostname, connectOpen } from "../../src/generated/remote/index.ts";
import { Peer } from "../../src/rpc/index.ts";
import {
  dialExt,
  dialLibssh,
  dialSsh,
  dialTls,
  type LibsshOptions,
  type SshOptions,
  sockets,
  type TlsOptions,
  type Transport,
} from "../../src/transport/index.ts";
import { tlsPriority } from "../../src/transport/tls-priority.ts";
import { Lab, type LabHost, type LabState, labObstacle } from "../lab/lab.ts";
import { TestAuthority } from "../transport/certificates.ts";
import { leavesNothing } from "../transport/leak.ts";
import { part } from "./part.ts";
import { freePort, installOpenSsh, reachable } from "./sshd.ts";

const run = promisify(execFile);

/** Opens a connection over a transport, asks for the host's name, and closes it. */
async function hostname(transport: Transport): Promise<string> {
  const peer = new Peer(transport);
  try {
    await peer.call(authList, undefined);
    await peer.call(connectOpen, { name: "test:///default", flags: 1 });
    return (await peer.call(connectGetHostname, undefined)).hostname;
  } finally {
    await peer.close();
  }
}

/** How a pipe ends that is only listened to. */
function end(transport: Transport): Promise<Error | undefined> {
  return new Promise((resolve) => transport.start({ bytes: () => {}, end: resolve }));
}

/** The error of a dial that must fail and leave nothing behind. */
function refusal(work: () => Promise<unknown>): Promise<Error> {
  return leavesNothing(async () => {
    try {
      await work();
    } catch (error) {
      return error as Error;
    }
    throw new Error("nothing was refused");
  });
}

let lab: Lab;
let state: LabState;
let alpha: LabHost;
let dir: string;

part("our transports against libvirtd", labObstacle(), () => {
  beforeAll(async () => {
    await installOpenSsh();
    lab = await Lab.up({ hosts: ["alpha"], tag: "vd", net: "10.81.0", up: ["--tls"] });
    state = await lab.state();
    alpha = await lab.host("alpha");
    dir = await mkdtemp(join(tmpdir(), "vw-transport-"));
  });
  afterAll(async () => {
    await lab?.down();
    if (dir !== undefined) await rm(dir, { recursive: true });
  });

  test("unix and tcp", async () => {
    const { dialTcp, dialUnix } = await sockets();
    await leavesNothing(async () => {
      expect(await hostname(await dialUnix(alpha.unix))).toBe("alpha");
      expect(await hostname(await dialUnix(alpha.unixReadOnly))).toBe("alpha");
      expect(await hostname(await dialTcp(alpha.ip, alpha.tcp))).toBe("alpha");
      expect(await hostname(await dialTcp(alpha.ip6, alpha.tcp))).toBe("alpha");
    });
  });

  describe("tls", () => {
    const dial = (more: Partial<TlsOptions> = {}) => {
      const { ca, cert, key } = state.pki;
      return dialTls({ host: alpha.ip, port: alpha.tls ?? 0, ca, cert, key, ...more });
    };

    test("with our certificate, to an address of either kind, in both versions of TLS", async () => {
      await leavesNothing(async () => {
        const transport = await dial();
        expect(transport.peer).toMatchObject({ secure: true, security: { encrypted: true, ssf: 256 } });
        expect(transport.peer.tls).toMatchObject({ protocol: "TLSv1.3", verified: true });
        expect(transport.peer.tls?.subject).toContain("alpha");
        expect(await hostname(transport)).toBe("alpha");
        expect(await hostname(await dial({ host: alpha.ip6 }))).toBe("alpha");
        const older = await dial({ priority: "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-GCM" });
        expect([older.peer.tls?.protocol, older.peer.security.ssf]).toEqual(["TLSv1.2", 128]);
        expect(await hostname(older)).toBe("alpha");
      });
    });

    test("tls_priority: each keyword has what GnuTLS gives it, and libvirtd takes it", async () => {
      // Both know a suite by its two bytes.
      const ccm = ["-ciphersuites", "TLS_AES_128_CCM_SHA256"]; // off by default
      const { stdout: most } = await run("openssl", ["ciphers", "-V", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]);
      const { stdout: more } = await run("openssl", ["ciphers", "-V", ...ccm, "ALL:@SECLEVEL=0"]);
      const names = new Map(
        [...`${most}${more}`.matchAll(/0x(..),0x(..) - (\S+)/g)].map(([, a, b, name = ""]) => [
          `${a}${b}`.toLowerCase(),
          name,
        ]),
      );
      for (const keyword of ["NORMAL", "PERFORMANCE", "PFS", "SECURE128", "SECURE192", "SECURE256"]) {
        const { stdout: listed } = await run("gnutls-cli", ["--list", "--priority", keyword]);
        const suites = [...listed.matchAll(/^TLS_\S+\s+0x(..), 0x(..)/gm)].map(([, a, b]) => names.get(`${a}${b}`));
        const groups = /^Groups: (.*)$/m.exec(listed)?.[1]?.split(", ") ?? [];
        const ours = tlsPriority(keyword);
        const openssl = new Set(names.values());
        expect(ours.ciphers?.split(":").filter((name) => openssl.has(name))).toEqual(suites);
        expect(ours.ecdhCurve).toBe(tlsPriority(`NONE:+VERS-TLS1.3:+AES-256-GCM:+${groups.join(":+")}`).ecdhCurve);
        const long = !/^PK-signatures: .*SHA256/m.test(listed);
        expect([keyword, ours.sigalgs === undefined]).toEqual([keyword, !long]);
        expect(await hostname(await dial({ priority: keyword }))).toBe("alpha");
        const older = await dial({ priority: `${keyword}:-VERS-TLS1.3` });
        expect(older.peer.tls?.protocol).toBe("TLSv1.2");
        await older.close();
      }
    });

    test("a certificate of a CA that the server does not know, or none: refused, and said so", async () => {
      const { rogueCert: cert, rogueKey: key } = state.pki;
      const own = await refusal(() => dial({ cert, key }));
      expect(own).toMatchObject({ name: "TransportError", code: "own-certificate" });
      const rogue = await refusal(() => dial({ cert, key, sanity: false }));
      expect(rogue).toMatchObject({
        code: "rejected",
        message: expect.stringContaining("refused our certificate or address: "),
      });
      const none = await refusal(() => dialTls({ host: alpha.ip, port: alpha.tls ?? 0, ca: state.pki.ca }));
      expect(none).toMatchObject({ code: "rejected", message: expect.stringContaining("we have no certificate") });
    });

    test("a server of another CA, or of another name", async () => {
      const other = new TestAuthority({ name: "other CA" });
      const untrusted = await refusal(() => dial({ ca: other.cert, sanity: false }));
      expect(untrusted).toMatchObject({ code: "certificate-untrusted", message: expect.stringContaining("issuer: ") });
      expect(await hostname(await dial({ ca: other.cert, sanity: false, verify: false }))).toBe("alpha");
      const forward: Server = createServer((socket) => {
        const there = connect({ host: alpha.ip, port: alpha.tls ?? 0 });
        for (const one of [socket, there]) one.on("error", () => {});
        socket.pipe(there).pipe(socket);
        socket.on("close", () => there.destroy());
      });
      await new Promise<void>((resolve) => forward.listen(0, "127.0.0.9", resolve));
      const where = { host: "127.0.0.9", port: (forward.address() as { port: number }).port };
      const wrong = await refusal(() => dial(where));
      expect(wrong).toMatchObject({ code: "certificate-host", message: expect.stringContaining("not for 127.0.0.9") });
      expect(await hostname(await dial({ ...where, verify: false }))).toBe("alpha");
      await new Promise((resolve) => forward.close(resolve));
    });
  });

  test("ext: a program that leads to the socket", async () => {
    const command = join(dir, "tunnel");
    await writeFile(command, `#!/bin/sh\nexec nc -U ${alpha.unix}\n`);
    await chmod(command, 0o755);
    await leavesNothing(async () => expect(await hostname(await dialExt({ command }))).toBe("alpha"));
    await writeFile(command, `#!/bin/sh\nexec nc -U ${dir}/nothing\n`);
    const error = await leavesNothing(async () => await end(await dialExt({ command })));
    expect(error).toMatchObject({
      name: "TransportError",
      code: "io",
      message: expect.stringContaining("No such file"),
    });
  });

  describe("ssh", () => {
    const user = `vwd${process.pid}`;
    const password = "Correct-Horse-9";
    let daemon: ChildProcess;
    let agent: ChildProcess;
    let port: number;
    let knownHosts: string;
    const file = (name: string) => join(dir, name);
    const remote = () => ({ proxy: "netcat", socket: alpha.unix, uri: "test:///default" }) as const;

    beforeAll(async () => {
      await mkdir("/run/sshd", { recursive: true, mode: 0o755 });
      for (const name of ["host", "otherhost", "user", "agentkey", "stranger"]) {
        await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", file(name)]);
      }
      const keys = await Promise.all(["user.pub", "agentkey.pub"].map((name) => readFile(file(name), "utf8")));
      await writeFile(file("authorized_keys"), keys.join(""));
      // Where a user that is not root has to pass to the lab's socket.
      for (const path of [dir, lab.dir]) await chmod(path, 0o711);
      await chmod(file("authorized_keys"), 0o644);
      const { stdout: hash } = await run("openssl", ["passwd", "-6", password]);
      // A second name for a user of every Debian: libvirtd looks its clients up in the lab's own list of users.
      const games = ["--non-unique", "--uid", "5", "--gid", "60", "--no-create-home", "--shell", "/bin/sh"];
      await run("useradd", [...games, "--password", hash.trim(), user]);

      port = await freePort();
      await writeFile(
        file("sshd_config"),
        [
          `ListenAddress 127.0.0.1:${port}`,
          `HostKey ${file("host")}`,
          `AuthorizedKeysFile ${file("authorized_keys")}`,
          "PidFile none",
          "StrictModes no",
          "UsePAM no",
          "PermitRootLogin prohibit-password",
          "PasswordAuthentication yes",
          "MaxAuthTries 6",
        ].join("\n"),
      );
      daemon = spawn("/usr/sbin/sshd", ["-D", "-e", "-f", file("sshd_config")], { stdio: "ignore" });
      agent = spawn("ssh-agent", ["-D", "-a", file("agent")], { stdio: "ignore" });
      while (!(await reachable({ host: "127.0.0.1", port }))) expect(daemon.exitCode).toBe(null);
      while (!(await reachable({ path: file("agent") }))) expect(agent.exitCode).toBe(null);
      await run("ssh-add", ["-q", file("agentkey")], { env: { ...process.env, SSH_AUTH_SOCK: file("agent") } });

      const [type, key] = (await readFile(file("host.pub"), "utf8")).split(" ");
      knownHosts = file("known_hosts");
      await writeFile(knownHosts, `[127.0.0.1]:${port} ${type} ${key}\n`);
      await run("ssh-keygen", ["-q", "-H", "-f", knownHosts]).catch(() => {}); // hashed names, as Debian has them
      const [otherType, otherKey] = (await readFile(file("otherhost.pub"), "utf8")).split(" ");
      await writeFile(file("wrong_hosts"), `[127.0.0.1]:${port} ${otherType} ${otherKey}\n`);
    });
    afterAll(async () => {
      for (const child of [daemon, agent]) {
        if (child === undefined || child.exitCode !== null) continue;
        const gone = new Promise((resolve) => child.once("exit", resolve));
        child.kill();
        await gone;
      }
      await run("userdel", [user]).catch(() => {});
    });

    describe("the system's ssh", () => {
      /** ssh with a user's configuration of its own: nothing of this machine's user is read or written. */
      const ssh = async (name: string, hosts: string, lines: readonly string[] = []): Promise<string> => {
        const config = ["StrictHostKeyChecking yes", "IdentitiesOnly yes", `UserKnownHostsFile ${hosts}`, ...lines];
        await writeFile(file(`${name}.config`), `${config.join("\n")}\n`);
        await writeFile(file(name), `#!/bin/sh\nexec ssh -F ${file(`${name}.config`)} "$@"\n`);
        await chmod(file(name), 0o755);
        return file(name);
      };
      const dial = async (more: Partial<SshOptions> = {}) => {
        const command = await ssh("ssh", knownHosts);
        const keyfile = file("user");
        return dialSsh({
          host: "127.0.0.1",
          port,
          user: "root",
          keyfile,
          noTty: true,
          command,
          remote: remote(),
          ...more,
        });
      };

      test("to the socket, by the host's own netcat and by one that is named", async () => {
        await leavesNothing(async () => {
          expect(await hostname(await dial())).toBe("alpha");
          expect(await hostname(await dial({ remote: { ...remote(), netcat: "/bin/nc" } }))).toBe("alpha");
        });
      });

      test("the helper's own words come through", async () => {
        const native = { ...remote(), proxy: "native", readOnly: true, uri: "test:///default?mode=legacy" } as const;
        const error = await leavesNothing(async () => await end(await dial({ remote: native })));
        expect(error).toMatchObject({ name: "TransportError", message: expect.stringContaining("libvirt-sock-ro") });
      });

      test("refused, wrong host key, unknown host key, no login, no command, no socket", async () => {
        const closed = await freePort();
        const cases: [Partial<SshOptions>, string, RegExp][] = [
          [{ port: closed }, "connect", /Connection refused/],
          [
            { command: await ssh("ssh-wrong", file("wrong_hosts")) },
            "host-key",
            /REMOTE HOST IDENTIFICATION HAS CHANGED/,
          ],
          [{ command: await ssh("ssh-unknown", "/dev/null") }, "host-key", /Host key verification failed/],
          [{ keyfile: file("stranger") }, "auth", /Permission denied/],
          [{ remote: { ...remote(), netcat: "/nonexistent/nc" } }, "command", /not found/],
          [{ remote: { ...remote(), socket: file("nothing") } }, "io", /No such file or directory/],
        ];
        for (const [options, code, message] of cases) {
          const error = await leavesNothing(async () => await end(await dial(options)));
          expect(error).toMatchObject({ name: "TransportError", code, message: expect.stringMatching(message) });
        }
        // As libvirt's `no_verify`.
        const command = await ssh("ssh-lax", "/dev/null");
        const lax = (await readFile(`${command}.config`, "utf8")).replace(/^Strict.*\n/, "");
        await writeFile(`${command}.config`, lax);
        expect(await hostname(await dial({ command, noVerify: true }))).toBe("alpha");
      });
    });

    describe.each(["libssh", "libssh2"] as const)("%s", (transport) => {
      const dial = (more: Partial<LibsshOptions> = {}) =>
        dialLibssh({
          transport,
          host: "127.0.0.1",
          port,
          knownHosts,
          agent: "",
          methods: ["privkey"],
          keyfile: file("user"),
          remote: remote(),
          ...more,
        });

      test("by key, by agent, by password", async () => {
        const { keyfile: _, ...rest } = { keyfile: 0 };
        await leavesNothing(async () => {
          expect(await hostname(await dial())).toBe("alpha");
          expect(await hostname(await dial({ ...rest, methods: ["agent"], agent: file("agent") }))).toBe("alpha");
          const ask = async ({ attempt }: { attempt: number }) => ["wrong", password][attempt];
          expect(await hostname(await dial({ user, methods: ["password"], ask }))).toBe("alpha");
        });
      });

      test("refused, wrong host key, unknown host key, no login, no command, no socket", async () => {
        const closed = await freePort();
        const cases: [Partial<LibsshOptions>, string, RegExp][] = [
          [{ port: closed }, "connect", /nothing listens there/],
          [{ knownHosts: file("wrong_hosts") }, "host-key", /is not the one that .*wrong_hosts has in line 1/],
          [{ knownHosts: file("no_hosts") }, "host-key", /not known/],
          [{ keyfile: file("stranger") }, "auth", /refused the login of root: tried were privkey/],
          [{ methods: ["agent"], agent: file("nothing") }, "auth", /refused the login/],
          [{ user, methods: ["password"], ask: async () => "wrong" }, "auth", /tried were password/],
        ];
        for (const [options, code, message] of cases) {
          const error = await refusal(() => dial(options));
          expect(error).toMatchObject({ name: "TransportError", code, message: expect.stringMatching(message) });
        }
        const missing: [Partial<LibsshOptions>, string, RegExp][] = [
          [{ remote: { ...remote(), netcat: "/nonexistent/nc" } }, "command", /status 127: .*not found/],
          [{ remote: { ...remote(), socket: file("nothing") } }, "io", /No such file or directory/],
        ];
        for (const [options, code, message] of missing) {
          const error = await leavesNothing(async () => {
            const pipe = await dial(options);
            const why = await end(pipe);
            await pipe.close();
            return why;
          });
          expect(error).toMatchObject({ name: "TransportError", code, message: expect.stringMatching(message) });
        }
      });

      test("an unknown host is kept in auto mode, in a line that OpenSSH understands", async () => {
        const kept = file(`kept-${transport}`);
        expect(await hostname(await dial({ knownHosts: kept, knownHostsVerify: "auto" }))).toBe("alpha");
        const { stdout } = await run("ssh-keygen", ["-F", `[127.0.0.1]:${port}`, "-f", kept]);
        expect(stdout).toContain("found: line 1");
        expect(await hostname(await dial({ knownHosts: kept }))).toBe("alpha");
      });
    });
  });
});
