import { describe, expect, test } from "vitest";
import { connectTransport } from "../../src/api/index.ts";
import { VirErrorDomain, VirErrorNumber } from "../../src/generated/libvirt/index.ts";
import * as remote from "../../src/generated/remote/index.ts";
import { createTestDaemon, ManualClock } from "../../src/hypervisor/index.ts";
import { virtError } from "../../src/rpc/index.ts";
import { type Fault, withFaults } from "../../src/server/index.ts";
import { pair } from "../../src/transport/index.ts";

const XML = "<domain type='test'><name>web</name><memory>4096</memory><os><type>hvm</type></os></domain>";
const { connectGetHostname, connectGetVersion } = remote;
const denied = virtError(VirErrorNumber.VIR_ERR_OPERATION_DENIED, VirErrorDomain.VIR_FROM_QEMU, "not today");

async function withFault(...faults: Fault[]) {
  const clock = new ManualClock();
  const daemon = createTestDaemon({ hostname: "here", clock });
  const connection = await connectTransport(daemon.dial(...faults), { name: "test:///default" });
  const close = async () => {
    await connection.close();
    await daemon.close();
  };
  return { clock, daemon, connection, remote: connection.remote, [Symbol.asyncDispose]: close };
}

describe("faults on demand", () => {
  test("an error answers the n-th call, and the handler never hears of it", async () => {
    await using one = await withFault({ procedure: remote.domainDefineXml, nth: 2, action: { error: denied } });
    const { remote: calls } = one;
    const { dom } = await calls.domainDefineXml({ xml: XML });
    await calls.domainUndefine({ dom });
    await expect(calls.domainDefineXml({ xml: XML })).rejects.toMatchObject({ code: 29, message: /not today/ });
    expect((await calls.connectListAllDomains({ needResults: 0, flags: 0 })).ret).toBe(0);
    await calls.domainDefineXml({ xml: XML });
  });

  test("an error in place of a reply: the call was heard", async () => {
    await using one = await withFault({
      procedure: remote.domainDefineXml,
      message: "reply",
      action: { error: denied },
    });
    await expect(one.remote.domainDefineXml({ xml: XML })).rejects.toMatchObject({ code: 29 });
    expect((await one.remote.connectListAllDomains({ needResults: 0, flags: 0 })).ret).toBe(1);
  });

  test("a call that is dropped is never answered, and others are", async () => {
    await using one = await withFault({ procedure: connectGetHostname, nth: 1, action: "drop" });
    const lost = one.connection.call(connectGetHostname, undefined);
    lost.catch(() => {}); // the end of the connection
    expect(await one.remote.connectGetHostname()).toEqual({ hostname: "here" });
    const first = await Promise.race([lost.then(() => "answered"), one.remote.connectGetVersion().then(() => "other")]);
    expect(first).toBe("other");
  });

  test("a reply that is delayed comes when its time has come; others overtake it", async () => {
    await using one = await withFault({
      procedure: connectGetHostname,
      message: "reply",
      nth: 1,
      action: { delay: 1000 },
    });
    const order: string[] = [];
    const slow = one.remote.connectGetHostname().then(() => order.push("slow"));
    await one.remote.connectGetVersion().then(() => order.push("fast"));
    one.clock.advance(999);
    await one.remote.connectGetVersion().then(() => order.push("fast"));
    one.clock.advance(1);
    await slow;
    expect(order).toEqual(["fast", "fast", "slow"]);
  });

  test("a delay ends with its connection", async () => {
    const one = await withFault({ procedure: connectGetHostname, action: { delay: 1000 } });
    const lost = one.remote.connectGetHostname();
    lost.catch(() => {});
    await expect.poll(() => one.clock.waiting).toBe(1);
    await one[Symbol.asyncDispose]();
    await expect(lost).rejects.toThrow();
    await expect.poll(() => one.clock.waiting).toBe(0);
  });

  test("the connection breaks off in place of a message", async () => {
    await using one = await withFault({ procedure: connectGetVersion, nth: 2, action: "close" });
    await one.remote.connectGetVersion();
    await expect(one.remote.connectGetVersion()).rejects.toMatchObject({ name: "TransportError" });
    await expect(one.remote.connectGetHostname()).rejects.toThrow();
    await using again = await connectTransport(one.daemon.dial(), { name: "test:///default" });
    expect(await again.remote.connectGetHostname()).toEqual({ hostname: "here" });
  });

  test("events are lost, too", async () => {
    await using one = await withFault({
      procedure: remote.domainEventCallbackLifecycle,
      message: "event",
      nth: 1,
      action: "drop",
    });
    await using events = await one.connection.domainEvents("lifecycle");
    const { dom } = await one.remote.domainDefineXml({ xml: XML }); // its event is dropped
    await one.remote.domainUndefine({ dom });
    const next = events[Symbol.asyncIterator]().next();
    expect((await next).value).toMatchObject({ kind: "lifecycle", event: 1 });
  });

  test("stream data that is lost is missing", async () => {
    await using one = await withFault({
      procedure: remote.domainScreenshot,
      message: "stream",
      nth: 1,
      action: "drop",
    });
    const domain = await one.connection.defineXML(XML);
    await domain.create();
    const { stream } = await domain.screenshot(0);
    let bytes = 0;
    for await (const lease of stream) {
      bytes += lease.bytes.byteLength;
      lease.release();
    }
    await stream.finish();
    expect(bytes).toBe(0);
  });

  test("at the client's end as well", async () => {
    await using daemon = createTestDaemon({ hostname: "here" });
    const faulty = withFaults(daemon.dial(), [{ procedure: connectGetHostname, nth: 1, action: { error: denied } }]);
    await using connection = await connectTransport(faulty, { name: "test:///default" });
    await expect(connection.remote.connectGetHostname()).rejects.toMatchObject({ code: 29 });
    expect(await connection.remote.connectGetHostname()).toEqual({ hostname: "here" });
  });

  test("frames in pieces of any size are found, and what is no frame passes as it is", async () => {
    const [near, far] = pair();
    const heard: number[] = [];
    far.start({ bytes: (chunk) => heard.push(...chunk), end() {} });
    const frame = (proc: number) => {
      const bytes = Buffer.alloc(40, proc);
      for (const [at, word] of [40, 0x20008086, 1, proc, 0, 7, 0].entries()) bytes.writeUInt32BE(word, at * 4);
      return bytes;
    };
    const { number } = connectGetHostname;
    const faulty = withFaults(near, [{ procedure: connectGetHostname, nth: 1, action: "drop" }]);
    const garbage = Buffer.from([0, 0, 0, 3, 9, 9]);
    const all = Buffer.concat([frame(1), frame(number), frame(2), frame(number), garbage, Buffer.of(1, 2)]);
    for (const byte of all) faulty.write([Uint8Array.of(byte)]);
    const expected = Buffer.concat([frame(1), frame(2), frame(number), garbage, Buffer.of(1, 2)]);
    await expect.poll(() => heard.length).toBe(expected.length);
    expect(Buffer.from(heard).equals(expected)).toBe(true);
    await Promise.all([near.close(new Error("done")), far.close(new Error("done"))]);
  });

  test("who writes what breaks the connection hears of it afterwards", async () => {
    const [near] = pair();
    const faulty = withFaults(near, [{ procedure: connectGetVersion, action: "close" }]);
    const heard: string[] = [];
    faulty.start({ bytes: () => {}, end: () => heard.push("end") });
    const frame = Buffer.alloc(28);
    for (const [at, word] of [28, 0x20008086, 1, connectGetVersion.number, 0, 7, 0].entries()) {
      frame.writeUInt32BE(word, at * 4);
    }
    faulty.write([frame]);
    heard.push("written");
    await expect.poll(() => heard).toEqual(["written", "end"]);
  });

  test("faults that cannot be are refused", () => {
    const [near] = pair();
    const stream = { procedure: remote.domainScreenshot, message: "stream" } as const;
    expect(() => withFaults(near, [{ ...stream, action: { delay: 1 } }])).toThrow(TypeError);
    expect(() => withFaults(near, [{ ...stream, action: { error: denied } }])).toThrow(TypeError);
    for (const nth of [0, -1, 1.5, Number.NaN]) {
      expect(() => withFaults(near, [{ ...stream, nth, action: "drop" }])).toThrow(`no message number ${nth}`);
    }
  });
});
