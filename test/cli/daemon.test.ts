/** `virtwire daemon` with a file of settings. */
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connect, VirtError } from "../../src/api/index.ts";
import { VirErrorNumber } from "../../src/generated/libvirt/index.ts";
import { type Running, runCli, startCli } from "./run-cli.ts";

let folder: string;
let running: Running | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "vwd-"));
});
afterEach(async () => {
  running?.child.kill("SIGKILL");
  await running?.ended;
  running = undefined;
  await rm(folder, { recursive: true, force: true });
});

async function settings(text: string): Promise<string> {
  const file = join(folder, "daemon.conf");
  await writeFile(file, text);
  return file;
}

async function start(...args: string[]): Promise<Record<"addresses" | "adminAddresses", string[]>> {
  running = startCli(["daemon", ...args, "--json"]);
  await running.waitFor("\n");
  return JSON.parse(running.stdout()) as Record<"addresses" | "adminAddresses", string[]>;
}

const uri = (socket: string): string => `test+unix:///default?socket=${encodeURIComponent(join(folder, socket))}`;

describe("cli/daemon", () => {
  test("makes libvirtd's sockets with their modes; who comes by the read-only one changes nothing", async () => {
    const file = await settings(`
      unix_sock_dir = "${folder}"
      unix_sock_rw_perms = "0770"
      inventory = "test"
      log_outputs = "1:file:${join(folder, "log")}"
      log_level = 1
    `);
    const { addresses, adminAddresses } = await start("--config", file);
    expect(addresses).toEqual([`unix:${folder}/libvirt-sock`, `unix:${folder}/libvirt-sock-ro`]);
    expect(adminAddresses).toEqual([`unix:${folder}/libvirt-admin-sock`]);
    const mode = async (name: string) => (await stat(join(folder, name))).mode & 0o777;
    expect([await mode("libvirt-sock"), await mode("libvirt-sock-ro"), await mode("libvirt-admin-sock")]).toEqual([
      0o770, 0o777, 0o700,
    ]);
    await using reader = await connect(uri("libvirt-sock-ro"));
    const guest = await reader.lookupDomainByName("test");
    const refusal = await guest.destroy().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(VirtError);
    expect(refusal).toMatchObject({ code: VirErrorNumber.VIR_ERR_OPERATION_DENIED });
    await using writer = await connect(uri("libvirt-sock"));
    await (await writer.lookupDomainByName("test")).destroy();
    expect(await readFile(join(folder, "log"), "utf8")).toContain(`listening at unix:${folder}/libvirt-sock-ro`);
  });

  test("a key that is wrong: named with its line, and nothing is started", async () => {
    const file = await settings("listen_tcp = 0\nmax_cleints = 3\nlog_level = 9\n");
    expect(await runCli(["daemon", "--config", file])).toEqual({
      code: 1,
      stdout: "",
      stderr:
        `error: ${file}:2: there is no setting max_cleints; max_clients was meant?\n` +
        `${file}:3: log_level: 1 (debug) to 4 (error) wanted\n`,
    });
  });

  test("ends in order at SIGTERM, when nobody uses it, and not while a guest runs", async () => {
    await start("--listen", `unix:${join(folder, "a")}`);
    running?.child.kill("SIGTERM");
    expect(await running?.ended).toMatchObject({ code: 0, stderr: "" });
    await expect(stat(join(folder, "a"))).rejects.toThrow("ENOENT");

    await start("--listen", `unix:${join(folder, "b")}`, "--timeout", "1", "--inventory", "test");
    const conn = await connect(uri("b"));
    await (await conn.lookupDomainByName("test")).destroy();
    await conn.close();
    expect(await running?.ended).toMatchObject({ code: 0, stderr: "" });
  });

  test("lets users in whom passwd has written, and nobody else", async () => {
    const users = join(folder, "users");
    const set = startCli(["passwd", "--file", users, "ann"]);
    set.child.stdin?.end("swordfish\n");
    expect(await set.ended).toEqual({ code: 0, stdout: "Password of 'ann' set\n\n", stderr: "" });
    expect(await readFile(users, "utf8")).not.toContain("swordfish");
    await start(
      "--config",
      await settings(`
        listen = ["unix:${join(folder, "a")}"]
        auth_unix_rw = "sasl"
        sasl_users_file = "${users}"
        log_outputs = "1:file:${join(folder, "log")}"
      `),
    );
    const login = (password: string) => connect(uri("a"), { auth: { credentials: { authname: "ann", password } } });
    await using conn = await login("swordfish");
    expect(await conn.listAllDomains()).toEqual([]);
    await expect(login("guess")).rejects.toMatchObject({ code: VirErrorNumber.VIR_ERR_AUTH_FAILED });
    expect(await runCli(["passwd", "--file", users, "--delete", "ann"])).toMatchObject({ code: 0, stderr: "" });
    await expect(login("swordfish")).rejects.toMatchObject({ code: VirErrorNumber.VIR_ERR_AUTH_FAILED });
    expect(await readFile(join(folder, "log"), "utf8")).toContain("login-failed");
  });

  test("reads its certificates again at SIGHUP and says what is wrong with them", async () => {
    const log = join(folder, "log");
    await start(
      "--config",
      await settings(`listen = ["unix:${join(folder, "a")}"]\nlog_outputs = "1:file:${log}"\nlog_level = 2\n`),
    );
    running?.child.kill("SIGHUP");
    await expect.poll(() => readFile(log, "utf8")).toContain("certificates read again");
  });

  test("a folder for its state that another daemon has, or that is damaged: one line says so", async () => {
    const state = join(folder, "state");
    await start("--listen", `unix:${join(folder, "a")}`, "--state-dir", state, "--inventory", "test");
    const second = ["daemon", "--listen", `unix:${join(folder, "b")}`, "--state-dir", state];
    const failed = (message: string) => ({ code: 1, stdout: "", stderr: `error: ${message}\n` });
    const taken = `${state} is in use: process ${running?.child.pid} keeps its state there`;
    expect(await runCli(second)).toEqual(failed(taken));
    running?.child.kill("SIGKILL");
    await running?.ended;
    const host = join(state, "host", "host.json");
    await writeFile(host, "");
    expect(await runCli(second)).toEqual(failed(`${host} is damaged`));
  });
});
