import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { VirErrorDomain, VirErrorNumber } from "../../src/generated/libvirt/index.ts";
import { createMemoryHypervisor, remoteProgram } from "../../src/hypervisor/index.ts";
import { virtError } from "../../src/rpc/index.ts";
import { createServer } from "../../src/server/index.ts";
import { runCli, startCli, startDaemon, type TestDaemon } from "./run-cli.ts";

let dir: string;
let alpha: TestDaemon;
let beta: TestDaemon;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "virtwire-test-"));
  [alpha, beta] = await Promise.all([startDaemon("alpha"), startDaemon("beta")]);
});

afterAll(async () => {
  await Promise.all([alpha?.[Symbol.asyncDispose](), beta?.[Symbol.asyncDispose]()]);
  await rm(dir, { recursive: true, force: true });
});

const UUID = "11111111-2222-4333-8444-555555555555";

async function guestFile(name: string, uuid = UUID): Promise<string> {
  const path = join(dir, `${name}.xml`);
  await writeFile(
    path,
    `<domain type='virtwire'><name>${name}</name><uuid>${uuid}</uuid><memory unit='MiB'>4</memory>` +
      "<vcpu>2</vcpu><os><type>hvm</type></os></domain>",
  );
  return path;
}

const onAlpha = (...args: string[]) => runCli(["-c", alpha.uri, ...args]);
const onBeta = (...args: string[]) => runCli([...args, "-c", beta.uri]);

const said = (stdout: string) => ({ code: 0, stdout, stderr: "" });
const refused = (stderr: string) => ({ code: 1, stdout: "", stderr });

test("cli/life: a guest from define to undefine, in virsh's words", async () => {
  const file = await guestFile("web");
  expect(await onAlpha("define", file)).toEqual(said(`Domain 'web' defined from ${file}\n\n`));
  expect(await onAlpha("list")).toEqual(said(" Id   Name   State\n--------------------\n\n"));
  expect(await onAlpha("list", "--all")).toEqual(
    said(" Id   Name   State\n-----------------------\n -    web    shut off\n\n"),
  );
  expect(await onAlpha("list", "--all", "--id", "--name")).toEqual(said("- web\n\n"));
  expect(await onAlpha("list", "--all", "--id")).toEqual(said("\n"));
  expect(await onAlpha("start", "web")).toEqual(said("Domain 'web' started\n\n"));
  expect(await onAlpha("list", "--name")).toEqual(said("web\n\n"));
  expect(await onAlpha("list", "--inactive", "--name")).toEqual(said("\n"));
  expect(await onAlpha("list", "--id", "--uuid", "--name")).toEqual(said(`${UUID} 1 web\n\n`));
  expect(await onAlpha("domstate", "web", "--reason")).toEqual(said("running (booted)\n\n"));
  expect(await onAlpha("domstate", "--domain", UUID)).toEqual(said("running\n\n"));
  expect((await onAlpha("dumpxml", "web")).stdout).toContain(`<uuid>${UUID}</uuid>`);

  const { stdout } = await onAlpha("dominfo", "web");
  expect(stdout.replace(/^CPU time: .*\n/m, "")).toBe(
    [
      "Id:             1",
      "Name:           web",
      `UUID:           ${UUID}`,
      "OS Type:        hvm",
      "State:          running",
      "CPU(s):         2",
      "Max memory:     4096 KiB",
      "Used memory:    4096 KiB",
      "Persistent:     yes",
      "Autostart:      disable",
      "Managed save:   no",
      "\n",
    ].join("\n"),
  );
  expect(await onAlpha("start", "web")).toEqual(refused("error: Domain is already active\n"));

  const [row] = JSON.parse((await onAlpha("list", "--json")).stdout);
  expect(row).toEqual({ id: 1, name: "web", uuid: UUID, state: "running" });
  const info = JSON.parse((await onAlpha("dominfo", "1", "--json")).stdout);
  expect(info).toMatchObject({ id: 1, name: "web", maxMemory: "4096", persistent: true, security: null });
  expect(JSON.parse((await onAlpha("domstate", "web", "--json")).stdout)).toEqual({
    state: "running",
    reason: "booted",
  });

  expect(await onAlpha("destroy", "web")).toEqual(said("Domain 'web' destroyed\n\n"));
  expect(await onAlpha("undefine", "web")).toEqual(said("Domain 'web' has been undefined\n\n"));
  expect(await onAlpha("list", "--all", "--json")).toEqual(said("[]\n"));
}, 90_000); // twenty processes

test("cli/list: a guest that goes while it is listed does not spoil the list", async () => {
  await using hypervisor = createMemoryHypervisor();
  const domainGetState = () => {
    throw virtError(VirErrorNumber.VIR_ERR_NO_DOMAIN, VirErrorDomain.VIR_FROM_TEST);
  };
  const going = { ...hypervisor, procedures: { ...hypervisor.procedures, domainGetState } };
  await using server = createServer({ listen: ["tcp://127.0.0.1:0"], programs: [remoteProgram(going)] });
  await server.listen();
  const uri = `${server.addresses[0]!.replace("tcp://", "virtwire+tcp://")}/system`;
  await runCli(["-c", uri, "define", await guestFile("web")]);
  expect(await runCli(["-c", uri, "list", "--all"])).toEqual(
    said(" Id   Name   State\n-----------------------\n -    web    no state\n\n"),
  );
});

