import { describe, expect, test } from "vitest";
import { FakeClock, guestXml, startGuest, TestHost, UUID, virt } from "../hosts.ts";

const NO_UUID = new Uint8Array(16);
const other = UUID.replace("6", "7");

describe("the life of a domain", () => {
  test("define, start, suspend, resume, shutdown, undefine", async () => {
    await using host = new TestHost();
    const { remote } = await host.connect();
    const { dom } = await remote.domainDefineXml({ xml: guestXml() });
    expect(dom).toMatchObject({ name: "web", id: -1 });
    const state = async () => Object.values(await remote.domainGetState({ dom, flags: 0 }));
    expect(await state()).toEqual([5, 0]);
    expect((await remote.domainCreateWithFlags({ dom, flags: 0 })).dom.id).toBe(1);
    expect(await state()).toEqual([1, 1]);
    await expect(remote.domainCreate({ dom })).rejects.toMatchObject(
      virt(1, "internal error: Domain 'web' is already running"),
    );
    await remote.domainSuspend({ dom });
    expect(await state()).toEqual([3, 1]);
    await expect(remote.domainSuspend({ dom })).rejects.toMatchObject(virt(1, /domain 'web' not running$/));
    await remote.domainResume({ dom });
    expect(await state()).toEqual([1, 5]);
    await expect(remote.domainResume({ dom })).rejects.toMatchObject(virt(1, /domain 'web' not paused$/));
    await remote.domainReboot({ dom, flags: 0 });
    await remote.domainShutdown({ dom });
    expect(await state()).toEqual([5, 1]);
    await expect(remote.domainShutdown({ dom })).rejects.toMatchObject(
      virt(1, "internal error: domain 'web' not running"),
    );
    expect((await remote.domainCreateWithFlags({ dom, flags: 1 })).dom.id).toBe(2);
    expect(await state()).toEqual([3, 1]);
    await remote.domainDestroy({ dom });
    expect(await state()).toEqual([5, 2]);
    await expect(remote.domainDestroy({ dom })).rejects.toMatchObject({ code: 55 });
    await remote.domainUndefine({ dom });
    await expect(remote.domainGetInfo({ dom })).rejects.toMatchObject(
      virt(42, `Domain not found: no domain with matching uuid '${UUID}' (web)`),
    );
  });

  test("a transient domain is gone when it stops", async () => {
    await using host = new TestHost();
    const { remote } = await host.connect();
    const { dom } = await remote.domainCreateXml({ xmlDesc: guestXml(), flags: 0 });
    expect(await remote.domainIsPersistent({ dom })).toEqual({ persistent: 0 });
    expect(await remote.domainIsActive({ dom })).toEqual({ active: 1 });
    await expect(remote.domainUndefine({ dom })).rejects.toMatchObject(
      virt(55, "Requested operation is not valid: cannot undefine transient domain"),
    );
    await expect(remote.domainSetAutostart({ dom, autostart: 1 })).rejects.toMatchObject({ code: 55 });
    await expect(remote.domainCreateXml({ xmlDesc: guestXml(), flags: 0 })).rejects.toMatchObject(
      virt(55, "Requested operation is not valid: domain 'web' is already active"),
    );
    await remote.domainDestroy({ dom });
    await expect(remote.domainLookupByName({ name: "web" })).rejects.toMatchObject({ code: 42 });
  });

  test("a definition that is removed or changed leaves the guest alone", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const { remote } = connection;
    const dom = await startGuest(connection);
    await remote.domainDefineXml({ xml: guestXml({ vcpus: 3 }) });
    expect((await remote.domainGetInfo({ dom })).nrVirtCpu).toBe(2);
    expect((await remote.domainGetXmlDesc({ dom, flags: 2 })).xml).toContain("<vcpu>3</vcpu>");
    expect((await remote.domainGetXmlDesc({ dom, flags: 0 })).xml).toContain("<vcpu>2</vcpu>");
    await remote.domainUndefineFlags({ dom, flags: 0 });
    expect(await remote.domainIsActive({ dom })).toEqual({ active: 1 });
    await remote.domainDestroyFlags({ dom, flags: 1 });
    await expect(remote.domainGetInfo({ dom })).rejects.toMatchObject({ code: 42 });
  });

  test("VIR_DOMAIN_START_AUTODESTROY ends with the connection", async () => {
    await using host = new TestHost();
    const brief = await host.connect();
    const { remote } = await host.connect();
    const { dom } = await brief.remote.domainCreateXml({ xmlDesc: guestXml(), flags: 2 });
    await expect(
      brief.remote.domainMigrateBegin3({ dom, xmlin: null, flags: 1n, dname: null, resource: 0n }),
    ).rejects.toMatchObject(virt(55, /domain is marked for auto destroy$/));
    await brief.close();
    await expect.poll(async () => (await remote.connectNumOfDomains()).num).toBe(0);
  });

  test("names and UUIDs belong to one domain each", async () => {
    await using host = new TestHost();
    const { remote } = await host.connect();
    await remote.domainDefineXml({ xml: guestXml() });
    await expect(remote.domainDefineXml({ xml: guestXml({ uuid: other }) })).rejects.toMatchObject(
      virt(9, `operation failed: domain 'web' already exists with uuid ${UUID}`),
    );
    await expect(remote.domainDefineXml({ xml: guestXml({ name: "b" }) })).rejects.toMatchObject({
      ...virt(9, `operation failed: domain 'web' is already defined with uuid ${UUID}`),
      domain: 20,
    });
    await remote.domainDefineXml({ xml: guestXml({ name: "__proto__", uuid: other }) });
    expect((await remote.domainLookupByName({ name: "__proto__" })).dom.name).toBe("__proto__");
    await expect(remote.domainLookupByName({ name: "constructor" })).rejects.toMatchObject({ code: 42 });
  });

  test("a domain that is off can be renamed", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const { remote } = connection;
    const dom = await startGuest(connection);
    const rename = (newName: string) => remote.domainRename({ dom, newName, flags: 0 });
    await expect(rename("b")).rejects.toMatchObject({ code: 55 });
    await remote.domainDestroy({ dom });
    await rename("b");
    expect((await remote.domainGetXmlDesc({ dom, flags: 0 })).xml).toContain("<name>b</name>");
    await expect(remote.domainLookupByName({ name: "web" })).rejects.toMatchObject({ code: 42 });
    await expect(rename("b")).rejects.toMatchObject(
      virt(55, "Requested operation is not valid: Can't rename domain to itself"),
    );
    await remote.domainDefineXml({ xml: guestXml({ name: "c", uuid: other }) });
    await expect(rename("c")).rejects.toMatchObject(
      virt(55, "Requested operation is not valid: domain with name 'c' already exists"),
    );
    await expect(rename("a/b")).rejects.toMatchObject({ code: 27 });
  });

  test("flags that an API does not know are refused", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const { remote } = connection;
    const dom = await startGuest(connection);
    const flags = 0x8000_0000;
    for (const [call, api] of [
      [remote.domainDefineXmlFlags({ xml: guestXml(), flags }), "testDomainDefineXMLFlags"],
      [remote.domainCreateWithFlags({ dom, flags }), "testDomainCreateWithFlags"],
      [remote.domainDestroyFlags({ dom, flags }), "testDomainDestroyFlags"],
      [remote.domainUndefineFlags({ dom, flags }), "testDomainUndefineFlags"],
      [remote.domainGetXmlDesc({ dom, flags }), "testDomainGetXMLDesc"],
      [remote.connectListAllDomains({ needResults: 0, flags }), "testConnectListAllDomains"],
      [remote.domainGetState({ dom, flags }), "testDomainGetState"],
    ] as const) {
      const detail = `unsupported flags (0x80000000) in function ${api}`;
      await expect(call).rejects.toMatchObject(virt(8, detail));
    }
  });
});

