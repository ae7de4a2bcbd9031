import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer as createTcpServer, type Socket, type Server as TcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2, { type AuthContext, type ServerChannel } from "ssh2";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { dialLibssh, type LibsshOptions, type SshQuestion, type Transport } from "../../src/transport/index.ts";
import { knownHostLine } from "../../src/transport/known-hosts.ts";
import { remoteCommand } from "../../src/transport/ssh-command.ts";
import { leavesNothing } from "./leak.ts";

const { Server, utils } = ssh2;
const hostKey = newKey();
const otherHostKey = newKey();
const userKey = newKey();
const lockedKey = newKey({ passphrase: "open sesame", cipher: "aes256-ctr", rounds: 2 });
/** Of the keys that ssh2 makes, one in a hundred is malformed. */
function newKey(locked?: { passphrase: string; cipher: string; rounds: number }) {
  for (;;) {
    const made = locked ? utils.generateKeyPairSync("ed25519", locked) : utils.generateKeyPairSync("ed25519");
    if (!(utils.parseKey(made.private, locked?.passphrase) instanceof Error)) return made;
  }
}
const publicOf = (text: string) => Buffer.from(text.split(" ")[1] ?? "", "base64");

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "virtwire-libssh-"));
  await writeFile(join(dir, "id"), userKey.private, { mode: 0o600 });
  await writeFile(join(dir, "locked"), lockedKey.private, { mode: 0o600 });
  vi.stubEnv("HOME", dir);
  vi.stubEnv("SSH_AUTH_SOCK", undefined);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true });
});

interface ServerOptions {
  readonly hostKeys?: readonly string[];
  /** What the host says to a way of logging in. Default: takes the user's key and the password `secret`. */
  readonly login?: (context: AuthContext) => void;
  /** What becomes of the connection when a command is to run. Default: the command runs. */
  readonly before?: (socket: Socket) => void;
  /** What the host does with the command. Default: echo. */
  readonly run?: (channel: ServerChannel, command: string) => void;
}

