import { expect, test } from "vitest";
import type { Connection } from "../../../src/api/index.ts";
import * as wire from "../../../src/generated/remote/index.ts";
import type { EventProcedure } from "../../../src/xdr/index.ts";
import { startGuest, TestHost, virt } from "../hosts.ts";

/** What comes by events, without the callback id and the domain that all have. An event precedes its reply. */
function hear(connection: Connection) {
  let heard: unknown[] = [];
  return {
    listen<Msg extends object>(event: EventProcedure<Msg>): void {
      connection.on(event, (message) => {
        const { callbackID, dom, msg, ...rest } = message as Record<string, unknown>;
        const { dom: _, ...inner } = (msg ?? {}) as Record<string, unknown>;
        heard.push([event.name, rest, inner]);
      });
    },
    take(): unknown[] {
      const taken = heard;
      heard = [];
      return taken;
    },
  };
}

test("what a change does to a guest that runs is told to whoever asked for it", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const extra = "<devices><disk><source file='/a'/><target dev='vda' bus='virtio'/></disk></devices>";
  const dom = await startGuest(connection, { extra });
  const ids = [2, 11, 12, 13, 14, 15, 17, 19, 23];
  for (const eventID of ids) await remote.connectDomainEventCallbackRegisterAny({ eventID, dom: null });
  const { listen, take: heard } = hear(connection);
  listen(wire.domainEventCallbackRtcChange);
  listen(wire.domainEventCallbackPmwakeup);
  listen(wire.domainEventCallbackPmsuspend);
  listen(wire.domainEventCallbackBalloonChange);
  listen(wire.domainEventCallbackPmsuspendDisk);
  listen(wire.domainEventCallbackDeviceRemoved);
  listen(wire.domainEventCallbackTunable);
  listen(wire.domainEventCallbackDeviceAdded);
  listen(wire.domainEventCallbackMetadataChange);

  await remote.domainSetMemory({ dom, memory: 1024n });
  expect(heard()).toEqual([["DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE", {}, { actual: 1024n }]]);
  await remote.domainSetMemoryFlags({ dom, memory: 512n, flags: 2 }); // of the next start: nobody's business
  expect(heard()).toEqual([]);

  const disk = "<disk><source file='/b'/><target dev='vdb' bus='virtio'/></disk>";
  await remote.domainAttachDevice({ dom, xml: disk });
  await remote.domainDetachDevice({ dom, xml: disk });
  expect(heard()).toEqual([
    ["DOMAIN_EVENT_CALLBACK_DEVICE_ADDED", { devAlias: "virtio-disk1" }, {}],
    ["DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED", {}, { devAlias: "virtio-disk1" }],
  ]);

  await remote.domainSetMetadata({ dom, type: 1, metadata: "t", key: null, uri: null, flags: 0 });
  await remote.domainSetMetadata({ dom, type: 2, metadata: "<a/>", key: "k", uri: "u", flags: 0 });
  expect(heard()).toEqual([
    ["DOMAIN_EVENT_CALLBACK_METADATA_CHANGE", { type: 1, nsuri: null }, {}],
    ["DOMAIN_EVENT_CALLBACK_METADATA_CHANGE", { type: 2, nsuri: "u" }, {}],
  ]);

  await remote.domainPinVcpu({ dom, vcpu: 1, cpumap: Uint8Array.of(3) });
  expect(heard()).toEqual([
    [
      "DOMAIN_EVENT_CALLBACK_TUNABLE",
      { params: [{ field: "cputune.vcpupin1", value: { type: 7, value: "0-1" } }] },
      {},
    ],
  ]);

  await remote.domainSetTime({ dom, seconds: 627319930n, nseconds: 0, flags: 0 });
  expect(heard()).toEqual([["DOMAIN_EVENT_CALLBACK_RTC_CHANGE", {}, { offset: 10n }]]);

  await remote.domainPmSuspendForDuration({ dom, target: 0, duration: 0n, flags: 0 });
  expect(await remote.domainGetState({ dom, flags: 0 })).toMatchObject({ state: 7 });
  await remote.domainPmWakeup({ dom, flags: 0 });
  await remote.domainPmSuspendForDuration({ dom, target: 1, duration: 0n, flags: 0 });
  expect(heard()).toEqual([
    ["DOMAIN_EVENT_CALLBACK_PMSUSPEND", { reason: 0 }, {}],
    ["DOMAIN_EVENT_CALLBACK_PMWAKEUP", { reason: 0 }, {}],
    ["DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK", { reason: 0 }, {}],
  ]);
  await expect(remote.domainSuspend({ dom })).rejects.toMatchObject({ code: 1 });
});

