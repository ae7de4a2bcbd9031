/** The ADMIN program, asked by our own client; the interop tests ask it with virt-admin. */
import { describe, expect, onTestFinished, test } from "vitest";
import {
  AdminClient,
  type TypedParam,
  VIR_TYPED_PARAM_INT,
  VIR_TYPED_PARAM_UINT,
} from "../../src/generated/admin/index.ts";
import { Peer } from "../../src/rpc/index.ts";
import {
  type AdminProgramOptions,
  type AuditEvent,
  adminProgram,
  createServer,
  DaemonLog,
  type Server,
} from "../../src/server/index.ts";
import { type PeerIdentity, pair } from "../../src/transport/index.ts";
import { disguised } from "../auth/scripted-daemon.ts";

const srv = { name: "main" };
const flags = 0;
const uint = (field: string, value: number): TypedParam => ({ field, value: { type: VIR_TYPED_PARAM_UINT, value } });
const plain = (params: readonly TypedParam[]) =>
  Object.fromEntries(params.map(({ field, value }) => [field, value.value]));
const failed = (code: number, message: string | RegExp) => ({
  name: "VirtError",
  code,
  message: typeof message === "string" ? message : expect.stringMatching(message),
});

interface Daemon {
  readonly main: Server;
  readonly admin: AdminClient;
  /** A client of the main server. */
  join(seen?: Partial<PeerIdentity>): Peer;
}

/** A daemon of two servers, and an administrator whose connection to it is open. */
async function daemon(options: Partial<AdminProgramOptions> = {}, open = true): Promise<Daemon> {
  const main = createServer({ name: "main", programs: [] });
  const servers: Server[] = [main];
  const control = createServer({ name: "admin", programs: [adminProgram({ servers: () => servers, ...options })] });
  servers.push(control);
  const peers: Peer[] = [];
  const join = (server: Server, seen: Partial<PeerIdentity> = {}): Peer => {
    const [near, far] = pair();
    server.accept(disguised(far, seen));
    const peer = new Peer(near);
    peers.push(peer);
    return peer;
  };
  onTestFinished(async () => {
    await Promise.all(peers.map((peer) => peer.close()));
    await Promise.all(servers.map((server) => server.close()));
  });
  const admin = new AdminClient(join(control));
  if (open) await admin.connectOpen({ flags });
  return { main, admin, join: (seen) => join(main, seen) };
}

test("nothing but opening and closing before the connection is open", async () => {
  const { admin } = await daemon({}, false);
  const notOpen = failed(1, "internal error: connection not open");
  await expect(admin.connectListServers({ needResults: 1, flags })).rejects.toMatchObject(notOpen);
  await expect(admin.connectDaemonShutdown({ flags })).rejects.toMatchObject(notOpen);
  await admin.connectOpen({ flags });
  expect(await admin.connectGetLibVersion()).toEqual({ libVer: 11_003_000n });
  await admin.connectClose();
});

test("servers are listed and found by name", async () => {
  const { admin } = await daemon();
  const servers = [{ name: "main" }, { name: "admin" }];
  expect(await admin.connectListServers({ needResults: 1, flags })).toEqual({ servers, ret: 2 });
  expect(await admin.connectListServers({ needResults: 0, flags })).toEqual({ servers: [], ret: 2 });
  expect(await admin.connectLookupServer({ name: "main", flags })).toEqual({ srv });
  await expect(admin.connectLookupServer({ name: "nosuch", flags })).rejects.toMatchObject(
    failed(95, "Server not found: No server named 'nosuch'"),
  );
});

test("flags that it does not know are refused, whatever the call", async () => {
  const { admin } = await daemon({ log: new DaemonLog(), setTimeout: () => {}, shutdown: () => {} });
  for (const [call, name] of [
    [admin.connectOpen({ flags: 4 }), "adminDispatchConnectOpen"],
    [admin.connectListServers({ needResults: 1, flags: 4 }), "adminConnectListServers"],
    [admin.serverListClients({ srv, needResults: 1, flags: 4 }), "adminServerListClients"],
    [admin.serverSetClientLimits({ srv, params: [], flags: 4 }), "adminServerSetClientLimits"],
    [admin.connectSetLoggingFilters({ filters: "", flags: 4 }), "adminConnectSetLoggingFilters"],
    [admin.connectDaemonShutdown({ flags: 4 }), "adminConnectDaemonShutdown"],
  ] as const) {
    await expect(call).rejects.toMatchObject(failed(8, `unsupported flags (0x4) in function ${name}`));
  }
});

