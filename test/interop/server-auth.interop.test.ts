/** Real virsh and libvirt's Python binding log in at our server: TLS certificates, SASL, unix sockets, polkit, rights. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { connectTransport } from "../../src/api/index.ts";
import { createMemoryHypervisor, remoteProgram } from "../../src/hypervisor/index.ts";
import { knownRights } from "../../src/server/access-rules.ts";
import {
  type AuditEvent,
  accessRules,
  createServer,
  passwordUsers,
  polkitAccess,
  type ServedProgram,
  type ServerOptions,
  setUser,
  userFile,
} from "../../src/server/index.ts";
import { pair } from "../../src/transport/index.ts";
import { guestXml, startGuest } from "../hypervisor/hosts.ts";
import { labObstacle, type ProcessResult, runProcess, setup } from "../lab/lab.ts";
import { type CertificateOptions, TestAuthority } from "../transport/certificates.ts";
import { part } from "./part.ts";
import { Polkit, setupPolkit } from "./polkit.ts";
import { python, setupPython } from "./python.ts";

part("real clients log in at our server", labObstacle(), () => {
  let dir: string;
  beforeAll(async () => {
    await setup();
    await setupPython();
    await setupPolkit();
    dir = await mkdtemp(join(tmpdir(), "vw-auth-"));
    await chmod(dir, 0o755); // for those who are not root
  }, 900_000);
  afterAll(async () => await rm(dir, { recursive: true, force: true }));

  async function serving(options: Omit<ServerOptions, "programs">) {
    const events: AuditEvent[] = [];
    const hypervisor = createMemoryHypervisor();
    const programs = [remoteProgram(hypervisor)];
    await withGuest(programs);
    const server = createServer({ programs, onAudit: (event) => events.push(event), ...options });
    onTestFinished(async () => {
      await server.close();
      await hypervisor.close();
    });
    await server.listen();
    const ports = server.addresses.map((address) => address.slice(address.lastIndexOf(":") + 1));
    return { server, events, ports };
  }

  /** The driver has a guest, `test`, which runs. */
  async function withGuest(programs: readonly ServedProgram[]): Promise<void> {
    const [near, far] = pair();
    await using server = createServer({ programs });
    server.accept(far);
    await using connection = await connectTransport(near, { name: "test:///default" });
    await startGuest(connection, { name: "test" });
  }

  /** As another user than root, where that matters. */
  async function virsh(args: readonly string[], env: NodeJS.ProcessEnv = {}, user?: string): Promise<ProcessResult> {
    const clean = { PATH: process.env.PATH, HOME: dir, LC_ALL: "C.UTF-8", ...env };
    const [program = "virsh", ...before] = user === undefined ? [] : ["runuser", "-u", user, "--", "virsh"];
    return runProcess(program, [...before, ...args], { env: clean, timeout: 60_000 });
  }

  /** auth.conf with one user for every host. */
  async function authFile(authname: string, password: string): Promise<NodeJS.ProcessEnv> {
    const path = join(dir, `auth-${authname}-${password}.conf`);
    const credentials = `[credentials-one]\nauthname=${authname}\npassword=${password}\n`;
    const hosts = ["localhost", "127.0.0.1"].map((host) => `[auth-libvirt-${host}]\ncredentials=one\n`);
    await writeFile(path, [credentials, ...hosts].join("\n"));
    return { LIBVIRT_AUTH_FILE: path };
  }

  async function pki(name: string, ca: TestAuthority, from: TestAuthority, options: Partial<CertificateOptions> = {}) {
    const folder = join(dir, name);
    await mkdir(folder, { recursive: true });
    const { cert, key } = from.issue({ name: "cli", purposes: ["client"], keyUsage: 0xa0, ...options });
    await writeFile(join(folder, "cacert.pem"), ca.cert);
    await writeFile(join(folder, "clientcert.pem"), cert);
    await writeFile(join(folder, "clientkey.pem"), key);
    return folder;
  }

  function tlsServer(ca: TestAuthority) {
    const { cert, key } = ca.issue({
      name: "server",
      altNames: ["IP:127.0.0.1"],
      purposes: ["server"],
      keyUsage: 0xa0,
    });
    return { cert: `${cert}`, key: `${key}`, ca: ca.cert };
  }

  const works = { code: 0, stdout: expect.stringContaining("test"), stderr: "" };
  const authFailed = "authentication failed: authentication failed";

  test("TLS: a good certificate is let in; of another CA, expired, or of a name not allowed is not", async () => {
    const [ca, rogue] = [new TestAuthority(), new TestAuthority({ name: "rogue CA" })];
    const tls = { ...tlsServer(ca), allowedNames: ["CN=cli*"] };
    const { ports } = await serving({ listen: [{ address: "tls://127.0.0.1:0", tls }] });
    const list = async (folder: string, more = "") =>
      virsh(["-c", `test+tls://127.0.0.1:${ports[0]}/default?pkipath=${folder}${more}`, "list", "--all"]);
    expect(await list(await pki("good", ca, ca))).toMatchObject(works);
    for (const folder of [
      await pki("rogue", ca, rogue),
      await pki("name", ca, ca, { name: "other" }),
      await pki("server", ca, ca, { purposes: ["server"], critical: true }),
    ]) {
      const { code, stderr } = await list(folder);
      expect({ code, stderr }, folder).toMatchObject({ code: 1, stderr: expect.stringMatching(/TLS|certificate/) });
    }
    // virsh looks at its own certificate first, unless it is told not to.
    const expired = await list(await pki("expired", ca, ca, { from: -9, to: -2 }), "&no_sanity=1");
    expect(expired).toMatchObject({ code: 1, stderr: expect.stringMatching(/TLS|certificate/) });
    expect(await list(await pki("good", ca, ca))).toMatchObject(works); // nobody else was harmed
  });

  test("SASL over TLS: the certificate and SCRAM-SHA-256, whose keys come from a file", async () => {
    const ca = new TestAuthority();
    const users = join(dir, "users");
    await setUser(users, "alice", "wonderland");
    const listen = [{ address: "tls://127.0.0.1:0", tls: tlsServer(ca), auth: { sasl: { users: userFile(users) } } }];
    const { ports, events } = await serving({ listen });
    const folder = await pki("both", ca, ca);
    const uri = `test+tls://127.0.0.1:${ports[0]}/default?pkipath=${folder}`;
    const list = (env: NodeJS.ProcessEnv) => virsh(["-c", uri, "list", "--all"], env);
    expect(await list(await authFile("alice", "wonderland"))).toMatchObject(works);
    const identity = { saslUserName: "alice", tlsDistinguishedName: "CN=cli" };
    expect(events).toMatchObject([{ type: "login", mechanism: "SCRAM-SHA-256", identity }]);
    for (const [name, password] of [
      ["alice", "looking-glass"],
      ["nobody", "wonderland"],
    ] as const) {
      const { code, stderr } = await list(await authFile(name, password));
      expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining(authFailed) });
    }
    expect(events.slice(1)).toMatchObject([
      { type: "login-failed", user: "alice" },
      { type: "login-failed", user: "nobody" },
    ]);
    const plain = await virsh(["-c", `${uri}&auth=sasl.PLAIN`, "list", "--all"], await authFile("alice", "wonderland"));
    expect(plain).toMatchObject(works);
  });

  test.each(["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5", "PLAIN"])(
    "SASL on a unix socket: %s",
    async (mechanism) => {
      const socket = join(dir, `${mechanism}.sock`);
      const users = passwordUsers({ alice: "wonderland" });
      const { events } = await serving({ listen: [`unix:${socket}`], auth: { sasl: { users } } });
      const uri = `test+unix:///default?socket=${socket}`;
      const named = mechanism === "SCRAM-SHA-512" ? uri : `${uri}&auth=sasl.${mechanism}`;
      expect(await virsh(["-c", named, "list", "--all"], await authFile("alice", "wonderland"))).toMatchObject(works);
      expect(events).toMatchObject([{ type: "login" }]);
      if (mechanism !== "SCRAM-SHA-512") expect(events).toMatchObject([{ mechanism }]);
      const wrong = await virsh(["-c", named, "list", "--all"], await authFile("alice", "x"));
      expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining(authFailed) });
    },
  );

  test("plain TCP: DIGEST-MD5, which encrypts everything behind the login", async () => {
    const users = passwordUsers({ alice: "wonderland" });
    const { ports, events } = await serving({ listen: ["tcp://127.0.0.1:0"], auth: { sasl: { users } } });
    const uri = `test+tcp://127.0.0.1:${ports[0]}/default`;
    const env = await authFile("alice", "wonderland");
    expect(await virsh(["-c", uri, "list", "--all"], env)).toMatchObject(works);
    const long = await virsh(["-c", uri, "dumpxml test; capabilities; domstats; list --all"], env);
    expect(long).toMatchObject({ code: 0, stdout: expect.stringContaining("<capabilities>") });
    expect(events).toMatchObject([{ mechanism: "DIGEST-MD5" }, { mechanism: "DIGEST-MD5" }]);
    const wrong = await virsh(["-c", uri, "list"], await authFile("alice", "x"));
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining(authFailed) });
    const scram = await virsh(["-c", `${uri}?auth=sasl.SCRAM-SHA-256`, "list"], env);
    expect(scram).toMatchObject({ code: 1, stderr: expect.stringContaining("SCRAM-SHA-256 not supported by server") });
  });

  test("unix rw and ro: on the one everything, on the other what reads; virsh -r reads on both", async () => {
    const [rw, ro] = [join(dir, "rw.sock"), join(dir, "ro.sock")];
    await serving({ listen: [`unix:${rw}`, { address: `unix:${ro}`, readOnly: true }] });
    const run = (socket: string, ...args: string[]) => virsh(["-c", `test+unix:///default?socket=${socket}`, ...args]);
    const forbidden = { code: 1, stderr: expect.stringContaining("read only access prevents virDomainSuspend") };
    expect(await run(rw, "list", "--all")).toMatchObject(works);
    expect(await run(ro, "list", "--all")).toMatchObject(works);
    expect(await run(ro, "suspend", "test")).toMatchObject(forbidden);
    expect(await run(rw, "-r", "list", "--all")).toMatchObject(works);
    expect(await run(rw, "-r", "suspend", "test")).toMatchObject(forbidden);
    expect(await run(rw, "suspend", "test")).toMatchObject({ code: 0 });
  });

  test("polkit: root needs no leave; for others it is asked about their process, and its answer counts", async () => {
    const [program, answer, asked] = [join(dir, "pkcheck"), join(dir, "answer"), join(dir, "asked")];
    await writeFile(program, `#!/bin/sh\necho "$@" >> ${asked}\nexit $(cat ${answer})\n`, { mode: 0o755 });
    const [rw, ro] = [join(dir, "polkit.sock"), join(dir, "polkit-ro.sock")];
    const auth = { polkit: { command: program } };
    const { events } = await serving({
      listen: [
        { address: `unix:${rw}`, mode: 0o666, auth },
        { address: `unix:${ro}`, mode: 0o666, auth, readOnly: true },
      ],
    });
    const list = (socket: string, user?: string) =>
      virsh(["-c", `test+unix:///default?socket=${socket}`, "list", "--all"], {}, user);
    expect(await list(rw)).toMatchObject(works);
    expect(events).toMatchObject([{ type: "login", mechanism: "none", identity: { unixUserId: 0 } }]);
    await writeFile(answer, "0");
    expect(await list(rw, "nobody")).toMatchObject(works);
    expect(await list(ro, "nobody")).toMatchObject(works);
    expect(events.slice(1)).toMatchObject([
      { type: "login", mechanism: "polkit", identity: { unixUserName: "nobody", unixUserId: 65_534 } },
      { type: "login", mechanism: "polkit", identity: { unixUserName: "nobody" } },
    ]);
    for (const [code, words] of [
      ["1", "access denied by policy"],
      ["3", "user cancelled authentication process"],
      ["127", "polkit could not be asked"],
    ] as const) {
      await writeFile(answer, code);
      const refused = await list(rw, "nobody");
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(words) });
    }
    const { stdout } = await runProcess("cat", [asked]);
    const [first, second] = stdout.split("\n");
    const question = (action: string) =>
      new RegExp(`^--process \\d+,\\d+,65534 --action-id ${action} --allow-user-interaction$`);
    expect(first).toMatch(question("org.libvirt.unix.manage"));
    expect(second).toMatch(question("org.libvirt.unix.monitor"));
  });

  test("a real polkitd: its rules let one user in and not the other, and say which guests are seen", async () => {
    const api = [...knownRights()].map((right) => `org.libvirt.api.${right.replace(":", ".").replaceAll("_", "-")}`);
    const actions = {
      "org.libvirt.unix.manage": "auth_admin",
      "org.libvirt.unix.monitor": "yes",
      ...Object.fromEntries(api.map((action) => [action, "no"])),
    };
    const rules = `polkit.addRule(function(action, subject) {
      if (subject.user == "root") return polkit.Result.YES;
      if (subject.user == "nobody" && action.id == "org.libvirt.unix.manage") return polkit.Result.YES;
      if (subject.user == "nobody" && action.id.indexOf("org.libvirt.api.connect.") == 0) return polkit.Result.YES;
      if (action.id == "org.libvirt.api.domain.getattr" && action.lookup("domain_name") == "shown")
        return action.lookup("connect_driver") == "virtwire" ? polkit.Result.YES : polkit.Result.NO;
    });\n`;
    await using polkit = await Polkit.start(join(dir, "polkitd"), actions, rules);
    const [rw, ro] = [join(dir, "real.sock"), join(dir, "real-ro.sock")];
    const { command } = polkit;
    const auth = { polkit: { command } };
    await serving({
      listen: [
        { address: `unix:${rw}`, mode: 0o666, auth },
        { address: `unix:${ro}`, mode: 0o666, auth, readOnly: true },
      ],
      access: polkitAccess({ command }),
    });
    const xml = join(dir, "polkit-shown.xml");
    await writeFile(xml, guestXml({ name: "shown", uuid: "6695eb01-f6a4-8304-79aa-97f2502e1931" }));
    const run = (socket: string, user: string | undefined, ...args: string[]) =>
      virsh(["-c", `test+unix:///default?socket=${socket}`, ...args], {}, user);
    expect(await run(rw, undefined, "define", xml)).toMatchObject({ code: 0 });
    const all = await run(rw, undefined, "list", "--all", "--name");
    expect(all.stdout.trim().split("\n").sort()).toEqual(["shown", "test"]);
    expect((await run(rw, "nobody", "list", "--all", "--name")).stdout.trim()).toBe("shown");
    const agent = "no polkit agent available to authenticate action 'org.libvirt.unix.manage'";
    expect(await run(rw, "daemon", "list")).toMatchObject({ code: 1, stderr: expect.stringContaining(agent) });
    const denied = { code: 1, stderr: expect.stringContaining("access denied: 'virtwire' denied access") };
    expect(await run(ro, "daemon", "list")).toMatchObject(denied);
  });

  test("rights: what rules do not give is refused in libvirt's words, and lists do not show it", async () => {
    const socket = join(dir, "rights.sock");
    const access = accessRules([
      { unixUsers: ["root"], rights: ["*"] },
      { unixUsers: ["nobody"], rights: ["connect:*", "domain:getattr", "domain:read"], names: ["shown*"] },
      { unixUsers: ["nobody"], rights: ["connect:*"] },
    ]);
    const { events } = await serving({ listen: [{ address: `unix:${socket}`, mode: 0o666 }], access });
    const uri = `test+unix:///default?socket=${socket}`;
    const xml = join(dir, "shown.xml");
    await writeFile(xml, guestXml({ name: "shown-1", uuid: "6695eb01-f6a4-8304-79aa-97f2502e1930" }));
    expect(await virsh(["-c", uri, "define", xml])).toMatchObject({ code: 0 });
    const names = async (user?: string) =>
      (await virsh(["-c", uri, "list", "--all", "--name"], {}, user)).stdout.split("\n").filter((name) => name !== "");
    expect((await names()).sort()).toEqual(["shown-1", "test"]);
    expect(await names("nobody")).toEqual(["shown-1"]);
    const denied = { code: 1, stderr: expect.stringMatching(/access denied: '\w+' denied access/) };
    // virsh says no more of a guest that it cannot look up.
    const hidden = { code: 1, stderr: expect.stringContaining("failed to get domain 'test'") };
    expect(await virsh(["-c", uri, "dominfo", "test"], {}, "nobody")).toMatchObject(hidden);
    expect(events).toContainEqual(
      expect.objectContaining({ procedure: "DOMAIN_LOOKUP_BY_NAME", right: "domain:getattr", object: "test" }),
    );
    expect(await virsh(["-c", uri, "domstate", "shown-1"], {}, "nobody")).toMatchObject({ code: 0 });
    expect(await virsh(["-c", uri, "start", "shown-1"], {}, "nobody")).toMatchObject(denied);
    expect(await virsh(["-c", uri, "start", "shown-1"])).toMatchObject({ code: 0 });
    expect(events.filter(({ type }) => type === "denied")).toContainEqual(
      expect.objectContaining({ procedure: "DOMAIN_CREATE", right: "domain:start", object: "shown-1" }),
    );
  });

  test("libvirt's Python binding: the callback is asked for name and password, and a wrong one is refused", async () => {
    const socket = join(dir, "python.sock");
    const users = passwordUsers({ alice: "wonderland" });
    await serving({ listen: [`unix:${socket}`], auth: { sasl: { users } } });
    const script = `
import libvirt, sys
asked = []
def answer(credentials, password):
    for credential in credentials:
        asked.append(credential[0])
        credential[4] = "alice" if credential[0] == libvirt.VIR_CRED_AUTHNAME else password
    return 0
def names(password):
    auth = [[libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE], answer, password]
    conn = libvirt.openAuth(sys.argv[1], auth, 0)
    return [domain.name() for domain in conn.listAllDomains()]
print(names("wonderland"))
print(sorted(set(asked)) == sorted([libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE]))
try:
    names("looking-glass")
except libvirt.libvirtError as error:
    print(error.get_error_code(), error.get_error_domain(), error.get_error_message())
`;
    const result = await runProcess(python, ["-c", script, `test+unix:///default?socket=${socket}`], {
      timeout: 60_000,
    });
    expect(result.stdout.trim().split("\n")).toEqual(["['test']", "True", `45 7 ${authFailed}`]);
  });
});
