import { expect, test, vi } from "vitest";
import { connectTransport } from "../../src/api/index.ts";
import { LxcClient } from "../../src/generated/lxc/index.ts";
import { QemuClient } from "../../src/generated/qemu/index.ts";
import { type RemoteClient, remoteDescription, RemoteClient as Stubs } from "../../src/generated/remote/index.ts";
import {
  createMemoryHypervisor,
  type Hypervisor,
  hypervisorPrograms,
  remoteProgram,
} from "../../src/hypervisor/index.ts";
import { type AnyProcedure, Peer } from "../../src/rpc/index.ts";
import { createServer } from "../../src/server/index.ts";
import { pair } from "../../src/transport/index.ts";
import { RawEnd } from "../rpc/raw-end.ts";
import { frame, KEEPALIVE, REMOTE, words } from "../rpc/wire.ts";
import { guestXml, startGuest, TestHost, virt } from "./hosts.ts";

/** A client that has not opened its connection. */
function unopened(host: TestHost): { readonly peer: Peer; readonly remote: RemoteClient<unknown> } {
  const [ours, theirs] = pair();
  host.server.accept(theirs);
  const peer = new Peer(ours, {});
  return { peer, remote: new Stubs(peer) };
}

test("before it is open, a connection answers authentication, keepalive support and opening, and nothing else", async () => {
  await using host = new TestHost();
  const { remote, peer } = unopened(host);
  const notOpen = virt(1, "internal error: hypervisor connection not open");
  await expect(remote.connectGetHostname()).rejects.toMatchObject({ ...notOpen, domain: 7 });
  await expect(remote.connectGetUri()).rejects.toMatchObject(notOpen);
  await expect(remote.networkLookupByName({ name: "x" })).rejects.toMatchObject(notOpen); // not even this driver's
  await expect(remote.connectSupportsFeature({ feature: 14 })).rejects.toMatchObject(notOpen);
  expect(await remote.authList()).toEqual({ types: [0] });
  expect(await remote.connectSupportsFeature({ feature: 10 })).toEqual({ supported: 1 });
  await expect(remote.authPolkit()).rejects.toMatchObject({
    ...virt(1, "Library function returned error but did not set virError"),
    domain: 7,
    int1: 0,
    str1: null,
  });
  await expect(remote.connectOpen({ name: null, flags: 0 })).rejects.toMatchObject(
    virt(1, "internal error: connection not open"),
  );
  await expect(remote.connectOpen({ name: "nosuch:///x", flags: 0 })).rejects.toMatchObject({
    ...virt(5, "no connection driver available for nosuch:///x"),
    domain: 0,
  });
  await remote.connectOpen({ name: "", flags: 0xffff_fff6 }); // private bits of C clients are no flags
  expect(await remote.connectGetUri()).toEqual({ uri: "virtwire:///system" });
  await expect(remote.connectOpen({ name: "", flags: 0 })).rejects.toMatchObject(
    virt(1, "internal error: connection already open"),
  );
  await peer.close();
});