describe("finding domains", () => {
  test("by name, UUID and id, each with its own text when there is none", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const { remote } = connection;
    const dom = await startGuest(connection);
    expect((await remote.domainLookupById({ id: 1 })).dom).toEqual(dom);
    expect((await remote.domainLookupByName({ name: "web" })).dom).toEqual(dom);
    expect((await remote.domainLookupByUuid({ uuid: dom.uuid })).dom).toEqual(dom);
    expect(await remote.domainGetOsType({ dom: { ...dom, name: "wrong", id: 7 } })).toEqual({ type: "hvm" });
    const text = (what: string) => ({ ...virt(42, `Domain not found: no domain with matching ${what}`), domain: 12 });
    await expect(remote.domainLookupById({ id: -1 })).rejects.toMatchObject(text("id '-1'"));
    await expect(remote.domainLookupByName({ name: "nope" })).rejects.toMatchObject(text("name 'nope'"));
    await expect(remote.domainLookupByUuid({ uuid: NO_UUID })).rejects.toMatchObject(
      text("uuid '00000000-0000-0000-0000-000000000000'"),
    );
  });

  test("every filter of the list", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const { remote } = connection;
    const uuid = (digit: string) => UUID.replace("6", digit);
    await remote.domainDefineXml({ xml: guestXml({ name: "off", uuid: uuid("1") }) });
    await startGuest(connection, { name: "on", uuid: uuid("2") });
    const paused = await startGuest(connection, { name: "paused", uuid: uuid("3") });
    await remote.domainSuspend({ dom: paused });
    await remote.domainSetAutostart({ dom: paused, autostart: 1 });
    await remote.domainCreateXml({ xmlDesc: guestXml({ name: "brief", uuid: uuid("4") }), flags: 0 });
    const list = async (flags: number) => {
      const { domains, ret } = await remote.connectListAllDomains({ needResults: 1, flags });
      expect(ret).toBe(domains.length);
      return domains.map(({ name }) => name).join(" ");
    };
    const all = "off on paused brief";
    expect(await list(0)).toBe(all);
    expect(await list(1)).toBe("on paused brief"); // ACTIVE
    expect(await list(2)).toBe("off"); // INACTIVE
    expect(await list(1 | 2)).toBe(all);
    expect(await list(4)).toBe("off on paused"); // PERSISTENT
    expect(await list(8)).toBe("brief"); // TRANSIENT
    expect(await list(16)).toBe("on brief"); // RUNNING
    expect(await list(32)).toBe("paused"); // PAUSED
    expect(await list(64)).toBe("off"); // SHUTOFF
    expect(await list(128)).toBe(""); // OTHER
    expect(await list(16 | 64)).toBe("off on brief");
    expect(await list(256)).toBe(""); // MANAGEDSAVE
    expect(await list(512)).toBe(all); // NO_MANAGEDSAVE
    expect(await list(1024)).toBe("paused"); // AUTOSTART
    expect(await list(2048)).toBe("off on brief"); // NO_AUTOSTART
    expect(await list(4096)).toBe(""); // HAS_SNAPSHOT
    expect(await list(8192)).toBe(all); // NO_SNAPSHOT
    expect(await list(16384)).toBe(""); // HAS_CHECKPOINT
    expect(await list(32768)).toBe(all); // NO_CHECKPOINT
    expect(await list(1 | 8 | 32)).toBe(""); // each group must fit
    expect(await remote.connectListAllDomains({ needResults: 0, flags: 0 })).toEqual({ domains: [], ret: 4 });

    expect(await remote.connectNumOfDomains()).toEqual({ num: 3 });
    expect(await remote.connectListDomains({ maxids: 2 })).toEqual({ ids: [1, 2] });
    expect(await remote.connectNumOfDefinedDomains()).toEqual({ num: 1 });
    expect(await remote.connectListDefinedDomains({ maxnames: 9 })).toEqual({ names: ["off"] });
    expect(await remote.connectListDefinedDomains({ maxnames: 0 })).toEqual({ names: [] });
    await expect(remote.connectListDomains({ maxids: -1 })).rejects.toMatchObject({
      ...virt(39, "maxids must be non-negative"),
      domain: 7,
    });
    await expect(remote.connectListDefinedDomains({ maxnames: 16385 })).rejects.toMatchObject(
      virt(39, "maxnames > REMOTE_DOMAIN_LIST_MAX"),
    );
  });
});