describe("limits", () => {
  test("of the workers are told and changed", async () => {
    const { admin, main } = await daemon();
    const before = plain((await admin.serverGetThreadpoolParameters({ srv, flags })).params);
    expect(before).toMatchObject({ minWorkers: 5, maxWorkers: 20, prioWorkers: 5, jobQueueDepth: 0 });
    const params = [uint("minWorkers", 7), uint("maxWorkers", 30), uint("prioWorkers", 9)];
    await admin.serverSetThreadpoolParameters({ srv, params, flags });
    expect(main.limits).toMatchObject({ minWorkers: 7, maxWorkers: 30, priorityWorkers: 9 });
    const after = plain((await admin.serverGetThreadpoolParameters({ srv, flags })).params);
    expect(after).toMatchObject({ minWorkers: 7, maxWorkers: 30, prioWorkers: 9 });
  });

  test("of the clients are told and changed", async () => {
    const { admin, main, join } = await daemon();
    join();
    const { maxClients, maxAnonymousClients } = main.limits;
    expect(plain((await admin.serverGetClientLimits({ srv, flags })).params)).toEqual({
      nclients_max: maxClients,
      nclients: 1,
      nclients_unauth_max: maxAnonymousClients,
      nclients_unauth: 0,
    });
    const params = [uint("nclients_max", 60), uint("nclients_unauth_max", 30)];
    await admin.serverSetClientLimits({ srv, params, flags });
    expect(main.limits).toMatchObject({ maxClients: 60, maxAnonymousClients: 30 });
  });

  test.each<[TypedParam[], number, RegExp]>([
    [[uint("minWorkers", 7), uint("maxWorkers", 6)], 8, /minWorkers cannot be larger than maxWorkers$/],
    [[uint("minWorkers", 21)], 8, /minWorkers cannot be larger than maxWorkers$/],
    [[uint("minWorkers", 0), uint("maxWorkers", 0)], 8, /from zero to non-zero and vice versa$/],
    [[uint("nosuch", 1)], 74, /parameter 'nosuch' not supported$/],
    [[uint("constructor", 1)], 74, /parameter 'constructor' not supported$/],
    [[uint("maxWorkers", 30), uint("maxWorkers", 31)], 8, /parameter 'maxWorkers' occurs multiple times$/],
    [
      [{ field: "maxWorkers", value: { type: VIR_TYPED_PARAM_INT, value: 30 } }],
      8,
      /invalid type for parameter 'maxWorkers', expected 'uint'$/,
    ],
  ])("of the workers without sense are refused, and nothing changes: %j", async (params, code, message) => {
    const { admin, main } = await daemon();
    const before = main.limits;
    await expect(admin.serverSetThreadpoolParameters({ srv, params, flags })).rejects.toMatchObject(
      failed(code, message),
    );
    expect(main.limits).toEqual(before);
  });

  test("of clients that wait for a login may not be above those of all clients", async () => {
    const { admin, main } = await daemon();
    const before = main.limits;
    const params = [uint("nclients_max", 6), uint("nclients_unauth_max", 30)];
    await expect(admin.serverSetClientLimits({ srv, params, flags })).rejects.toMatchObject({ code: 8 });
    expect(main.limits).toEqual(before);
  });
});