test("keepalive: a client that asked for feature 10 is pinged when silent, and dropped; one that did not never is", async () => {
  await using host = new TestHost();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  try {
    await using server = createServer({
      programs: [remoteProgram(host.hypervisor)],
      keepAlive: { interval: 5, count: 1 },
    });
    const [asking, silent] = [0, 1].map(() => {
      const [near, far] = pair();
      server.accept(far);
      return new RawEnd(near);
    }) as [RawEnd, RawEnd];
    const supportsFeature = 60;
    asking.write(frame({ prog: REMOTE, proc: supportsFeature }, words(10)));
    expect((await asking.expect()).payload).toEqual(words(1));
    await vi.advanceTimersByTimeAsync(5000);
    expect(await asking.expect()).toMatchObject({ prog: KEEPALIVE, proc: 1, type: 2 });
    await vi.advanceTimersByTimeAsync(5000);
    expect(await asking.next()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(60_000);
    silent.write(frame({ prog: REMOTE, proc: supportsFeature }, words(10)));
    expect((await silent.expect()).type).toBe(1); // the reply is the first that it hears
  } finally {
    vi.useRealTimers();
  }
});

test.each(["qemu:///system", "test:///default", "virtwire:///", "QEMU:///session"])("opens %s", async (name) => {
  await using host = new TestHost();
  const connection = await host.connect({ name });
  expect(await connection.remote.connectGetUri()).toEqual({ uri: name });
  expect(await connection.remote.connectGetType()).toEqual({ type: "virtwire" });
});

test.each(["qemu://host/system", "qemu:///nonsense", "qemu", "xen:///system", "__proto__:///system"])(
  "does not open %s",
  async (name) => {
    await using host = new TestHost();
    await expect(host.connect({ name })).rejects.toMatchObject({ code: 5 });
  },
);

test("features: the protocol's are the server's to answer, the rest the driver's", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const supported: number[] = [];
  for (let feature = 0; feature < 20; feature++) {
    if ((await remote.connectSupportsFeature({ feature })).supported === 1) supported.push(feature);
  }
  expect(supported).toEqual([6, 7, 9, 10, 11, 13, 14, 15, 16]);
});

test("a read-only connection reads, and is refused the rest in the name of the C function", async () => {
  await using host = new TestHost();
  const writer = await host.connect();
  const dom = await startGuest(writer);
  const { remote } = await host.connect({ readOnly: true });
  await remote.domainGetInfo({ dom });
  await remote.connectListAllDomains({ needResults: 1, flags: 0 });
  await remote.domainGetXmlDesc({ dom, flags: 0 });
  await remote.domainGetJobInfo({ dom });
  await remote.domainMigrateGetMaxDowntime({ dom, flags: 0 });
  const refused = async (call: Promise<unknown>, what: string) =>
    await expect(call).rejects.toMatchObject({
      ...virt(29, `operation forbidden: ${what}`),
      domain: 20,
    });
  const prevented = (call: Promise<unknown>, api: string) => refused(call, `read only access prevents ${api}`);
  await prevented(remote.domainSuspend({ dom }), "virDomainSuspend");
  await prevented(remote.domainDefineXml({ xml: guestXml() }), "virDomainDefineXML");
  await prevented(remote.domainMigrateGetMaxSpeed({ dom, flags: 0 }), "virDomainMigrateGetMaxSpeed");
  await prevented(remote.domainMemoryPeek({ dom, offset: 0n, size: 1, flags: 2 }), "virDomainMemoryPeek");
  await prevented(remote.domainAbortJob({ dom }), "virDomainAbortJob");
  await refused(remote.domainGetXmlDesc({ dom, flags: 1 }), "virDomainGetXMLDesc with secure flag");
  await refused(remote.domainGetXmlDesc({ dom, flags: 8 }), "virDomainGetXMLDesc with secure flag");
  // What the driver says to calls that reach it is its own affair: there is no such snapshot.
  const reached = (call: Promise<unknown>) =>
    call.catch((error: { readonly code: number }) => expect(error.code).not.toBe(29));
  for (const flags of [0, 1]) {
    const snap = { name: "s", dom };
    const calls: readonly [() => Promise<unknown>, string][] = [
      [() => remote.domainSnapshotGetXmlDesc({ snap, flags }), "virDomainSnapshotGetXMLDesc"],
      [() => remote.domainCheckpointGetXmlDesc({ checkpoint: snap, flags }), "virDomainCheckpointGetXMLDesc"],
      [() => remote.domainManagedSaveGetXmlDesc({ dom, flags }), "virDomainManagedSaveGetXMLDesc"],
    ];
    for (const [call, api] of calls) {
      if (flags === 0) await reached(call());
      else await expect(call()).rejects.toMatchObject({ ...virt(29, `operation forbidden: ${api} with secure flag`) });
    }
  }
  await remote.domainGetVcpusFlags({ dom, flags: 1 });
  await prevented(remote.domainGetVcpusFlags({ dom, flags: 9 }), "virDomainGetVcpusFlags");
  await reached(remote.domainInterfaceAddresses({ dom, source: 0, flags: 0 }));
  await prevented(remote.domainInterfaceAddresses({ dom, source: 1, flags: 0 }), "virDomainInterfaceAddresses");
  await prevented(
    remote.domainMigrateConfirm3({ dom, cookieIn: new Uint8Array(0), flags: 0n, cancelled: 1 }),
    "virDomainMigrateConfirm3",
  );
});

