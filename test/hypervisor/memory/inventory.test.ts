import { expect, test } from "vitest";
import { formatUuid } from "../../../src/hypervisor/memory/uuid.ts";
import { TestHost } from "../hosts.ts";

test("the test inventory is what test:///default has", async () => {
  await using host = new TestHost({ inventory: "test" });
  const { remote } = await host.connect();
  const { net } = await remote.networkLookupByName({ name: "default" });
  expect(formatUuid(net.uuid)).toBe("dd8fe884-6c02-601e-7551-cca97df1c5df");
  expect(await remote.networkIsActive({ net })).toEqual({ active: 1 });
  expect(await remote.networkIsPersistent({ net })).toEqual({ persistent: 1 });
  expect((await remote.networkGetXmlDesc({ net, flags: 0 })).xml).toBe(`<network>
  <name>default</name>
  <uuid>dd8fe884-6c02-601e-7551-cca97df1c5df</uuid>
  <forward mode='nat'/>
  <bridge name='virbr0' stp='on' delay='0'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.254'/>
    </dhcp>
  </ip>
</network>
`);
  expect((await remote.interfaceLookupByMacString({ mac: "aa:bb:cc:dd:ee:ff" })).iface.name).toBe("eth1");
  expect(await remote.connectListInterfaces({ maxnames: 3 })).toEqual({ names: ["eth1"] });
  const { pool } = await remote.storagePoolLookupByTargetPath({ path: "/default-pool" });
  expect(formatUuid(pool.uuid)).toBe("dfe224cb-28fb-8dd0-c4b2-64eb3f0f4566");
  expect(await remote.storagePoolGetInfo({ pool })).toEqual({
    state: 2,
    capacity: 107374182400n,
    allocation: 0n,
    available: 107374182400n,
  });
  expect(await remote.nodeNumOfDevices({ cap: null, flags: 0 })).toEqual({ num: 4 });
});

test("without an inventory a host has none of it", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  expect(await remote.connectNumOfNetworks()).toEqual({ num: 0 });
  expect(await remote.connectNumOfStoragePools()).toEqual({ num: 0 });
  expect(await remote.connectNumOfInterfaces()).toEqual({ num: 0 });
  expect(await remote.nodeNumOfDevices({ cap: null, flags: 0 })).toEqual({ num: 0 });
});

test.each([
  ["network", 2],
  ["storage pool", 2],
  ["node device", 2],
  ["secret", 2],
])("%s events: an id beyond the last, and a callback that is not there, are refused", async (kind, beyond) => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const calls = {
    network: {
      register: (eventID: number) => remote.connectNetworkEventRegisterAny({ eventID, net: null }),
      deregister: (callbackID: number) => remote.connectNetworkEventDeregisterAny({ callbackID }),
    },
    "storage pool": {
      register: (eventID: number) => remote.connectStoragePoolEventRegisterAny({ eventID, pool: null }),
      deregister: (callbackID: number) => remote.connectStoragePoolEventDeregisterAny({ callbackID }),
    },
    "node device": {
      register: (eventID: number) => remote.connectNodeDeviceEventRegisterAny({ eventID, dev: null }),
      deregister: (callbackID: number) => remote.connectNodeDeviceEventDeregisterAny({ callbackID }),
    },
    secret: {
      register: (eventID: number) => remote.connectSecretEventRegisterAny({ eventID, secret: null }),
      deregister: (callbackID: number) => remote.connectSecretEventDeregisterAny({ callbackID }),
    },
  }[kind as "network"];
  await expect(calls.register(beyond)).rejects.toMatchObject({
    message: `internal error: unsupported ${kind} event ID ${beyond}`,
  });
  const { callbackID } = await calls.register(beyond - 1);
  await calls.deregister(callbackID);
  await expect(calls.deregister(callbackID)).rejects.toMatchObject({
    message: `internal error: ${kind} event callback ${callbackID} not registered`,
  });
});