describe("a guest's memory", () => {
  test("is peeked within its bounds", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const { remote } = connection;
    const dom = await startGuest(connection);
    const peek = (offset: bigint, size: number, flags = 2) => remote.domainMemoryPeek({ dom, offset, size, flags });
    const size = 2 << 20;
    const { buffer } = await peek(0n, size);
    expect(buffer.byteLength).toBe(size);
    expect(Buffer.compare((await peek(4096n, 100, 1)).buffer, buffer.subarray(4096, 4196))).toBe(0);
    expect((await peek(BigInt(size), 0)).buffer.byteLength).toBe(0);
    for (const bad of [peek(1n, size), peek(BigInt(size) + 1n, 0), peek(2n ** 64n - 1n, 2), peek(0n, 0xffff_ffff)]) {
      await expect(bad).rejects.toMatchObject({ code: 8 });
    }
    await expect(peek(0n, 1, 3)).rejects.toMatchObject(
      virt(8, "invalid argument: flags parameter must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL"),
    );
    await remote.domainDestroy({ dom });
    await expect(peek(0n, 1)).rejects.toMatchObject({ code: 55 });
  });

  test("is bounded for all guests together, and given back", async () => {
    await using host = new TestHost({ maxMemory: 5 << 20 });
    const connection = await host.connect();
    const { remote } = connection;
    const first = await startGuest(connection);
    await startGuest(connection, { name: "b", uuid: other });
    const third = { name: "c", uuid: UUID.replace("6", "8") };
    await expect(startGuest(connection, third)).rejects.toMatchObject(
      virt(2, "out of memory: guest wants 2097152 bytes of memory, 1048576 of 5242880 are free"),
    );
    const huge = { memory: "<memory unit='PiB'>1</memory>", name: "d", uuid: UUID.replace("6", "9") };
    await expect(startGuest(connection, huge)).rejects.toMatchObject({ code: 2 });
    await remote.domainDestroy({ dom: first });
    await startGuest(connection, third);
  });

  test("that is being filled can be given up", async () => {
    await using host = new TestHost();
    const connection = await host.connect();
    const starting = startGuest(connection, { memory: "<memory unit='MiB'>64</memory>" });
    starting.catch(() => {});
    await expect.poll(async () => (await connection.remote.connectNumOfDomains()).num).toBe(1);
    const { dom } = await connection.remote.domainLookupByName({ name: "web" });
    expect(await connection.remote.domainGetState({ dom, flags: 0 })).toEqual({ state: 3, reason: 11 });
    await expect(connection.remote.domainResume({ dom })).rejects.toMatchObject({ code: 55 });
    await connection.remote.domainDestroy({ dom });
    await expect(starting).rejects.toMatchObject({ code: 55 });
  });
});

