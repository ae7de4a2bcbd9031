import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { dialExt, dialSsh, type RemoteCommand, type SshOptions, type Transport } from "../../src/transport/index.ts";
import { remoteCommand } from "../../src/transport/ssh-command.ts";
import { leavesNothing } from "./leak.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "virtwire-ssh-"));
  vi.stubEnv("PATH", `${dir}:${process.env.PATH}`);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true });
});

/** Puts a program on the PATH. */
async function program(name: string, script: string): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

/** What came through until the end, and how that was. */
function read(transport: Transport): Promise<{ text: string; error: Error | undefined }> {
  let text = "";
  return new Promise((resolve) => {
    transport.start({
      bytes: (chunk) => {
        text += Buffer.from(chunk).toString();
      },
      end: (error) => resolve({ text, error }),
    });
  });
}

const remote: RemoteCommand = { socket: "/tmp/socket", uri: "qemu:///session", readOnly: true };
const dial = (more: Partial<SshOptions> = {}) => dialSsh({ host: "somehost", remote, ...more });

describe("ssh/arguments: what libvirt's own test expects of its client", () => {
  // Source: tests/virnetsockettest.c of libvirt 11.3.0, "SSH test 1" to "11": what an `ssh` that prints its arguments says.
  const nc = (path: string) =>
    `if '${path}' -q 2>&1 | grep "requires an argument" >/dev/null 2>&1; then ARG=-q0;else ARG=;fi;'${path}' $ARG -U /tmp/socket`;
  const cases: [string, Partial<SshOptions>, Partial<RemoteCommand>, string][] = [
    ["1", {}, { netcat: "nc" }, `-T -e none -- somehost sh -c '${nc("nc")}'`],
    [
      "2",
      { port: 9000, user: "fred", noTty: true },
      { netcat: "netcat" },
      `-p 9000 -l fred -T -e none -o BatchMode=yes -- somehost sh -c '${nc("netcat")}'`,
    ],
    [
      "3",
      { port: 9000, user: "fred", noVerify: true },
      { netcat: "netcat" },
      `-p 9000 -l fred -T -e none -o StrictHostKeyChecking=no -- somehost sh -c '${nc("netcat")}'`,
    ],
    [
      "6",
      { keyfile: "/root/.ssh/example_key", noVerify: true },
      { netcat: "nc" },
      `-i /root/.ssh/example_key -T -e none -o StrictHostKeyChecking=no -- somehost sh -c '${nc("nc")}'`,
    ],
    ["7", {}, { netcat: "n c" }, `-T -e none -- somehost sh -c '${nc("''\\''n c'\\'''")}'`],
    ["8", {}, { netcat: "n'c" }, `-T -e none -- somehost sh -c '${nc("''\\''n'\\''\\'\\'''\\''c'\\'''")}'`],
    ["9", {}, { netcat: 'n"c' }, `-T -e none -- somehost sh -c '${nc("''\\''n\"c'\\'''")}'`],
    [
      "10",
      {},
      {},
      "-T -e none -- somehost sh -c 'which virt-ssh-helper 1>/dev/null 2>&1; if test $? = 0; then " +
        `    virt-ssh-helper -r 'qemu:///session'; else    ${nc("nc")}; fi'`,
    ],
    ["11", {}, { proxy: "native" }, "-T -e none -- somehost sh -c 'virt-ssh-helper -r 'qemu:///session''"],
  ];
  test.each(cases)("%s", async (_, options, more, expected) => {
    await program("ssh", 'echo "$@"');
    const transport = await dial({ ...options, remote: { ...remote, ...more } });
    expect(transport.peer.command?.slice(1).join(" ")).toBe(expected);
    expect(await read(transport)).toEqual({ text: `${expected}\n`, error: undefined });
    await transport.close();
  });
});

test("ssh/remote-command: netcat, socket and proxy", () => {
  expect(remoteCommand({ socket: "/s", uri: "test:///default", proxy: "native" })).toBe(
    "sh -c 'virt-ssh-helper 'test:///default''",
  );
  expect(remoteCommand({ ...remote, proxy: "netcat" })).toMatch(/^sh -c 'if 'nc' .*-U \/tmp\/socket'$/);
  expect(() => remoteCommand({ ...remote, proxy: "native", netcat: "nc" })).toThrow(
    "netcat path not valid with native proxy mode",
  );
});

test.each(["qemu:///system?socket=/a b", "qemu:///it's", "test:///a?b=$HOME&c=`id`", "x:///'\\''"])(
  "ssh/quoting: two shells leave %s as it is",
  async (uri) => {
    await program("virt-ssh-helper", 'printf "%s|" "$@"');
    // sshd gives the text to a shell, and that starts another.
    const { stdout } = spawnSync("sh", ["-c", remoteCommand({ socket: "/s", uri, proxy: "native", readOnly: true })]);
    expect(stdout.toString()).toBe(`-r|${uri}|`);
  },
);