test("clients from before callback ids register once for each event, and hear it without an id", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  await remote.connectDomainEventRegister();
  await expect(remote.connectDomainEventRegisterAny({ eventID: 0 })).rejects.toMatchObject(
    virt(8, /event callback already tracked$/),
  );
  await expect(remote.connectDomainEventRegisterAny({ eventID: 16 })).rejects.toMatchObject(
    virt(1, "internal error: unsupported event ID 16"),
  );
  const events: unknown[] = [];
  connection.on(wire.domainEventLifecycle, ({ event, detail }) => events.push([event, detail]));
  const dom = await startGuest(connection);
  expect(events).toEqual([
    [0, 0],
    [2, 0],
  ]);
  await remote.connectDomainEventDeregister();
  await remote.domainDestroy({ dom });
  expect(events).toHaveLength(2);
  await expect(remote.connectDomainEventDeregisterAny({ eventID: 0 })).rejects.toMatchObject(
    virt(1, "internal error: domain event 0 not registered"),
  );
});

test("the system inside answers as the test driver's does", async () => {
  await using host = new TestHost({ inventory: "test" });
  const { remote } = await host.connect();
  const { dom } = await remote.domainLookupByName({ name: "test" });
  expect(await remote.domainGetHostname({ dom, flags: 0 })).toEqual({ hostname: "testhost" });
  expect(await remote.domainGetTime({ dom, flags: 0 })).toEqual({ seconds: 627319920n, nseconds: 0 });
  const freeze = async (...mountpoints: string[]) =>
    (await remote.domainFsfreeze({ dom, mountpoints, flags: 0 })).filesystems;
  await expect(freeze("/", "/nope")).rejects.toMatchObject(virt(55, /mount point not found: \/nope$/));
  expect([await freeze("/", "/"), await freeze(), await freeze()]).toEqual([1, 1, 0]);
  expect((await remote.domainGetFsinfo({ dom, flags: 0 })).info.map(({ name }) => name)).toEqual(["vda1", "vda2"]);
  expect((await remote.domainInterfaceAddresses({ dom, source: 0, flags: 0 })).ifaces).toEqual([
    { name: "testnet0", hwaddr: "aa:bb:cc:dd:ee:ff", addrs: [{ type: 0, addr: "192.168.122.3", prefix: 24 }] },
  ]);
  await expect(
    remote.domainSendKey({ dom, codeset: 0, holdtime: 0, keycodes: [30, 0xffff], flags: 0 }),
  ).rejects.toMatchObject(virt(1, "internal error: invalid keycode 65535 of linux codeset"));
  expect((await remote.domainMemoryPeek({ dom, offset: 1n << 30n, size: 4, flags: 2 })).buffer).toEqual(
    new Uint8Array(4),
  );
  await remote.domainSetGuestVcpus({ dom, cpumap: "1", state: 0, flags: 0 });
  expect(await remote.domainGetVcpusFlags({ dom, flags: 8 })).toEqual({ num: 1 });
  await expect(remote.domainSetGuestVcpus({ dom, cpumap: "0", state: 0, flags: 0 })).rejects.toMatchObject({ code: 8 });
});