test("the XML of a running domain has its id, the migratable too; the inactive has not", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const dom = await startGuest(connection);
  const hasId = async (flags: number) =>
    (await connection.remote.domainGetXmlDesc({ dom, flags })).xml.includes(`id='${dom.id}'`);
  expect([await hasId(0), await hasId(8), await hasId(2), await hasId(2 + 8)]).toEqual([true, true, false, false]);
});

test("processor time is the time that the guest ran", async () => {
  const clock = new FakeClock();
  await using host = new TestHost({ clock });
  const connection = await host.connect();
  const { remote } = connection;
  const dom = await startGuest(connection);
  clock.time += 1500;
  await remote.domainSuspend({ dom });
  clock.time += 700;
  expect(await remote.domainGetInfo({ dom })).toEqual({
    state: 3,
    maxMem: 2048n,
    memory: 2048n,
    nrVirtCpu: 2,
    cpuTime: 1_500_000_000n,
  });
  await remote.domainResume({ dom });
  clock.time += 250;
  expect((await remote.domainGetInfo({ dom })).cpuTime).toBe(1_750_000_000n);
});

test("the host says what it is", async () => {
  await using host = new TestHost({ hostname: "box" });
  const { remote } = await host.connect();
  expect(await remote.connectGetHostname()).toEqual({ hostname: "box" });
  expect(await remote.connectGetVersion()).toEqual({ hvVer: 1000n });
  expect(await remote.connectGetLibVersion()).toEqual({ libVer: 11003000n });
  const info = await remote.nodeGetInfo();
  expect(info.memory).toBeGreaterThan(0n);
  expect(info.model.byteLength).toBe(32);
  expect((await remote.connectGetCapabilities()).capabilities).toMatch(/^<capabilities>[\s\S]*<\/capabilities>\n$/);
});