function login(context: AuthContext): void {
  const left = ["publickey", "password", "keyboard-interactive"] as const;
  switch (context.method) {
    case "password":
      if (context.password === "secret") context.accept();
      else context.reject([...left]);
      break;
    case "publickey": {
      const known = [userKey, lockedKey].some((pair) => publicOf(pair.public).equals(context.key.data));
      if (known) context.accept();
      else context.reject([...left]);
      break;
    }
    case "keyboard-interactive":
      context.prompt([{ prompt: "Code: ", echo: true }], "Door\x1b[2J", "Both of them", (answers) => {
        if (answers[0] === "1234") context.accept();
        else context.reject([...left]);
      });
      break;
    default:
      context.reject([...left]);
  }
}

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function listen(options: ServerOptions = {}): Promise<number> {
  const run = options.run ?? ((channel: ServerChannel) => void channel.pipe(channel));
  const clients = new Set<{ end(): unknown }>();
  let socket: Socket | undefined;
  const server = new Server({ hostKeys: [...(options.hostKeys ?? [hostKey.private])] }, (client) => {
    clients.add(client);
    client.on("error", () => {});
    client.on("authentication", options.login ?? login);
    client.on("session", (accept) => {
      accept().on("exec", (acceptExec, _reject, { command }) => {
        if (options.before !== undefined && socket !== undefined) options.before(socket);
        else run(acceptExec() as ServerChannel, command);
      });
    });
  });
  (server as unknown as { _srv: TcpServer })._srv.on("connection", (accepted) => {
    socket = accepted;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    for (const client of clients) client.end();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return (server.address() as { port: number }).port;
}

const remote = { socket: "/run/libvirt/libvirt-sock", uri: "qemu:///system" };
const dial = (port: number, more: Partial<LibsshOptions> = {}, signal?: AbortSignal) =>
  dialLibssh(
    { host: "127.0.0.1", port, user: "fred", knownHostsVerify: "ignore", remote, ...more },
    signal === undefined ? {} : { signal },
  );
const withKey = { keyfile: "" };
beforeAll(() => {
  withKey.keyfile = join(dir, "id");
});

/** Answers of a user, and what was asked. */
function user(answers: Partial<Record<SshQuestion["kind"], readonly string[]>>) {
  const asked: SshQuestion[] = [];
  const ask = async (question: SshQuestion) => {
    asked.push(question);
    return answers[question.kind]?.[question.attempt];
  };
  return { ask, asked };
}

/** The error of a dial that must fail and leave nothing behind. */
function refusal(work: () => Promise<Transport>): Promise<Error> {
  return leavesNothing(async () => {
    try {
      await work();
    } catch (error) {
      return error as Error;
    }
    throw new Error("nothing was refused");
  });
}

function read(transport: Transport, enough = Number.POSITIVE_INFINITY) {
  let text = "";
  return new Promise<{ text: string; error: Error | undefined }>((resolve) => {
    transport.start({
      bytes: (chunk) => {
        text += Buffer.from(chunk).toString("latin1");
        if (text.length >= enough) resolve({ text, error: undefined });
      },
      end: (error) => resolve({ text, error }),
    });
  });
}

describe("the pipe", () => {
  test("libssh/pipe: the same command as ssh's, bytes both ways", async () => {
    let command = "";
    const port = await listen({
      run: (channel, text) => {
        command = text;
        channel.pipe(channel);
      },
    });
    await leavesNothing(async () => {
      const transport = await dial(port, withKey);
      expect(command).toBe(remoteCommand(remote));
      expect(transport.peer).toMatchObject({
        transport: "libssh",
        address: `libssh://fred@127.0.0.1:${port}`,
        secure: true,
        security: { encrypted: true, ssf: 0 },
        command: [command],
      });
      const reading = read(transport, 5_000_003);
      transport.write([new Uint8Array(5_000_000), Buffer.from("end")]);
      await transport.drained();
      expect((await reading).text.endsWith("end")).toBe(true);
      await transport.close();
    });
  });

  test("libssh/end of the command: in order without an error, else with what it said", async () => {
    const exit = (status: number, said: string) => (channel: ServerChannel) => {
      channel.stderr.write(said);
      channel.exit(status);
      channel.end();
    };
    const ways: [ServerOptions["run"] & {}, object | undefined][] = [
      [exit(0, ""), undefined],
      [
        exit(127, "sh: 1: nc: not found\r\n"),
        { code: "command", message: expect.stringMatching(/status 127: sh: 1: nc: not found$/) },
      ],
      [exit(1, "nc: no such socket"), { code: "io", message: expect.stringMatching(/status 1: nc: no such socket$/) }],
    ];
    for (const [run, error] of ways) {
      const port = await listen({ run });
      await leavesNothing(async () => {
        const transport = await dial(port, withKey);
        const { error: found } = await read(transport);
        if (error === undefined) expect(found).toBeUndefined();
        else expect(found).toMatchObject(error);
        await transport.close();
      });
    }
  });

  test("libssh/close with a reason, and of a command that stays", async () => {
    const port = await listen({ run: () => {} });
    await leavesNothing(async () => {
      await (await dial(port, withKey)).close(new Error("enough"));
      await (await dial(port, withKey)).close();
    });
  });
});

describe("the login", () => {
  test("libssh/key: with a passphrase that is asked for", async () => {
    const port = await listen();
    const { ask, asked } = user({ passphrase: ["wrong", "open sesame"] });
    const keyfile = join(dir, "locked");
    const transport = await dial(port, { keyfile, ask });
    await transport.close();
    expect(asked.map(({ kind, attempt, echo }) => [kind, attempt, echo])).toEqual([
      ["passphrase", 0, false],
      ["passphrase", 1, false],
    ]);
    const error = await refusal(() => dial(port, { keyfile }));
    expect(error).toMatchObject({
      name: "TransportError",
      code: "auth",
      message: expect.stringContaining("passphrase"),
    });
    const { asked: next, ask: instead } = user({ password: ["secret"] });
    await (await dial(port, { keyfile, ask: instead })).close(); // giving up one way leaves the others
    expect(next.map(({ kind }) => kind)).toEqual(["passphrase", "password"]);
    const tired = user({ passphrase: ["a", "b", "c"] });
    const wrong = await refusal(() => dial(port, { keyfile, ask: tired.ask }));
    expect(wrong).toMatchObject({ code: "auth", message: expect.stringContaining("wrong passphrase?") });
  });

  test("libssh/password: asked up to three times", async () => {
    const port = await listen();
    const good = user({ password: ["wrong", "secret"] });
    await (await dial(port, { ask: good.ask })).close();
    expect(good.asked.map(({ prompt, attempt, user, host }) => [prompt, attempt, user, host])).toEqual([
      ["Enter fred's password for 127.0.0.1", 0, "fred", "127.0.0.1"],
      ["Enter fred's password for 127.0.0.1", 1, "fred", "127.0.0.1"],
    ]);
    const bad = user({ password: ["hunter2", "hunter3", "hunter4", "secret"] });
    const error = await refusal(() => dial(port, { ask: bad.ask, methods: ["password"] }));
    expect(error).toMatchObject({
      code: "auth",
      message: expect.stringContaining("refused the login of fred: tried were password"),
    });
    expect(error.message).not.toContain("hunter");
    expect(bad.asked.length).toBe(3);
  });

  test("libssh/keyboard-interactive", async () => {
    const port = await listen();
    const { ask, asked } = user({ prompt: ["0000", "1234"] });
    await (await dial(port, { ask, methods: ["keyboard-interactive"] })).close();
    expect(asked[0]).toMatchObject({ kind: "prompt", prompt: "Door [2J\nBoth of them\nCode", echo: true });
    const none = user({});
    const error = await refusal(() => dial(port, { ask: none.ask, methods: ["keyboard-interactive"] }));
    expect(error).toMatchObject({ code: "auth" });
    expect(none.asked.length).toBe(1);
  });

  test("libssh/order: the methods one after the other; who cannot answer is refused", async () => {
    const port = await listen();
    const { ask, asked } = user({ password: ["no"], prompt: ["1234"] });
    await (await dial(port, { ask, methods: ["password", "keyboard-interactive"] })).close();
    expect(asked.map(({ kind }) => kind)).toEqual(["password", "password", "prompt"]);
    const error = await refusal(() => dial(port));
    expect(error).toMatchObject({ code: "auth", message: expect.stringContaining("none of the wanted ways") });
  });

  test("libssh/agent that is not there: the next way has its turn", async () => {
    const port = await listen();
    const transport = await dial(port, { ...withKey, agent: "/nonexistent/agent" });
    await transport.close();
  });

  test("libssh/lost before the command runs, and given up then", async () => {
    const lost = await listen({ before: (socket) => socket.destroy() });
    expect(await refusal(() => dial(lost, withKey))).toMatchObject({ name: "TransportError", code: "connect" });
    const end = new AbortController();
    const reason = new Error("enough");
    const silent = await listen({ before: () => end.abort(reason) });
    expect(await refusal(() => dial(silent, withKey, end.signal))).toBe(reason);
  });

  test("libssh/a user or host that cannot be: an error, and no socket stays", async () => {
    const port = await listen();
    expect(await refusal(() => dial(port, { user: 5 as never }))).toMatchObject({
      name: "TransportError",
      code: "option",
    });
    const host = "127.0.0.1\n* ssh-ed25519 AAAA";
    expect(await refusal(() => dial(port, { host }))).toMatchObject({ name: "TransportError", code: "option" });
  });

  test("libssh/methods and keys that cannot be", async () => {
    const port = await listen();
    expect(await refusal(() => dial(port, { methods: ["magic" as never] }))).toMatchObject({ code: "option" });
    expect(await refusal(() => dial(port, { methods: ["privkey"] }))).toMatchObject({ code: "option" });
    expect(await refusal(() => dial(port, { keyfile: "/nonexistent/key" }))).toMatchObject({ code: "auth" });
  });

  test("libssh/a question that fails ends the login", async () => {
    const port = await listen();
    const ask = async () => {
      throw new Error("the terminal has gone");
    };
    expect(await refusal(() => dial(port, { ask, methods: ["password"] }))).toMatchObject({
      code: "auth",
      message: "the login was given up: the terminal has gone",
    });
  });
});

describe("the host's key", () => {
  const hostPublic = publicOf(hostKey.public);
  let knownHosts: string;
  let count = 0;
  const file = async (text: string) => {
    knownHosts = join(dir, `hosts${count++}`, "known_hosts");
    if (text !== "") {
      knownHosts = join(dir, `hosts${count++}`);
      await writeFile(knownHosts, text);
    }
    return knownHosts;
  };
  const strict = async (port: number, text: string, more: Partial<LibsshOptions> = {}) =>
    dial(port, { ...withKey, knownHosts: await file(text), knownHostsVerify: "normal", ...more });

  test("libssh/host-key known", async () => {
    const port = await listen();
    await (await strict(port, knownHostLine("127.0.0.1", port, hostPublic))).close();
  });

  test("libssh/host-key another: refused in every mode but ignore, and nothing is sent to log in", async () => {
    let logins = 0;
    const port = await listen({
      login: (context) => {
        logins++;
        login(context);
      },
    });
    const line = knownHostLine("127.0.0.1", port, publicOf(otherHostKey.public));
    for (const knownHostsVerify of ["normal", "auto"] as const) {
      const error = await refusal(() => strict(port, line, { knownHostsVerify }));
      expect(error).toMatchObject({
        name: "TransportError",
        code: "host-key",
        message: expect.stringMatching(
          /^the host key ssh-ed25519 SHA256:\S+ of 127.0.0.1:\d+ is not the one that .* has in line 1$/,
        ),
      });
    }
    const revoked = await refusal(() => strict(port, `@revoked * ssh-ed25519 ${hostPublic.toString("base64")}`));
    expect(revoked).toMatchObject({ code: "host-key", message: expect.stringContaining("is revoked in") });
    expect(logins).toBe(0);
    await (await strict(port, line, { knownHostsVerify: "ignore" })).close();
  });

  test("libssh/host-key unknown: asked about, and kept when it is taken", async () => {
    const port = await listen();
    expect(await refusal(() => strict(port, ""))).toMatchObject({
      code: "host-key",
      message: expect.stringContaining("not known"),
    });
    const no = user({ "host-key": ["n"] });
    expect(await refusal(() => strict(port, "", { ask: no.ask }))).toMatchObject({ code: "host-key" });
    const yes = user({ "host-key": ["Y"] });
    await (await strict(port, "# no newline", { ask: yes.ask })).close();
    expect(yes.asked[0]?.prompt).toMatch(
      /^Accept SSH host key with hash 'SHA256:\S+' for host '127.0.0.1:\d+' \(y\/n\)\?$/,
    );
    expect(await readFile(knownHosts, "utf8")).toBe(`# no newline\n${knownHostLine("127.0.0.1", port, hostPublic)}`);
    await (await dial(port, { ...withKey, knownHosts, knownHostsVerify: "normal" })).close();
  });

  test("libssh/host-key auto: an unknown one is kept, in a folder made for it", async () => {
    const port = await listen();
    await (await strict(port, "", { knownHostsVerify: "auto" })).close();
    expect(await readFile(knownHosts, "utf8")).toBe(knownHostLine("127.0.0.1", port, hostPublic));
  });

  test("libssh/host-key of the known kind is asked for first", async () => {
    const rsa = utils.generateKeyPairSync("rsa", { bits: 2048 });
    const port = await listen({ hostKeys: [hostKey.private, rsa.private] });
    await (await strict(port, knownHostLine("127.0.0.1", port, publicOf(rsa.public)))).close();
  });
});

describe("the way there", () => {
  test("libssh/refused, and no ssh at the other end", async () => {
    expect(await refusal(() => dial(1, withKey))).toMatchObject({ code: "connect", cause: { code: "ECONNREFUSED" } });
    const server = createTcpServer((socket) => {
      socket.on("error", () => {}).resume();
      socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    expect(await refusal(() => dial(port, withKey))).toMatchObject({ name: "TransportError", code: "connect" });
    await new Promise((resolve) => server.close(resolve));
  });

  test("libssh/signal: before, while nothing comes, and while a question waits", async () => {
    const reason = new Error("enough");
    const server = createTcpServer((socket) => socket.on("error", () => {}));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port: silent } = server.address() as { port: number };
    const port = await listen();
    expect(await refusal(() => dial(port, withKey, AbortSignal.abort(reason)))).toBe(reason);
    const end = new AbortController();
    server.once("connection", () => end.abort(reason));
    expect(await refusal(() => dial(silent, withKey, end.signal))).toBe(reason);
    const asking = new AbortController();
    let told = false;
    const ask = (_: SshQuestion, signal: AbortSignal) =>
      new Promise<undefined>((resolve) => {
        signal.addEventListener("abort", () => {
          told = true;
          resolve(undefined);
        });
        asking.abort(reason);
      });
    expect(await refusal(() => dial(port, { ask, methods: ["password"] }, asking.signal))).toBe(reason);
    expect(told).toBe(true);
    await new Promise((resolve) => server.close(resolve));
  });
});

test("libssh/without the package: a typed error that names it", async () => {
  vi.resetModules();
  vi.doMock("ssh2", () => {
    throw new Error("Cannot find package 'ssh2'");
  });
  const fresh = await import("../../src/transport/index.ts");
  await expect(fresh.dialLibssh({ host: "127.0.0.1", remote })).rejects.toMatchObject({
    name: "TransportError",
    code: "unsupported",
    message: expect.stringContaining("npm install ssh2"),
  });
  vi.doUnmock("ssh2");
});