test("ssh/quoting: a socket's path is one word, whatever is in it", async () => {
  await program("nc", 'test "$1" = -q || printf "%s|" "$@"');
  for (const socket of ["/run/a b", "/run/it's;touch $HOME", "/run/`id`", "/run/plain"]) {
    const { stdout } = spawnSync("sh", ["-c", remoteCommand({ socket, uri: "", proxy: "netcat" })]);
    expect(stdout.toString()).toBe(`-U|${socket}|`);
  }
});

test.each([
  { host: "-oProxyCommand=id" },
  { host: "a;id" },
  { host: "a b" },
  { host: "a\nb" },
  { host: "$(id)" },
  { host: "h", user: "-l" },
  { host: "h", user: "a`id`" },
  { host: "h", user: "a\nb" },
])("ssh/destination: %o is refused before anything runs", async (where) => {
  await program("ssh", "echo ran");
  await expect(dial(where)).rejects.toMatchObject({ name: "TransportError", code: "option" });
});

test("ssh/destination: what looks strange but is a name", async () => {
  await program("ssh", 'printf "%s|" "$@"');
  const { text } = await read(await dial({ host: "fe80::1%eth0", user: "DOMAIN\\some one" }));
  expect(text).toContain("-l|DOMAIN\\some one|");
  expect(text).toContain("--|fe80::1%eth0|");
});

test("ssh/too long: what the system takes for no command line is a typed error", async () => {
  await program("ssh", "echo ran");
  await leavesNothing(async () => {
    await expect(dial({ keyfile: "x".repeat(4_000_000) })).rejects.toMatchObject({ code: "command" });
    await expect(dial({ keyfile: "a\0b" })).rejects.toMatchObject({ name: "TransportError", code: "command" });
  });
});

test("ssh/peer", async () => {
  await program("ssh", "cat");
  const transport = await dial({ user: "fred", port: 22 });
  expect(transport.peer).toMatchObject({
    transport: "ssh",
    address: "ssh://fred@somehost:22",
    secure: true,
    local: false,
    security: { encrypted: true, ssf: 0 },
  });
  await transport.close();
});

test("ssh/environment: libvirt's choice", async () => {
  vi.stubEnv("SSH_AUTH_SOCK", "/agent");
  vi.stubEnv("SECRET_OF_THE_APPLICATION", "x");
  vi.stubEnv("TERM", "vt52");
  await program("ssh", "env");
  const { text } = await read(await dial());
  expect(text).toContain("SSH_AUTH_SOCK=/agent\n");
  expect(text).toContain("LC_ALL=C\n");
  expect(text).toContain("TERM=vt52\n");
  expect(text).not.toContain("SECRET_OF_THE_APPLICATION");
  expect((await read(await dial({ noTty: true }))).text).not.toContain("TERM=vt52");
});

test("ssh/pipe: bytes both ways, large ones too, and the program ends with its input", async () => {
  await program("ssh", "cat");
  await leavesNothing(async () => {
    const transport = await dial();
    let got = 0;
    const all = new Promise<void>((resolve, reject) => {
      transport.start({
        bytes: (chunk) => {
          got += chunk.byteLength;
          if (got === 3_000_005) resolve();
        },
        end: (error) => reject(error ?? new Error("ended")),
      });
    });
    const full = !transport.write([Buffer.from("hello"), new Uint8Array(3_000_000)]);
    expect(full).toBe(true);
    await transport.drained();
    await all;
    await transport.close();
    await transport.close(new Error("again"));
    expect(transport.write([Buffer.from("late")])).toBe(true);
    await transport.drained();
  });
});

