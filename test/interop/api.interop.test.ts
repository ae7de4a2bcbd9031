/**
 * Every method of the API against real libvirtd. libvirt's Python binding makes the same call of the same daemon, and
 * has to get the same result, to see the same change, or to be refused with the same error.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as api from "../../src/api/index.ts";
import { plannedApi } from "../codegen/api/reading.ts";
import { Lab, labObstacle } from "../lab/lab.ts";
import { compare, type Driver, type Entry, Reference, type Verdict } from "./api.ts";
import { compared, reportOf, writeReport } from "./api-report.ts";
import * as memory from "./api-table.ts";
import * as qemu from "./api-table-qemu.ts";
import { part } from "./part.ts";
import { setupPython } from "./python.ts";

/** In the order in which they run: the changes of one are undone before the next. */
const entries: Entry[] = [
  ...memory.connectionCalls,
  ...memory.domainCalls,
  ...memory.snapshotCalls,
  ...memory.checkpointCalls,
  ...memory.interfaceCalls,
  ...memory.networkCalls,
  ...memory.nodeDeviceCalls,
  ...memory.storagePoolCalls,
  ...memory.storageVolCalls,
  ...qemu.qemuConnectionCalls,
  ...qemu.qemuDomainCalls,
  ...qemu.qemuNetworkCalls,
  ...qemu.networkPortCalls,
  ...qemu.nwfilterCalls,
  ...qemu.nwfilterBindingCalls,
  ...qemu.secretCalls,
  ...qemu.qemuNodeDeviceCalls,
  ...qemu.qemuPoolCalls,
  ...qemu.qemuVolCalls,
  ...qemu.identityCalls,
];

/** Public methods that are no function of the C API's objects, and where they are tested. */
const elsewhere: Readonly<Record<string, RegExp>> = {
  "how a connection is opened, used and ended: test/client, client.interop.test.ts":
    /^Connection\.(call|open|on|onReconnected|onClose|supportsFeature|setKeepAlive|close)$/,
  "events: test/api/events, events.interop.test.ts":
    /^Connection\.((domain|network|storagePool|nodeDevice|secret|qemuMonitor)Events|\w*Event(Dereg|Reg)ister(Any)?|(un)?registerCloseCallback)$/,
  "for the classes themselves": /\.(setRef|stopped)$/,
};

describe("the table", () => {
  const listed = entries.map(({ object, method }) => `${object}.${method}`);

  test("has every method of every class once", () => {
    const there = classes().flatMap(([name, made]) => methodsOf(made).map((method) => `${name}.${method}`));
    const others = there.filter((method) => Object.values(elsewhere).some((pattern) => pattern.test(method)));
    expect(listed.toSorted()).toEqual(there.filter((method) => !others.includes(method)).toSorted());
    expect(new Set(listed).size).toBe(listed.length);
  });

  test("has every generated method", () => {
    const generated = plannedApi().classes.flatMap(({ kind, methods }) =>
      methods.map(({ name }) => `${kind.name === "ConnectMethods" ? "Connection" : kind.name}.${name}`),
    );
    expect(generated.filter((method) => !listed.includes(method))).toEqual([]);
  });
});

part("the API against libvirtd", labObstacle(), () => {
  let lab: Lab;
  let reference: Reference;
  const connections = {} as Record<Driver, api.Connection>;
  const verdicts: Verdict[] = [];

  beforeAll(async () => {
    await setupPython();
    lab = await Lab.up({ hosts: ["alpha"], tag: "vk", net: "10.84.0" });
    await lab.guest("alpha", "api", "--no-start", "--video");
    await lab.guest("alpha", "bare", "--bare", "--mem", "4", "--no-start");
    const { unix } = await lab.host("alpha");
    const uris = { test: `test+unix:///default?socket=${unix}`, qemu: `qemu+unix:///system?socket=${unix}` };
    reference = await Reference.start(uris);
    connections.test = await api.connect(uris.test);
    connections.qemu = await api.connect(uris.qemu);
    await reference.value("test", memory.testSetup);
    await reference.value("qemu", qemu.qemuSetup);
  });
  afterAll(async () => {
    await Promise.allSettled(Object.values(connections).map((conn) => conn.close()));
    await reference?.[Symbol.asyncDispose]();
    await lab?.down();
  });

  const named = entries.map((entry) => [`${entry.driver}: ${entry.object}.${entry.method}`, entry] as const);
  test.each(named)("%s", async (_, entry) => {
    const verdict = await compare(entry, connections[entry.driver], reference);
    verdicts.push(verdict);
    expect(verdict.verdict, verdict.detail).not.toBe("different");
  });

  test("300 and more that call a procedure gave the same value or had the same effect", async () => {
    const planned = plannedApi();
    console.log(reportOf(verdicts, planned));
    // Not where only some were asked for, or one failed.
    const good = verdicts.filter(({ verdict }) => verdict !== "different");
    if (good.length === entries.length) await writeReport(verdicts, planned);
    expect(compared(verdicts, planned)).toBeGreaterThanOrEqual(300);
  });
});

/** The exported classes of objects. */
function classes(): [string, { readonly prototype: object }][] {
  const names = plannedApi().classes.map(({ kind }) => (kind.name === "ConnectMethods" ? "Connection" : kind.name));
  return names.map((name) => [name, (api as unknown as Record<string, { readonly prototype: object }>)[name]!]);
}

/** All methods that an object has. */
function methodsOf({ prototype }: { readonly prototype: object }): string[] {
  const found = new Set<string>();
  for (let at = prototype; at !== Object.prototype; at = Object.getPrototypeOf(at) as object) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (name !== "constructor" && typeof value === "function") found.add(name);
    }
  }
  return [...found];
}