test("what the driver leaves out is not supported", async () => {
  await using host = new TestHost();
  const { networkLookupByName: _left, ...procedures } = host.hypervisor.procedures;
  const hypervisor = Object.assign(Object.create(host.hypervisor) as Hypervisor, { procedures });
  await using server = createServer({ programs: [remoteProgram(hypervisor)] });
  const [near, far] = pair();
  server.accept(far);
  await using connection = await connectTransport(near, { name: "virtwire:///system" });
  const { remote } = connection;
  await expect(remote.networkLookupByName({ name: "default" })).rejects.toMatchObject({
    ...virt(3, "this function is not supported by the connection driver: virNetworkLookupByName"),
    domain: 19,
  });
});

test("close callbacks are registered and taken back as often as anyone likes, as with libvirt's drivers", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  for (let i = 0; i < 2; i++) await remote.connectRegisterCloseCallback();
  for (let i = 0; i < 2; i++) await remote.connectUnregisterCloseCallback();
});

test("CONNECT_CLOSE is answered, and the connection is closed", async () => {
  await using host = new TestHost();
  const { peer, remote } = unopened(host);
  await remote.connectClose();
  await peer.closed;
});

test("no procedure of a connection that is not open does anything but refuse", async () => {
  await using host = new TestHost();
  const { peer } = unopened(host);
  const open = /^(AUTH_|CONNECT_(OPEN|CLOSE|SUPPORTS_FEATURE)$)/;
  const gated = Object.values<AnyProcedure>(remoteDescription.procedures).filter(({ name, args }) => {
    return !open.test(name) && args.encode.length < 2; // those without arguments: any payload fits them
  });
  expect(gated.length).toBeGreaterThan(20);
  for (const procedure of gated) {
    await expect(peer.call(procedure, undefined), procedure.name).rejects.toMatchObject({ code: 1 });
  }
  await peer.close();
});

test("QEMU and LXC are served beside REMOTE, on connections that it has opened, and have no procedures here", async () => {
  await using hypervisor = createMemoryHypervisor();
  await using server = createServer({ programs: hypervisorPrograms(hypervisor) });
  const [near, far] = pair();
  server.accept(far);
  const peer = new Peer(near, {});
  const dom = { name: "web", uuid: new Uint8Array(16), id: -1 };
  const agent = () => new QemuClient(peer).domainAgentCommand({ dom, cmd: "{}", timeout: -2, flags: 0 });
  const namespaces = () => new LxcClient(peer).domainOpenNamespace({ dom, flags: 0 });
  await expect(agent()).rejects.toMatchObject(virt(1, "internal error: hypervisor connection not open"));
  const remote = new Stubs(peer);
  await remote.connectOpen({ name: "", flags: 0 });
  const unsupported = "this function is not supported by the connection driver";
  await expect(agent()).rejects.toMatchObject({ ...virt(3, `${unsupported}: virDomainQemuAgentCommand`), domain: 0 });
  await expect(namespaces()).rejects.toMatchObject({
    ...virt(3, `${unsupported}: virDomainLxcOpenNamespace`),
    domain: 0,
  });
  for (const session of server.sessions) session.readOnly = true;
  const forbidden = "operation forbidden: read only access prevents virDomainQemuAgentCommand";
  await expect(agent()).rejects.toMatchObject(virt(29, forbidden));
  await peer.close();
});
