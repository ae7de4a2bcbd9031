import { createHash } from "node:crypto";
import { connect as dial, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import type { Connection } from "../../../src/api/index.ts";
import type { NonnullDomain } from "../../../src/generated/remote/index.ts";
import type { MemoryHypervisorOptions } from "../../../src/hypervisor/index.ts";
import { writeHello } from "../../../src/hypervisor/memory/memory-channel.ts";
import { readCookie, writeCookie } from "../../../src/hypervisor/memory/migration-cookie.ts";
import { FakeClock, guestXml, memoryOf, startGuest, TestHost, UUID, virt } from "../hosts.ts";
import { lifecycleOf } from "./lifecycle.ts";

const LIVE = 1n;
const PERSIST_DEST = 8n;
const UNDEFINE_SOURCE = 16n;
const PAUSED = 32n;
const PROTECT = 256n;
const MEMORY = 2 << 20;
const NONE = new Uint8Array(0);
const RUNNING = 1;
const PAUSED_STATE = 3;
const SHUTOFF = 5;

/** The five calls of a managed migration, one by one, with the arguments that most tests want. */
class Steps {
  readonly from: Connection;
  readonly to: Connection;
  readonly dom: NonnullDomain;

  constructor(from: Connection, to: Connection, dom: NonnullDomain) {
    this.from = from;
    this.to = to;
    this.dom = dom;
  }

  begin(flags = LIVE, xmlin: string | null = null) {
    return this.from.remote.domainMigrateBegin3({ dom: this.dom, xmlin, flags, dname: null, resource: 0n });
  }

  prepare(begun: { cookieOut: Uint8Array; xml: string }, flags = LIVE, dname: string | null = null) {
    const args = { cookieIn: begun.cookieOut, uriIn: null, flags, dname, resource: 0n, domXml: begun.xml };
    return this.to.remote.domainMigratePrepare3(args);
  }

  perform(prepared: { cookieOut: Uint8Array; uriOut: string | null }, flags = LIVE, resource = 0n) {
    return this.from.remote.domainMigratePerform3({
      dom: this.dom,
      xmlin: null,
      cookieIn: prepared.cookieOut,
      dconnuri: null,
      uri: prepared.uriOut,
      flags,
      dname: null,
      resource,
    });
  }

  finish(cookieIn: Uint8Array, { flags = LIVE, dname = "web", cancelled = 0 } = {}) {
    return this.to.remote.domainMigrateFinish3({ dname, cookieIn, dconnuri: null, uri: null, flags, cancelled });
  }

  confirm(cookieIn: Uint8Array, { flags = LIVE, cancelled = 0 } = {}) {
    return this.from.remote.domainMigrateConfirm3({ dom: this.dom, cookieIn, flags, cancelled });
  }

  /** Everything up to a good Perform. */
  async performed(flags = LIVE) {
    const begun = await this.begin(flags);
    const prepared = await this.prepare(begun, flags & ~PROTECT);
    return this.perform(prepared, flags);
  }
}

interface Scene extends AsyncDisposable {
  readonly source: TestHost;
  readonly destination: TestHost;
  readonly steps: Steps;
}

async function scene(options: MemoryHypervisorOptions = {}): Promise<Scene> {
  const source = new TestHost({ hostname: "source", ...options });
  const destination = new TestHost({ hostname: "destination", ...options });
  const from = await source.connect();
  const to = await destination.connect();
  const steps = new Steps(from, to, await startGuest(from));
  return {
    source,
    destination,
    steps,
    async [Symbol.asyncDispose]() {
      await source[Symbol.asyncDispose]();
      await destination[Symbol.asyncDispose]();
    },
  };
}

const state = async (connection: Connection, dom: NonnullDomain) => {
  const { state, reason } = await connection.remote.domainGetState({ dom, flags: 0 });
  return [state, reason];
};

const names = async (connection: Connection) => {
  const { domains } = await connection.remote.connectListAllDomains({ needResults: 1, flags: 0 });
  return domains.map(({ name, id }) => (id < 0 ? `${name} (off)` : name));
};

/** Connects where Prepare listens, without the knowledge that Prepare's cookie gives. */
async function stranger(uri: string): Promise<Socket> {
  const socket = dial({ host: "127.0.0.1", port: Number(uri.split(":").at(-1)) });
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

const closed = (socket: Socket) => new Promise((resolve) => socket.once("close", resolve));

describe("a migration that succeeds", () => {
  test("moves the memory, and the guest runs on the destination only", async () => {
    await using s = await scene();
    const { steps } = s;
    const before = await memoryOf(steps.from, steps.dom, MEMORY);
    expect(new Set(before.subarray(0, 4096)).size).toBeGreaterThan(200); // no pattern worth compressing

    const begun = await steps.begin(LIVE | PROTECT);
    expect(begun.xml).toContain(UUID);
    const prepared = await steps.prepare(begun);
    expect(prepared.uriOut).toMatch(/^tcp:127\.0\.0\.1:\d+$/);
    expect(await state(steps.to, steps.dom)).toEqual([PAUSED_STATE, 2]);
    expect(await state(steps.from, steps.dom)).toEqual([RUNNING, 1]);

    const performed = await steps.perform(prepared, LIVE | PROTECT);
    expect(await state(steps.from, steps.dom)).toEqual([PAUSED_STATE, 2]);
    expect(await state(steps.to, steps.dom)).toEqual([PAUSED_STATE, 2]);

    const finished = await steps.finish(performed.cookieOut);
    expect(finished.dom).toMatchObject({ name: "web", id: 1 });
    expect(await state(steps.to, steps.dom)).toEqual([RUNNING, 2]);
    expect(await state(steps.from, steps.dom)).toEqual([PAUSED_STATE, 2]);

    await steps.confirm(finished.cookieOut, { flags: LIVE | PROTECT });
    expect(await state(steps.from, steps.dom)).toEqual([SHUTOFF, 4]);
    expect(await names(steps.from)).toEqual(["web (off)"]);
    expect(sha256(await memoryOf(steps.to, finished.dom, MEMORY))).toBe(sha256(before));
  });

  test("takes the same steps with parameters, under another name", async () => {
    await using s = await scene();
    const { from, to, dom } = s.steps;
    const text = (field: string, value: string) => ({ field, value: { type: 7 as const, value } });
    const dxml = guestXml({ extra: "<description>moved</description>" });
    const params = [text("destination_name", "web2"), text("destination_xml", dxml)];
    const begun = await from.remote.domainMigrateBegin3Params({ dom, params, flags: 257 });
    expect(begun.xml).toContain("moved");
    const named = [text("destination_name", "web2"), text("destination_xml", begun.xml)];
    const prepared = await to.remote.domainMigratePrepare3Params({
      params: named,
      cookieIn: begun.cookieOut,
      flags: 1,
    });
    const all = [...named, text("migrate_uri", prepared.uriOut!)];
    const performed = await from.remote.domainMigratePerform3Params({
      dom,
      dconnuri: null,
      params: all,
      cookieIn: prepared.cookieOut,
      flags: 257,
    });
    const finished = await to.remote.domainMigrateFinish3Params({
      params: all,
      cookieIn: performed.cookieOut,
      flags: 1,
      cancelled: 0,
    });
    const { cookieOut: cookieIn } = finished;
    await from.remote.domainMigrateConfirm3Params({ dom, params: all, cookieIn, flags: 257, cancelled: 0 });
    expect(await names(to)).toEqual(["web2"]);
    const { xml } = await to.remote.domainGetXmlDesc({ dom: finished.dom, flags: 0 });
    expect(xml).toContain("<name>web2</name>");
    expect(xml).toContain("moved");
    expect(await names(from)).toEqual(["web (off)"]);
  });

  test("keeps or removes the definitions as its flags say", async () => {
    await using s = await scene();
    const flags = LIVE | PERSIST_DEST | UNDEFINE_SOURCE;
    const heard = await lifecycleOf(s.steps.to);
    const performed = await s.steps.performed(flags);
    const { dom, cookieOut } = await s.steps.finish(performed.cookieOut, { flags });
    await s.steps.confirm(cookieOut, { flags });
    expect(await heard(3)).toEqual(["STARTED MIGRATED", "DEFINED ADDED", "RESUMED MIGRATED"]);
    expect(await names(s.steps.from)).toEqual([]);
    expect(await s.steps.to.remote.domainIsPersistent({ dom })).toEqual({ persistent: 1 });
  });

  test("that fails leaves the saved guest of the destination's domain as it was", async () => {
    await using s = await scene();
    const { remote } = s.steps.to;
    const there = await startGuest(s.steps.to);
    await remote.domainManagedSave({ dom: there, flags: 0 });
    const kept = async () => (await remote.domainHasManagedSaveImage({ dom: there, flags: 0 })).result;
    const failed = await s.steps.performed();
    await expect(s.steps.finish(failed.cookieOut, { cancelled: 1 })).rejects.toMatchObject({ code: 93 });
    expect(await kept()).toBe(1);
    await s.steps.confirm(NONE, { cancelled: 1 });
    const performed = await s.steps.performed();
    await s.steps.finish(performed.cookieOut);
    expect(await kept()).toBe(0);
  });

  test("leaves a transient source with nothing, and the destination transient", async () => {
    await using s = await scene();
    await s.steps.from.remote.domainUndefine({ dom: s.steps.dom });
    const performed = await s.steps.performed();
    const { dom, cookieOut } = await s.steps.finish(performed.cookieOut);
    await s.steps.confirm(cookieOut);
    expect(await names(s.steps.from)).toEqual([]);
    expect(await s.steps.to.remote.domainIsPersistent({ dom })).toEqual({ persistent: 0 });
  });

  test.each([
    ["by the flag", async () => {}, LIVE | PAUSED],
    ["because it was paused on the source", (s: Steps) => s.from.remote.domainSuspend({ dom: s.dom }), LIVE],
  ])("keeps the guest paused %s", async (_why, before, flags) => {
    await using s = await scene();
    await before(s.steps);
    const performed = await s.steps.performed(flags);
    const { dom } = await s.steps.finish(performed.cookieOut, { flags });
    expect(await state(s.steps.to, dom)).toEqual([PAUSED_STATE, 1]);
  });

  test("goes to and fro", async () => {
    await using s = await scene();
    const { steps } = s;
    const performed = await steps.performed();
    const there = await steps.finish(performed.cookieOut);
    await steps.confirm(there.cookieOut);
    const back = new Steps(steps.to, steps.from, there.dom);
    const again = await back.performed();
    const home = await back.finish(again.cookieOut);
    await back.confirm(home.cookieOut);
    expect(await names(steps.to)).toEqual([]);
    expect(await names(steps.from)).toEqual(["web"]);
    expect(home.dom.id).toBe(2);
  });

  test("holds the guest from the start where it is not live", async () => {
    await using s = await scene({ timeouts: { stall: 60_000 } });
    const { steps } = s;
    const prepared = await steps.prepare(await steps.begin(0n), 0n);
    const performing = steps.perform(prepared, 0n, 1n);
    await expect.poll(() => state(steps.from, steps.dom)).toEqual([PAUSED_STATE, 2]);
    await steps.from.remote.domainAbortJob({ dom: steps.dom });
    await expect(performing).rejects.toMatchObject({ code: 78 });
    expect(await state(steps.from, steps.dom)).toEqual([RUNNING, 6]);
  });
});

describe("Begin", () => {
  test("refuses a destination XML that is another machine's", async () => {
    await using s = await scene();
    const refused = (xml: string) => s.steps.begin(LIVE, xml);
    await expect(refused(guestXml({ memory: "<memory unit='MiB'>3</memory>" }))).rejects.toMatchObject(
      virt(67, "unsupported configuration: Target domain max memory 3072 does not match source 2048"),
    );
    await expect(refused(guestXml({ vcpus: 3 }))).rejects.toMatchObject(
      virt(67, "unsupported configuration: Target domain vCPU max 3 does not match source 2"),
    );
    await expect(refused(guestXml({ uuid: UUID.replace("6", "7") }))).rejects.toMatchObject({ code: 67 });
  });

  test("refuses a guest that does not run", async () => {
    await using s = await scene();
    await s.steps.from.remote.domainDestroy({ dom: s.steps.dom });
    await expect(s.steps.begin()).rejects.toMatchObject(
      virt(55, "Requested operation is not valid: domain is not running"),
    );
  });

  test("with change protection keeps other migrations out until Confirm, or until the connection is gone", async () => {
    await using s = await scene();
    const { from, dom } = s.steps;
    const other = await s.source.connect();
    const args = { dom, xmlin: null, flags: LIVE | PROTECT, dname: null, resource: 0n };
    await s.steps.begin(LIVE | PROTECT);
    await expect(other.remote.domainMigrateBegin3(args)).rejects.toMatchObject(
      virt(55, /another migration job is already running for domain 'web'$/),
    );
    await s.steps.confirm(NONE, { cancelled: 1, flags: LIVE | PROTECT });
    await other.remote.domainMigrateBegin3(args);
    await expect(s.steps.begin()).rejects.toMatchObject({ code: 55 });
    await other.close();
    await expect.poll(() => s.steps.begin().then(() => "free")).toBe("free");
    expect(await state(from, dom)).toEqual([RUNNING, 1]);
  });

  test("refuses flags and parameters that it does not know", async () => {
    await using s = await scene();
    await expect(s.steps.begin(1n << 40n)).rejects.toMatchObject({ code: 8 });
    await expect(s.steps.begin(1n << 30n)).rejects.toMatchObject(
      virt(8, "unsupported flags (0x40000000) in function testDomainMigrateBegin3"),
    );
    await expect(s.steps.begin(2n)).rejects.toMatchObject({ code: 74 });
    const params = (field: string, type: 1 | 7, value: number | string) =>
      s.steps.from.remote.domainMigrateBegin3Params({
        dom: s.steps.dom,
        params: [{ field, value: { type, value } as { type: 7; value: string } }],
        flags: 1,
      });
    await expect(params("nonsense", 7, "x")).rejects.toMatchObject(
      virt(74, "argument unsupported: parameter 'nonsense' not supported"),
    );
    await expect(params("__proto__", 7, "x")).rejects.toMatchObject({ code: 74 });
    await expect(params("bandwidth", 1, 3)).rejects.toMatchObject(
      virt(8, "invalid argument: invalid type 'int' for parameter 'bandwidth', expected 'ullong'"),
    );
    await expect(params("destination_name", 7, "")).rejects.toMatchObject({ code: 8 });
    const twice = { field: "destination_name", value: { type: 7 as const, value: "x" } };
    await expect(
      s.steps.from.remote.domainMigrateBegin3Params({ dom: s.steps.dom, params: [twice, twice], flags: 1 }),
    ).rejects.toMatchObject(virt(8, "invalid argument: parameter 'destination_name' occurs multiple times"));
  });
});

describe("Prepare", () => {
  test("refuses names and UUIDs that are taken", async () => {
    await using s = await scene();
    const begun = await s.steps.begin();
    await startGuest(s.steps.to, { uuid: UUID.replace("6", "7") });
    await expect(s.steps.prepare(begun)).rejects.toMatchObject(
      virt(9, /domain 'web' already exists with uuid 7695eb01/),
    );
    await startGuest(s.steps.to, { name: "same" });
    await expect(s.steps.prepare(begun)).rejects.toMatchObject(
      virt(9, `operation failed: domain 'same' is already defined with uuid ${UUID}`),
    );
    await expect(s.steps.prepare(begun, LIVE, "same")).rejects.toMatchObject(
      virt(55, "Requested operation is not valid: domain 'same' is already active"),
    );
  });

  test("refuses the host that the guest is on", async () => {
    await using s = await scene();
    const home = new Steps(s.steps.from, await s.source.connect(), s.steps.dom);
    await expect(home.prepare(await home.begin())).rejects.toMatchObject(
      virt(1, /^internal error: Attempt to migrate guest to the same host /),
    );
  });

  test("answers no URI where the caller's has a port, and adds the port where it has none", async () => {
    await using s = await scene();
    const begun = await s.steps.begin();
    const prepare = (uriIn: string) =>
      s.steps.to.remote.domainMigratePrepare3({
        cookieIn: begun.cookieOut,
        uriIn,
        flags: LIVE,
        dname: null,
        resource: 0n,
        domXml: begun.xml,
      });
    const chosen = await prepare("tcp://localhost");
    expect(chosen.uriOut).toMatch(/^tcp:localhost:\d+$/);
    await expect(s.steps.finish(NONE, { cancelled: 1 })).rejects.toMatchObject({ code: 93 });
    const port = chosen.uriOut?.split(":").at(-1);
    expect((await prepare(`tcp:localhost:${port}`)).uriOut).toBeNull();
    await expect(prepare("rdma:localhost")).rejects.toMatchObject({ code: 74 });
    await expect(prepare("nonsense")).rejects.toMatchObject({ code: 8 });
  });

  test("leaves nothing behind when it cannot listen", async () => {
    await using s = await scene();
    await using bad = new TestHost({ migrationHost: "203.0.113.1" });
    const elsewhere = new Steps(s.steps.from, await bad.connect(), s.steps.dom);
    await expect(elsewhere.prepare(await elsewhere.begin())).rejects.toMatchObject(
      virt(9, /cannot listen for incoming migration on '203\.0\.113\.1'/),
    );
    expect(await names(elsewhere.to)).toEqual([]);
  });

  test("refuses a guest for which there is no memory", async () => {
    await using s = await scene();
    await using small = new TestHost({ maxMemory: 1 << 20 });
    const elsewhere = new Steps(s.steps.from, await small.connect(), s.steps.dom);
    await expect(elsewhere.prepare(await elsewhere.begin())).rejects.toMatchObject({ code: 2 });
    expect(await names(elsewhere.to)).toEqual([]);
  });

  test("tells the source where to go: the migration host, or the host's name where that is everywhere", async () => {
    await using s = await scene();
    const uriOf = async (options: MemoryHypervisorOptions) => {
      await using host = new TestHost(options);
      const elsewhere = new Steps(s.steps.from, await host.connect(), s.steps.dom);
      return (await elsewhere.prepare(await elsewhere.begin())).uriOut;
    };
    expect(await uriOf({ migrationHost: "localhost" })).toMatch(/^tcp:localhost:\d+$/);
    expect(await uriOf({ migrationHost: "0.0.0.0", hostname: "beta.example" })).toMatch(/^tcp:beta\.example:\d+$/);
    await expect(uriOf({ migrationHost: "0.0.0.0", hostname: "localhost.localdomain" })).rejects.toMatchObject(
      virt(1, "internal error: hostname on destination resolved to localhost, but migration requires an FQDN"),
    );
    for (const migrationHost of ["", "[::1]", "a:1", "a b"]) {
      expect(() => new TestHost({ migrationHost }), migrationHost).toThrow(/neither a name nor an address/);
    }
  });

  test("any number of guests may come by one connection, without a word of warning", async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on("warning", onWarning);
    try {
      await using s = await scene();
      const from = s.steps.from.remote;
      for (let i = 10; i < 24; i++) {
        const xml = guestXml({ name: `g${i}`, uuid: UUID.replace(/..$/, String(i)), memory: "<memory>4</memory>" });
        const { dom } = await from.domainCreateXml({ xmlDesc: xml, flags: 0 });
        const steps = new Steps(s.steps.from, s.steps.to, dom);
        await steps.prepare(await steps.begin(LIVE | PROTECT));
      }
      await new Promise(setImmediate);
    } finally {
      process.off("warning", onWarning);
    }
    expect(warnings).toEqual([]);
  });

  test("its guest is destroyed when the connection closes before Finish", async () => {
    await using s = await scene();
    const brief = new Steps(s.steps.from, await s.destination.connect(), s.steps.dom);
    await brief.prepare(await brief.begin());
    expect(await names(s.steps.to)).toEqual(["web"]);
    await brief.to.close();
    await expect.poll(() => names(s.steps.to)).toEqual([]);
  });
});

describe("Perform", () => {
  test("that is aborted leaves the guest running where it was", async () => {
    await using s = await scene();
    const { steps } = s;
    const prepared = await steps.prepare(await steps.begin(LIVE | PROTECT));
    const performing = steps.perform(prepared, LIVE | PROTECT, 1n);
    const info = () => steps.from.remote.domainGetJobInfo({ dom: steps.dom });
    await expect.poll(async () => (await info()).dataProcessed > 0n).toBe(true);
    expect(await info()).toMatchObject({ type: 2, dataTotal: BigInt(MEMORY), memTotal: BigInt(MEMORY) });
    expect((await steps.from.remote.domainGetJobStats({ dom: steps.dom, flags: 0 })).params).toContainEqual({
      field: "operation",
      value: { type: 1, value: 5 },
    });
    await steps.from.remote.domainAbortJob({ dom: steps.dom });
    await expect(performing).rejects.toMatchObject(
      virt(78, "operation aborted: job 'migration out' canceled by client"),
    );
    expect(await state(steps.from, steps.dom)).toEqual([RUNNING, 1]);
    expect((await info()).type).toBe(0);
    const last = await steps.from.remote.domainGetJobStats({ dom: steps.dom, flags: 1 });
    expect(last.type).toBe(5);
    await expect(steps.finish(NONE, { cancelled: 1 })).rejects.toMatchObject(
      virt(93, "migration successfully aborted"),
    );
    expect(await names(steps.to)).toEqual([]);
    await expect(steps.from.remote.domainAbortJob({ dom: steps.dom })).rejects.toMatchObject(
      virt(55, "Requested operation is not valid: no job is active on the domain"),
    );
  });

  test("that fails before it began ends the job, because no Confirm follows", async () => {
    await using s = await scene();
    const { steps } = s;
    for (const bad of [
      { cookieOut: NONE, uriOut: "tcp:127.0.0.1:1" },
      { cookieOut: (await steps.begin()).cookieOut, uriOut: "tcp:127.0.0.1:1" },
      { cookieOut: Uint8Array.of(0x81, 0xa1), uriOut: "tcp:127.0.0.1:1" },
    ]) {
      await steps.begin(LIVE | PROTECT);
      await expect(steps.perform(bad, LIVE | PROTECT)).rejects.toMatchObject(
        virt(9, /^operation failed: migration cookie from the prepare step /),
      );
    }
    await steps.begin(LIVE | PROTECT);
    await expect(steps.perform({ cookieOut: NONE, uriOut: null }, 1n << 30n)).rejects.toMatchObject({ code: 8 });
    const prepared = await steps.prepare(await steps.begin(LIVE | PROTECT));
    await expect(steps.perform({ ...prepared, uriOut: null }, LIVE | PROTECT)).rejects.toMatchObject({ code: 8 });
    await expect(steps.perform({ ...prepared, uriOut: "tcp:127.0.0.1:1" })).rejects.toMatchObject(
      virt(9, /cannot send guest memory to 'tcp:127\.0\.0\.1:1'/),
    );
    expect(await state(steps.from, steps.dom)).toEqual([RUNNING, 1]);
    await steps.begin(LIVE | PROTECT);
  });

  test("with a token that is not the destination's is not let in, and the right one still is", async () => {
    await using s = await scene();
    const { steps } = s;
    const begun = await steps.begin();
    const first = await steps.prepare(begun);
    await expect(steps.finish(NONE, { cancelled: 1 })).rejects.toMatchObject({ code: 93 });
    const second = await steps.prepare(begun);
    await expect(steps.perform({ ...first, uriOut: second.uriOut })).rejects.toMatchObject(
      virt(9, /destination closed the connection/),
    );
    expect((await state(steps.from, steps.dom))[0]).toBe(RUNNING);
    const performed = await steps.perform(second);
    expect((await steps.finish(performed.cookieOut)).dom.name).toBe("web");
  });

  test("is not disturbed by strangers at the destination's port", async () => {
    await using s = await scene();
    const { steps } = s;
    const prepared = await steps.prepare(await steps.begin());
    const silent = await stranger(prepared.uriOut!);
    const noisy = await stranger(prepared.uriOut!);
    const noisyClosed = closed(noisy);
    noisy.write(Buffer.alloc(4096, "GET / HTTP/1.1\r\n"));
    await noisyClosed;
    const silentClosed = closed(silent);
    const performed = await steps.perform(prepared);
    await silentClosed; // nobody else is expected any more
    await steps.finish(performed.cookieOut);
  });

  test("fails when the connection with the memory is cut, and so does Finish", async () => {
    await using s = await scene();
    const { steps } = s;
    const prepared = await steps.prepare(await steps.begin());
    const performing = steps.perform(prepared, LIVE, 1n);
    const incoming = () => steps.to.remote.domainGetJobInfo({ dom: steps.dom });
    await expect.poll(async () => (await incoming()).dataProcessed > 0n).toBe(true);
    await steps.to.remote.domainDestroy({ dom: steps.dom });
    await expect(performing).rejects.toMatchObject(virt(9, /destination closed the connection/));
    expect(await state(steps.from, steps.dom)).toEqual([RUNNING, 1]);
    await expect(steps.finish(NONE, { cancelled: 1 })).rejects.toMatchObject({ code: 42 });
  });

  test("is given up when the guest is destroyed", async () => {
    await using s = await scene();
    const { steps } = s;
    const prepared = await steps.prepare(await steps.begin());
    const performing = steps.perform(prepared, LIVE, 1n);
    const outgoing = () => steps.from.remote.domainGetJobInfo({ dom: steps.dom });
    await expect.poll(async () => (await outgoing()).dataProcessed > 0n).toBe(true);
    await Promise.all([
      steps.from.remote.domainDestroy({ dom: steps.dom }),
      expect(performing).rejects.toMatchObject(virt(55, /domain is not running$/)),
    ]);
  });

  test("is given up when the client goes, and the guest runs on", async () => {
    await using s = await scene();
    const observer = await s.source.connect();
    const { steps } = s;
    const prepared = await steps.prepare(await steps.begin(LIVE | PROTECT));
    const performing = steps.perform(prepared, 0n, 1n);
    await expect.poll(() => state(observer, steps.dom)).toEqual([PAUSED_STATE, 2]);
    performing.catch(() => {});
    await steps.from.close();
    await expect.poll(() => state(observer, steps.dom)).toEqual([RUNNING, 6]);
    expect((await observer.remote.domainGetJobInfo({ dom: steps.dom })).type).toBe(0);
  });

  test("keeps to the bandwidth, in MiB per second", async () => {
    const clock = new FakeClock();
    await using s = await scene({ clock });
    const { steps } = s;
    const prepared = await steps.prepare(await steps.begin());
    const began = clock.time;
    await steps.perform(prepared, LIVE, 4n);
    const rate = MEMORY / ((clock.time - began) / 1000);
    expect(rate / (4 << 20)).toBeGreaterThan(0.9);
    expect(rate / (4 << 20)).toBeLessThan(1.1);
  });

  test("uses the domain's speed where the call brings none, and changes it on the way", async () => {
    const clock = new FakeClock();
    await using s = await scene({ clock });
    const { steps } = s;
    const { from, dom } = steps;
    await from.remote.domainMigrateSetMaxSpeed({ dom, bandwidth: 2n, flags: 0 });
    expect(await from.remote.domainMigrateGetMaxSpeed({ dom, flags: 0 })).toEqual({ bandwidth: 2n });
    const prepared = await steps.prepare(await steps.begin());
    const began = clock.time;
    await steps.perform(prepared);
    expect(clock.time - began).toBeGreaterThan(900);
    expect(clock.time - began).toBeLessThan(1100);
  });

  test("on the way, SET_MAX_SPEED takes hold at once", async () => {
    await using s = await scene();
    // At the speed that it begins with this would take over a minute.
    const big = { name: "big", uuid: UUID.replace("6", "7"), memory: "<memory unit='MiB'>64</memory>" };
    const steps = new Steps(s.steps.from, s.steps.to, await startGuest(s.steps.from, big));
    const prepared = await steps.prepare(await steps.begin());
    const performing = steps.perform(prepared, LIVE, 1n);
    const outgoing = () => steps.from.remote.domainGetJobInfo({ dom: steps.dom });
    await expect.poll(async () => (await outgoing()).dataProcessed > 0n).toBe(true);
    await steps.from.remote.domainMigrateSetMaxSpeed({ dom: steps.dom, bandwidth: 0n, flags: 0 });
    await performing;
  });
});

describe("the connection with the memory, in hostile hands", () => {
  /** Prepares, and connects with the right token, as whoever saw Prepare's cookie could. */
  async function intruder(s: Scene) {
    const prepared = await s.steps.prepare(await s.steps.begin());
    const { token } = readCookie("prepare", s.steps.dom.uuid, prepared.cookieOut);
    const socket = await stranger(prepared.uriOut!);
    const gone = closed(socket);
    const answer: Buffer[] = [];
    socket.on("data", (chunk) => answer.push(chunk));
    return { socket, gone, answer, hello: writeHello(token, MEMORY) };
  }
  const digest = createHash("sha256").update(new Uint8Array(MEMORY)).digest();
  const claim = (s: Scene) =>
    s.steps.finish(writeCookie("perform", s.steps.dom.uuid, { digest, paused: false, persistentXml: null }));

  test.each([
    ["half of the memory", [new Uint8Array(MEMORY / 2)], true, "source closed the connection before all of the memory"],
    ["no checksum", [new Uint8Array(MEMORY)], true, "source closed the connection before all of the memory"],
    ["a wrong checksum", [new Uint8Array(MEMORY), Buffer.alloc(32)], false, "checksum of the memory does not match"],
    ["too much", [new Uint8Array(MEMORY), digest, Buffer.alloc(1)], false, "source sent more than the memory"],
  ])("%s: Finish fails and the guest is gone", async (_what, parts, cut, why) => {
    await using s = await scene();
    const { socket, gone, hello } = await intruder(s);
    const all = Buffer.concat([hello, ...parts]);
    if (cut) socket.end(all);
    else socket.write(all);
    await gone;
    await expect(claim(s)).rejects.toMatchObject(
      virt(9, new RegExp(`^operation failed: incoming migration of domain 'web' failed: ${why}`)),
    );
    expect(await names(s.steps.to)).toEqual([]);
  });

  test("a source that stops sending is given up", async () => {
    await using s = await scene({ timeouts: { stall: 10 } });
    const { socket, gone, hello } = await intruder(s);
    socket.write(hello);
    await gone;
    await expect(claim(s)).rejects.toMatchObject(virt(9, /source sent nothing for 10 ms$/));
  });

  test("a stranger that says nothing is shown the door", async () => {
    await using s = await scene({ timeouts: { hello: 10 } });
    const prepared = await s.steps.prepare(await s.steps.begin());
    await closed(await stranger(prepared.uriOut!));
  });

  test("strangers that wait do not keep the source out", async () => {
    await using s = await scene();
    const prepared = await s.steps.prepare(await s.steps.begin());
    const crowd = await Promise.all(Array.from({ length: 12 }, () => stranger(prepared.uriOut!)));
    await s.steps.perform(prepared);
    for (const socket of crowd) socket.destroy();
  });

  test("a token with a wrong size of memory is not let in", async () => {
    await using s = await scene();
    const { socket, gone, hello } = await intruder(s);
    new DataView(hello.buffer).setBigUint64(40, 2n ** 63n);
    socket.write(hello);
    await gone;
    await expect(claim(s)).rejects.toMatchObject(virt(9, /its memory has not arrived$/));
  });
});

describe("Finish", () => {
  test("without the memory destroys the guest, and Confirm lets the source go on", async () => {
    await using s = await scene();
    const { steps } = s;
    const performed = await steps.performed();
    const forged = performed.cookieOut.slice();
    forged[forged.length - 40]! ^= 1;
    await expect(steps.finish(forged)).rejects.toMatchObject({ code: 9 });
    expect(await names(steps.to)).toEqual([]);
    await steps.confirm(NONE, { cancelled: 1 });
    expect(await state(steps.from, steps.dom)).toEqual([RUNNING, 6]);
  });

  test("before Perform, with its cookie missing, is no way to start a guest", async () => {
    await using s = await scene();
    await s.steps.prepare(await s.steps.begin());
    await expect(s.steps.finish(NONE)).rejects.toMatchObject(
      virt(9, "operation failed: migration cookie from the perform step is missing"),
    );
    expect(await names(s.steps.to)).toEqual([]);
  });

  test("that is cancelled answers 93 and no domain, even when all went well", async () => {
    await using s = await scene();
    const performed = await s.steps.performed();
    await expect(s.steps.finish(performed.cookieOut, { cancelled: 1 })).rejects.toMatchObject({ code: 93 });
    await s.steps.confirm(NONE, { cancelled: 1 });
    expect(await state(s.steps.from, s.steps.dom)).toEqual([RUNNING, 6]);
    expect(await names(s.steps.to)).toEqual([]);
  });

  test("of a guest that is not coming", async () => {
    await using s = await scene();
    await expect(s.steps.finish(NONE)).rejects.toMatchObject(
      virt(42, "Domain not found: no domain with matching name 'web'"),
    );
    await startGuest(s.steps.to, { name: "other", uuid: UUID.replace("6", "7") });
    await expect(s.steps.finish(NONE, { dname: "other" })).rejects.toMatchObject(
      virt(55, "Requested operation is not valid: domain 'other' is not processing incoming migration"),
    );
  });

  test("in the midst of Perform destroys the guest, and Perform fails", async () => {
    await using s = await scene();
    const { steps } = s;
    const prepared = await steps.prepare(await steps.begin());
    const performing = steps.perform(prepared, LIVE, 1n);
    performing.catch(() => {});
    await expect(steps.finish(NONE, { cancelled: 1 })).rejects.toMatchObject({ code: 93 });
    await expect(performing).rejects.toMatchObject({ code: 9 });
    expect(await state(steps.from, steps.dom)).toEqual([RUNNING, 1]);
  });
});

describe("a host that closes", () => {
  test.each(["source", "destination"] as const)("gives up what is on its way: %s", async (which) => {
    await using s = await scene();
    const { steps } = s;
    const prepared = await steps.prepare(await steps.begin());
    const performing = steps.perform(prepared, LIVE, 1n);
    performing.catch(() => {});
    const outgoing = () => steps.from.remote.domainGetJobInfo({ dom: steps.dom });
    await expect.poll(async () => (await outgoing()).dataProcessed > 0n).toBe(true);
    await s[which].hypervisor.close();
    await expect(performing).rejects.toMatchObject({ code: which === "source" ? 55 : 9 });
  });
});

describe("after Perform", () => {
  test("the guest stays paused when the connection goes before Confirm: it may run elsewhere", async () => {
    await using s = await scene();
    const observer = await s.source.connect();
    const { steps } = s;
    const performed = await steps.performed(LIVE | PROTECT);
    await steps.finish(performed.cookieOut);
    await steps.from.close();
    await expect.poll(async () => (await observer.remote.domainGetJobInfo({ dom: steps.dom })).type).toBe(0);
    expect(await state(observer, steps.dom)).toEqual([PAUSED_STATE, 2]);
    await observer.remote.domainResume({ dom: steps.dom }); // its owner decides
    expect(await state(observer, steps.dom)).toEqual([RUNNING, 5]);
  });

  test("nobody but Confirm moves the guest, short of destroying it", async () => {
    await using s = await scene();
    const { steps } = s;
    const { from, dom } = steps;
    const performed = await steps.performed();
    for (const call of [
      from.remote.domainResume({ dom }),
      from.remote.domainSuspend({ dom }),
      from.remote.domainShutdown({ dom }),
      steps.begin(),
      from.remote.domainAbortJob({ dom }),
    ]) {
      await expect(call).rejects.toMatchObject({ code: 55 });
    }
    await expect(steps.to.remote.domainResume({ dom })).rejects.toMatchObject({ code: 55 });
    await from.remote.domainDestroy({ dom });
    await expect(steps.confirm(NONE)).rejects.toMatchObject(
      virt(55, /domain 'web' is not processing outgoing migration$/),
    );
    await steps.finish(performed.cookieOut);
  });

  test("Confirm does not stop the guest without the destination's word", async () => {
    await using s = await scene();
    const { steps } = s;
    const performed = await steps.performed();
    await expect(steps.confirm(NONE)).rejects.toMatchObject({ code: 9 });
    await expect(steps.confirm(performed.cookieOut)).rejects.toMatchObject({ code: 9 });
    expect(await state(steps.from, steps.dom)).toEqual([PAUSED_STATE, 2]);
    const { cookieOut } = await steps.finish(performed.cookieOut);
    await steps.confirm(cookieOut);
    expect(await state(steps.from, steps.dom)).toEqual([SHUTOFF, 4]);
  });

  test("what was moved can be asked for, once", async () => {
    await using s = await scene();
    const { steps } = s;
    const performed = await steps.performed();
    const { dom, cookieOut } = await steps.finish(performed.cookieOut);
    await steps.confirm(cookieOut);
    for (const connection of [steps.from, steps.to]) {
      const { type, params } = await connection.remote.domainGetJobStats({ dom, flags: 1 });
      expect(type).toBe(3);
      expect(params).toContainEqual({ field: "memory_processed", value: { type: 4, value: BigInt(MEMORY) } });
      expect(params).toContainEqual({ field: "success", value: { type: 6, value: 1 } });
      expect((await connection.remote.domainGetJobStats({ dom, flags: 1 })).type).toBe(0);
    }
  });
});