describe("ssh that fails", () => {
  const refused = "ssh: connect to host somehost port 22: Connection refused\r";
  const cases: [string, string, number, string][] = [
    ["refused", refused, 255, "connect"],
    ["unknown host", "ssh: Could not resolve hostname somehost: Name or service not known", 255, "connect"],
    [
      "host key",
      "No ED25519 host key is known for somehost and you have requested strict checking.\nHost key verification failed.",
      255,
      "host-key",
    ],
    ["login", "root@somehost: Permission denied (publickey,password).", 255, "auth"],
    ["far command", "sh: 1: nc: not found", 127, "command"],
    ["far socket", "nc: unix connect failed: No such file or directory", 1, "io"],
  ];
  test.each(cases)("ssh/failure %s", async (_, said, status, code) => {
    await writeFile(join(dir, "said"), said);
    await program("ssh", `cat ${dir}/said >&2; exit ${status}`);
    await leavesNothing(async () => {
      const transport = await dial();
      transport.write([Buffer.from("the first call")]);
      const { text, error } = await read(transport);
      expect(text).toBe("");
      const words = said
        .split(/\r?\n/)
        .map((line) => line.trim())
        .join("; ");
      expect(error).toMatchObject({
        name: "TransportError",
        code,
        message: `ssh ended with status ${status}: ${words}`,
      });
      await transport.close();
    });
  });

  test("ssh/failure: of much error output the end is kept, without control characters", async () => {
    await program(
      "ssh",
      `i=0; while [ $i -lt 2000 ]; do echo "line $i" >&2; i=$((i+1)); done; printf 'last \\033[31mwords' >&2; exit 255`,
    );
    const { error } = await read(await dial());
    expect(error?.message).toMatch(/line 1999; last {2}\[31mwords$/);
    expect(error?.message.length).toBeLessThan(4000);
  });

  test("ssh/failure after data: the pipe ends with what ssh said", async () => {
    await program("ssh", "echo data; echo 'client_loop: send disconnect: Broken pipe' >&2; exit 255");
    const { text, error } = await read(await dial());
    expect(text).toBe("data\n");
    expect(error).toMatchObject({ code: "io", message: expect.stringContaining("Broken pipe") });
  });

  test("ssh/failure killed", async () => {
    await program("ssh", "kill -9 $$");
    const { error } = await read(await dial());
    expect(error).toMatchObject({ code: "io", message: "ssh was ended by SIGKILL" });
  });

  test("ssh/no such program, or one that may not be run", async () => {
    await leavesNothing(async () => {
      await expect(dial({ command: "/nonexistent/ssh" })).rejects.toMatchObject({
        name: "TransportError",
        code: "command",
        message: "cannot run /nonexistent/ssh: there is no such command",
      });
      await writeFile(join(dir, "plain"), "");
      await expect(dial({ command: join(dir, "plain") })).rejects.toMatchObject({
        code: "command",
        message: expect.stringContaining("may not be run"),
      });
    });
  });

  test("ssh/signal: before the start", async () => {
    await leavesNothing(async () => {
      await expect(dialSsh({ host: "h", remote }, { signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow(
        "no",
      );
    });
  });

  test("ssh/signal: while it starts, the program is ended", async () => {
    await program("ssh", `echo $$ >${dir}/pid; exec sleep 1000`);
    await leavesNothing(async () => {
      const end = new AbortController();
      const dialling = dialSsh({ host: "h", remote }, { signal: end.signal });
      end.abort(new Error("no"));
      await expect(dialling).rejects.toThrow("no");
    });
  });
});

describe("close", () => {
  const running = async (pid: number) => (await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "")) !== "";
  const started = async (script: string): Promise<[Transport, number]> => {
    await program("ssh", `echo $$; ${script}`);
    const transport = await dial();
    const pid = await new Promise<number>((resolve) => {
      transport.start({ bytes: (chunk) => resolve(Number(Buffer.from(chunk).toString())), end: () => {} });
    });
    return [transport, pid];
  };

  test("ssh/close with a reason: at once", async () => {
    await leavesNothing(async () => {
      const [transport, pid] = await started("exec sleep 1000");
      await transport.close(new Error("enough"));
      expect(await running(pid)).toBe(false);
    });
  });

  test("ssh/close of a program that does not mind its input: it is told to end, then made to", async () => {
    await leavesNothing(async () => {
      const [transport, pid] = await started("trap '' TERM; while :; do sleep 0.1; done");
      await transport.close();
      expect(await running(pid)).toBe(false);
    });
  });

  test("ssh/close while a program of its own holds the output, as a multiplexing ssh does", async () => {
    await leavesNothing(async () => {
      const [transport] = await started(`sleep 30 & echo $! >${dir}/child`);
      await transport.close();
    });
    process.kill(Number(await readFile(join(dir, "child"), "utf8")));
  });

  test("ssh/close before anything was read or started", async () => {
    await program("ssh", "exit 0");
    await leavesNothing(async () => await (await dial()).close());
  });
});

describe("ext", () => {
  test("ext/pipe: a program without arguments; nobody knows whether it is safe", async () => {
    const command = await program("tunnel", 'echo "$#"; cat');
    await leavesNothing(async () => {
      const transport = await dialExt({ command });
      expect(transport.peer).toMatchObject({
        transport: "ext",
        address: `ext:${command}`,
        secure: false,
        command: [command],
      });
      transport.write([Buffer.from("hello")]);
      const text = await new Promise<string>((resolve) => {
        let all = "";
        transport.start({
          bytes: (chunk) => {
            all += Buffer.from(chunk).toString();
            if (all.endsWith("hello")) resolve(all);
          },
          end: () => resolve("ended"),
        });
      });
      expect(text).toBe("0\nhello");
      await transport.close();
    });
  });

  test("ext/failure", async () => {
    const command = await program("tunnel", "echo 'no way' >&2; exit 3");
    const { error } = await read(await dialExt({ command }));
    expect(error).toMatchObject({ code: "io", message: `${command} ended with status 3: no way` });
    await expect(dialExt({ command: "/nonexistent" })).rejects.toMatchObject({ code: "command" });
  });
});