test("cli/migrate: XML and name from the command line, progress on standard error", async () => {
  const file = await guestFile("db", "11111111-2222-4333-8444-666666666666");
  const changed = join(dir, "changed.xml");
  await writeFile(changed, (await readFile(file, "utf8")).replace("</name>", "</name><title>moved</title>"));
  await onAlpha("define", file);
  await onAlpha("start", "db");
  const arrived = await runCli([
    ...["migrate", "-c", alpha.uri, "db", beta.uri, "--live", "--verbose"],
    ...["--dname", "db2", "--xml", changed, "--persistent", "--undefinesource", "--bandwidth", "100"],
  ]);
  expect(arrived).toMatchObject({ code: 0, stdout: "\n" });
  expect(arrived.stderr.endsWith("\rMigration: [100 %]\n")).toBe(true);
  expect((await onAlpha("list", "--all", "--name")).stdout).toBe("\n");
  expect((await onBeta("domstate", "db2", "--reason")).stdout).toBe("running (migrated)\n\n");
  expect((await onBeta("dumpxml", "db2")).stdout).toContain("<title>moved</title>");
  await onBeta("destroy", "db2");
  expect((await onBeta("undefine", "db2")).code).toBe(0);
});

test("cli/migrate: goes on to its end where nobody reads its progress any more", async () => {
  const file = await guestFile("heard", "11111111-2222-4333-8444-888888888888");
  await onAlpha("define", file);
  await onAlpha("start", "heard");
  const args = ["migrate", "-c", alpha.uri, "heard", beta.uri, "--live", "--verbose", "--bandwidth", "3"];
  const running = startCli([...args, "--undefinesource"]);
  await running.waitFor("Migration:");
  running.child.stderr?.destroy();
  expect((await running.ended).code).toBe(0);
  expect((await onBeta("domstate", "heard")).stdout).toBe("running\n\n");
  await onBeta("destroy", "heard");
});

test("cli/migrate: ^C gives it up, and the guest goes on running where it was", async () => {
  const file = await guestFile("big", "11111111-2222-4333-8444-777777777777");
  await onAlpha("define", file);
  await onAlpha("start", "big");
  const args = ["migrate", "-c", alpha.uri, "big", beta.uri, "--live", "--verbose", "--bandwidth", "1"];
  const running = startCli(args);
  await running.waitFor("Migration:");
  running.child.kill("SIGINT");
  const { code, stdout, stderr } = await running.ended;
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/\nerror: migration interrupted: the guest stays where it was\n$/);
  expect((await onAlpha("domstate", "big")).stdout).toBe("running\n\n");
  expect((await onBeta("list", "--all", "--json")).stdout).toBe("[]\n");
  await onAlpha("destroy", "big");
  await onAlpha("undefine", "big");
});