test("the driver's numbers: speed, downtime, jobs", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const dom = await startGuest(connection);
  expect(await remote.domainMigrateGetMaxSpeed({ dom, flags: 0 })).toEqual({ bandwidth: 8796093022207n });
  await expect(remote.domainMigrateSetMaxSpeed({ dom, bandwidth: 8796093022208n, flags: 0 })).rejects.toMatchObject(
    virt(82, "numerical overflow: bandwidth must be less than 8796093022208"),
  );
  await remote.domainMigrateSetMaxDowntime({ dom, downtime: 77n, flags: 0 });
  expect(await remote.domainMigrateGetMaxDowntime({ dom, flags: 0 })).toEqual({ downtime: 77n });
  expect(await remote.domainGetJobInfo({ dom })).toMatchObject({ type: 0, dataTotal: 0n });
  expect(await remote.domainGetJobStats({ dom, flags: 0 })).toEqual({ type: 0, params: [] });
  await remote.domainDestroy({ dom });
  await expect(remote.domainMigrateSetMaxSpeed({ dom, bandwidth: 1n, flags: 0 })).rejects.toMatchObject({ code: 55 });
});

test("a start that fails binds no later guest to the client that tried", async () => {
  await using host = new TestHost({ maxMemory: 3 << 20 });
  const brief = await host.connect();
  const connection = await host.connect();
  const { remote } = connection;
  const { dom } = await remote.domainDefineXml({ xml: guestXml() });
  const hungry = await startGuest(connection, { name: "b", uuid: other });
  await expect(brief.remote.domainCreateWithFlags({ dom, flags: 2 })).rejects.toMatchObject({ code: 2 });
  await remote.domainDestroy({ dom: hungry });
  await remote.domainCreate({ dom });
  await brief.close();
  await remote.domainMigrateBegin3({ dom, xmlin: null, flags: 1n, dname: null, resource: 0n });
  expect(await remote.domainIsActive({ dom })).toEqual({ active: 1 });
});

test("a domain whose guest was saved keeps its name", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const dom = await startGuest(connection);
  await remote.domainManagedSave({ dom, flags: 0 });
  await expect(remote.domainRename({ dom, newName: "b", flags: 0 })).rejects.toMatchObject(
    virt(55, "Requested operation is not valid: domain with a managed saved state can't be renamed"),
  );
});

test("passwords of displays are shown to those who ask for them", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const graphics = (passwd: string) => `<graphics type='vnc'${passwd} port='1'/>`;
  const disk = "<disk><source file='/a'/><target dev='vda'/></disk>";
  const extra = `<devices>${disk}${graphics(" passwd='a&gt;b'")}</devices>`;
  const dom = await startGuest(connection, { extra });
  const second = await startGuest(connection, { name: "b", uuid: other, extra });
  const snap = { name: "s", dom };
  const checkpoint = { name: "c", dom: second };
  const named = (name: string) => `<name>${name}</name>`;
  await remote.domainSnapshotCreateXml({ dom, xmlDesc: `<domainsnapshot>${named("s")}</domainsnapshot>`, flags: 0 });
  await remote.domainCheckpointCreateXml({
    dom: second,
    xmlDesc: `<domaincheckpoint>${named("c")}</domaincheckpoint>`,
    flags: 0,
  });
  const shown = async (flags: number) => [
    (await remote.domainGetXmlDesc({ dom, flags })).xml,
    (await remote.domainSnapshotGetXmlDesc({ snap, flags })).xml,
    (await remote.domainCheckpointGetXmlDesc({ checkpoint, flags })).xml,
  ];
  for (const xml of await shown(0)) expect(xml).toContain(graphics(""));
  for (const xml of await shown(1)) expect(xml).toContain(graphics(" passwd='a&gt;b'"));
  await remote.domainManagedSave({ dom, flags: 0 });
  expect((await remote.domainManagedSaveGetXmlDesc({ dom, flags: 0 })).xml).toContain(graphics(""));
  expect((await remote.domainManagedSaveGetXmlDesc({ dom, flags: 1 })).xml).toContain("passwd");
});

test("statistics of domains that are no more are left out", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const { dom } = await remote.domainDefineXml({ xml: guestXml() });
  const gone = { ...dom, uuid: NO_UUID };
  const { retStats } = await remote.connectGetAllDomainStats({ doms: [gone, dom], stats: 0, flags: 0 });
  expect(retStats.map((each) => each.dom.name)).toEqual(["web"]);
});