describe("clients", () => {
  test("are listed, looked at and sent away", async () => {
    const events: AuditEvent[] = [];
    const { admin, main, join } = await daemon({ onAudit: (event) => events.push(event) });
    const peers = [join(), join()];
    const { clients, ret } = await admin.serverListClients({ srv, needResults: 1, flags });
    expect(ret).toBe(2);
    const now = Date.now() / 1000;
    for (const { timestamp, transport } of clients) {
      expect(Math.abs(Number(timestamp) - now)).toBeLessThan(60);
      expect(transport).toBe(0);
    }
    expect(await admin.serverListClients({ srv, needResults: 0, flags })).toEqual({ clients: [], ret: 2 });
    const [, second] = clients;
    expect(await admin.serverLookupClient({ srv, id: second!.id, flags })).toEqual({ clnt: second });
    expect(plain((await admin.clientGetInfo({ clnt: second!, flags })).params)).toEqual({ readonly: 0 });

    const gone = new Promise((resolve) => peers[1]!.onClose(resolve));
    await admin.clientClose({ clnt: second!, flags });
    await gone;
    expect(main.sessions.map(({ id }) => BigInt(id))).toEqual([clients[0]!.id]);
    expect(events).toMatchObject([{ type: "disconnect", by: "admin" }]);
    await expect(admin.clientClose({ clnt: second!, flags })).rejects.toMatchObject(
      failed(96, `Client not found: No client with matching ID '${second!.id}'`),
    );
  });

  test("of a network have their address and their certificate's name, those of TLS another number", async () => {
    const { admin, join, main } = await daemon();
    join({ transport: "tcp", address: "tcp://192.0.2.1:4711" });
    main.sessions[0]!.client.tlsDistinguishedName = "C=GB,CN=cli";
    const { clients } = await admin.serverListClients({ srv, needResults: 1, flags });
    expect(clients[0]!.transport).toBe(1);
    expect(plain((await admin.clientGetInfo({ clnt: clients[0]!, flags })).params)).toEqual({
      readonly: 0,
      sock_addr: "192.0.2.1:4711",
      tls_x509_dname: "C=GB,CN=cli",
    });
  });

  test("of servers and with numbers that there are not", async () => {
    const { admin } = await daemon();
    await expect(admin.serverLookupClient({ srv, id: 1n << 60n, flags })).rejects.toMatchObject({ code: 96 });
    const list = admin.serverListClients({ srv: { name: "nosuch" }, needResults: 1, flags });
    await expect(list).rejects.toMatchObject({ code: 95 });
  });
});

describe("logging", () => {
  test("outputs and filters are told and changed", async () => {
    using log = new DaemonLog({ filters: "1:remote 4:event" });
    const { admin } = await daemon({ log });
    expect(await admin.connectGetLoggingOutputs({ flags })).toEqual({ outputs: "3:stderr", noutputs: 1 });
    expect(await admin.connectGetLoggingFilters({ flags })).toEqual({ filters: "1:*remote* 4:*event* ", nfilters: 2 });
    await admin.connectSetLoggingOutputs({ outputs: "4:stderr", flags });
    expect(log.outputs).toBe("4:stderr");
    await admin.connectSetLoggingOutputs({ outputs: null, flags });
    expect(log.outputs).toBe("3:stderr");
    await admin.connectSetLoggingFilters({ filters: null, flags });
    expect(await admin.connectGetLoggingFilters({ flags })).toEqual({ filters: null, nfilters: 0 });
  });

  test("a malformed setting is refused", async () => {
    using log = new DaemonLog();
    const { admin } = await daemon({ log });
    await expect(admin.connectSetLoggingOutputs({ outputs: "nonsense", flags })).rejects.toMatchObject(
      failed(8, "invalid argument: Malformed format for log output 'nonsense'"),
    );
  });
});

test("what the daemon has not is not supported, by the name of the C function", async () => {
  const { admin } = await daemon();
  for (const [call, name] of [
    [admin.connectGetLoggingOutputs({ flags }), "virAdmConnectGetLoggingOutputs"],
    [admin.connectSetLoggingFilters({ filters: "", flags }), "virAdmConnectSetLoggingFilters"],
    [admin.connectSetDaemonTimeout({ timeout: 1, flags }), "virAdmConnectSetDaemonTimeout"],
    [admin.connectDaemonShutdown({ flags }), "virAdmConnectDaemonShutdown"],
  ] as const) {
    const message = `this function is not supported by the connection driver: ${name}`;
    await expect(call).rejects.toMatchObject(failed(3, message));
  }
});

test("the timeout is handed on, and a shutdown is answered, then begun", async () => {
  const timeouts: number[] = [];
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const { admin } = await daemon({ setTimeout: (seconds) => timeouts.push(seconds), shutdown: () => end() });
  await admin.connectSetDaemonTimeout({ timeout: 30, flags });
  expect(timeouts).toEqual([30]);
  await admin.connectDaemonShutdown({ flags });
  await ended;
});

test("TLS files: a server without TLS has none to read again", async () => {
  const { admin } = await daemon();
  await expect(admin.serverUpdateTlsFiles({ srv, flags })).rejects.toMatchObject(
    failed(1, "internal error: no tls service found, unable to update tls files"),
  );
});