describe.concurrent("cli/errors: one clear line each, exit code 1", () => {
  test.each<[string[], string]>([
    [["domstate"], "error: command 'domstate' requires <domain> option\n"],
    [["migrate", "web"], "error: command 'migrate' requires <desturi> option\n"],
    [["define"], "error: command 'define' requires <file> option\n"],
    [["define", "/nonexistent"], "error: Failed to open file '/nonexistent': No such file or directory\n"],
    [["nosuch"], "error: unknown command 'nosuch'\n"],
    [["list", "--foo"], "error: unknown option '--foo'\n"],
    [["domstate", "a", "b"], "error: too many arguments for 'domstate'. Expected 1 argument but got 2.\n"],
    [
      ["daemon"],
      "error: the daemon would listen nowhere: say --listen, or listen, listen_tcp, listen_tls or unix_sock_dir in its file\n",
    ],
    [
      ["daemon", "--config", "/nonexistent"],
      "error: /nonexistent: cannot be read: ENOENT: no such file or directory, open '/nonexistent'\n",
    ],
    [["codegen", "x.x"], "error: required option '--out <dir>' not specified\n"],
    [
      ["demo", "--bandwidth", "x"],
      "error: option '--bandwidth <MiB/s>' argument 'x' is invalid. A whole number is needed.\n",
    ],
    [["migrate", "a", "b", "--live", "--offline"], "error: Options --live and --offline are mutually exclusive\n"],
    [["migrate", "a", "b", "--timeout", "3"], "error: Option --live is required by option --timeout\n"],
    [
      ["migrate", "a", "b", "--persistent-xml", "x"],
      "error: Option --persistent is required by option --persistent-xml\n",
    ],
    [
      ["migrate", "a", "b", "--bandwidth", "-1"],
      "error: option '--bandwidth <MiB/s>' argument '-1' is invalid. A whole number is needed.\n",
    ],
    [["migrate", "a", "b", "--tls-destination", "x"], "error: Option --tls is required by option --tls-destination\n"],
    [
      ["migrate", "a", "b", "--live", "--timeout", "2147484"],
      "error: option '--timeout <seconds>' argument '2147484' is invalid. 2147483 is the most.\n",
    ],
    [["start", ""], "error: Failed to get option 'domain': Option argument is empty\n"],
    [["undefine", "a", "--nvram", "--keep-nvram"], "error: Options --nvram and --keep-nvram are mutually exclusive\n"],
    [
      ["daemon", "--listen", "tcp://127.0.0.1:0", "--migration-host", ""],
      "error: migration host '' is neither a name nor an address\n",
    ],
  ])("%j", async (args, stderr) => {
    expect(await runCli(args)).toEqual(refused(stderr));
  });

  test("an unknown guest: what was wanted, then what the daemon said", async () => {
    expect(await onAlpha("dominfo", "nope")).toEqual(
      refused("error: failed to get domain 'nope'\nerror: Domain not found: no domain with matching name 'nope'\n"),
    );
  });

  test("XML that the daemon refuses", async () => {
    const file = join(dir, "bad.xml");
    await writeFile(file, "<domain type='virtwire'><name>x</name></domain>");
    const { code, stderr } = await onAlpha("define", file);
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`^error: Failed to define domain from ${file}\nerror: XML error: .+\n$`));
  });

  test("nobody listens", async () => {
    const { code, stderr } = await runCli(["-c", `virtwire+unix:///system?socket=${dir}/none`, "list"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: failed to connect to the hypervisor\nerror: .*none.*\n$/);
  });

  test("the daemon of the environment, and none of its kind", async () => {
    const { code, stderr } = await runCli(["list"], { LIBVIRT_DEFAULT_URI: alpha.uri.replace("virtwire+", "vbox+") });
    expect(code).toBe(1);
    expect(stderr).toBe(
      "error: failed to connect to the hypervisor\nerror: no connection driver available for vbox:///system\n",
    );
  });
});

describe("cli/daemon", () => {
  test("says where it listens, one line per address, and ends in order on SIGTERM", async () => {
    const socket = join(dir, "sock");
    const running = startCli(["daemon", "--listen", `unix:${socket}`, "--listen", "tcp://127.0.0.1:0"]);
    await running.waitFor("tcp");
    expect((await runCli(["-c", `virtwire+unix:///system?socket=${socket}`, "list", "--json"])).stdout).toBe("[]\n");
    running.child.kill("SIGTERM");
    const { code, stdout, stderr } = await running.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^listening at unix:.*\/sock\nlistening at tcp:\/\/127\.0\.0\.1:\d+\n$/);
    await expect(readFile(socket)).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("ends with its standard input where asked to", async () => {
    const daemon = await startDaemon("gamma");
    await daemon[Symbol.asyncDispose]();
    expect(await daemon.running.ended).toMatchObject({ code: 0, stderr: "" });
  });

  test("an address that it cannot listen at", async () => {
    expect(await runCli(["daemon", "--listen", "smoke:signals"])).toMatchObject({ code: 1, stdout: "" });
    expect(await runCli(["daemon", "--listen", alpha.addresses[0]!])).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^error: .*EADDRINUSE.*\n$/),
    });
    // Its standard input is open, and does not keep it.
    const running = startCli(["daemon", "--listen", alpha.addresses[0]!, "--exit-with-stdin"]);
    expect(await running.ended).toMatchObject({ code: 1, stdout: "" });
  });
});

describe("cli/codegen", () => {
  test("writes modules for a .x file", async () => {
    const file = join(dir, "ping.x");
    await writeFile(file, "program PING { version V { int PING_NULL(int) = 1; } = 1; } = 536870913;\n");
    const out = join(dir, "out");
    expect(await runCli(["codegen", file, "--out", out])).toMatchObject({ code: 0, stdout: "" });
    expect(await readFile(join(out, "ping", "procedures.ts"), "utf8")).toContain("number: 0x20000001");
  });

  test("shows a mistake with file, line, column and a caret", async () => {
    const file = join(dir, "wrong.x");
    await writeFile(file, "struct a {\n  nosuch b;\n};\n");
    const { code, stdout, stderr } = await runCli(["codegen", file, "--out", join(dir, "out")]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("wrong.x:2:3");
    expect(stderr).toContain("^");
  });

  test("--define gives the constants that a file takes from C", async () => {
    const file = join(dir, "c.x");
    await writeFile(file, "typedef opaque id<ID_LENGTH>;\n");
    const out = join(dir, "defined");
    expect(await runCli(["codegen", file, "--out", out, "--define", "ID_LENGTH=0x10"])).toMatchObject({ code: 0 });
    expect(await readFile(join(out, "c/types.ts"), "utf8")).toContain("ID_LENGTH = 16");
    expect(await runCli(["codegen", file, "--out", out, "--define", "ID_LENGTH"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("It is NAME=NUMBER."),
    });
  });
});
