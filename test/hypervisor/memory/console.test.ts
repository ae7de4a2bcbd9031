import { inflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { Connection } from "../../../src/api/index.ts";
import { startGuest, TestHost, virt } from "../hosts.ts";

const FORCE = 1;
const SAFE = 2;
const DEVICES = `<devices>
  <serial type='pty'/><serial type='tcp'/>
  <console type='pty'><target type='serial'/></console>
  <console type='pty'><target type='virtio'/><alias name='ua-mine'/></console>
  <channel type='unix'><target type='virtio' name='org.example.agent'/></channel><channel type='spicevmc'/>
</devices>`;

async function withGuest(host: TestHost, extra = DEVICES) {
  const connection = await host.connect();
  const dom = await startGuest(connection, { extra });
  return { connection, dom, domain: await connection.lookupDomainByName("web") };
}

type Stream = Awaited<ReturnType<Awaited<ReturnType<Connection["lookupDomainByName"]>>["openConsole"]>>;

/** Reads so many bytes. */
async function hear(stream: Stream, length: number): Promise<string> {
  let text = "";
  const pieces = stream[Symbol.asyncIterator]();
  while (text.length < length) {
    const { value, done } = await pieces.next();
    if (done === true) break;
    text += Buffer.from(value.bytes).toString("latin1");
    value.release();
  }
  return text;
}

async function say(stream: Stream, text: string): Promise<string> {
  await stream.write(Buffer.from(text));
  return hear(stream, text.length);
}

async function isOver(stream: Stream): Promise<boolean> {
  const { done } = await stream[Symbol.asyncIterator]().next();
  await stream.finish();
  return done === true;
}

describe("consoles", () => {
  test("a guest says what it hears", async () => {
    await using host = new TestHost();
    const { domain } = await withGuest(host);
    await using stream = await domain.openConsole(null, SAFE);
    expect(await say(stream, "hello\r")).toBe("hello\r");
    expect(await say(stream, "again")).toBe("again");
    await stream.finish();
    await using next = await domain.openConsole("serial0");
    expect(await say(next, "x")).toBe("x");
  });

  test("one client at a time, until it goes or is put out", async () => {
    await using host = new TestHost();
    const { domain } = await withGuest(host);
    const other = await (await host.connect()).lookupDomainByName("web");
    const first = await domain.openConsole();
    expect(await say(first, "a")).toBe("a");
    await expect(other.openConsole()).rejects.toMatchObject(
      virt(9, "operation failed: Active console session exists for this domain"),
    );
    await expect(other.openConsole("serial0")).rejects.toMatchObject({ code: 9 });
    await using elsewhere = await other.openConsole("ua-mine");
    expect(await say(elsewhere, "b")).toBe("b");
    const second = await other.openConsole(null, FORCE);
    expect(await isOver(first)).toBe(true);
    expect(await say(second, "c")).toBe("c");
    await second.abort();
    await using third = await domain.openConsole();
    expect(await say(third, "d")).toBe("d");
  });

  test("a client that goes away gives the console back", async () => {
    await using host = new TestHost();
    const { domain } = await withGuest(host);
    const other = await host.connect();
    const stream = await (await other.lookupDomainByName("web")).openConsole();
    expect(await say(stream, "a")).toBe("a");
    await other.close();
    await expect.poll(() => domain.openConsole().then(() => "open", String)).toBe("open");
  });

  test("ends with the guest", async () => {
    await using host = new TestHost();
    const { domain } = await withGuest(host);
    const stream = await domain.openConsole();
    await domain.destroy();
    expect(await isOver(stream)).toBe(true);
    await expect(domain.openConsole()).rejects.toMatchObject({ code: 55 });
  });

  test.each([
    ["nothing", "internal error: cannot find character device nothing"],
    ["serial1", "internal error: character device serial1 is not using a PTY"],
  ])("%s cannot be opened", async (name, message) => {
    await using host = new TestHost();
    const { domain } = await withGuest(host);
    await expect(domain.openConsole(name)).rejects.toMatchObject(virt(1, message));
    await expect(domain.openConsole(null, 4)).rejects.toMatchObject({ code: 8 });
  });

  test("a guest without one says so", async () => {
    await using host = new TestHost();
    const { domain } = await withGuest(host, "");
    await expect(domain.openConsole()).rejects.toMatchObject({ code: 1 });
  });

  test("what the client does not read makes the guest wait, and the daemon's memory does not grow", async () => {
    await using host = new TestHost();
    const { domain } = await withGuest(host);
    await using stream = await domain.openConsole();
    const piece = Buffer.alloc(1 << 16, "x");
    let sent = 0;
    const sending = (async () => {
      for (let i = 0; i < 64; i++) {
        await stream.write(piece);
        sent += piece.byteLength;
      }
    })();
    expect((await hear(stream, 64 * piece.byteLength)).length).toBe(64 * piece.byteLength);
    await sending;
    expect(sent).toBe(64 * piece.byteLength);
  });
});

describe("channels", () => {
  test("by alias, by the name in the guest, or the first", async () => {
    await using host = new TestHost();
    const { domain } = await withGuest(host);
    for (const name of [null, "channel0", "org.example.agent"]) {
      const stream = await domain.openChannel(name);
      expect(await say(stream, "ping")).toBe("ping");
      await expect(domain.openChannel(name)).rejects.toMatchObject(
        virt(9, "operation failed: Active channel stream exists for this domain"),
      );
      await stream.finish();
    }
    await expect(domain.openChannel("x")).rejects.toMatchObject(virt(1, "internal error: cannot find channel x"));
    await expect(domain.openChannel("channel1")).rejects.toMatchObject(
      virt(1, "internal error: channel channel1 is not using a UNIX socket"),
    );
  });
});

describe("screenshots", () => {
  async function shoot(host: TestHost) {
    const { domain } = await withGuest(host);
    const { mime, stream } = await domain.screenshot(0);
    const pieces: Uint8Array[] = [];
    for await (const lease of stream) {
      pieces.push(Uint8Array.from(lease.bytes));
      lease.release();
    }
    await stream.finish();
    return { mime, bytes: Buffer.concat(pieces), domain };
  }

  test("a pixmap with something on it", async () => {
    await using host = new TestHost({ screenshotFormat: "ppm" });
    const { mime, bytes } = await shoot(host);
    expect(mime).toBe("image/x-portable-pixmap");
    const head = "P6\n640 400\n255\n";
    expect(bytes.subarray(0, head.length).toString()).toBe(head);
    expect(bytes.length).toBe(head.length + 640 * 400 * 3);
    expect(new Set(bytes.subarray(head.length))).toEqual(new Set([0x10, 0xd0]));
  });

  test("a PNG of the same pixels, of a guest that is there", async () => {
    await using host = new TestHost();
    await using twin = new TestHost({ screenshotFormat: "ppm" });
    const { mime, bytes, domain } = await shoot(host);
    expect(mime).toBe("image/png");
    expect(bytes.subarray(0, 8).toString("hex")).toBe("89504e470d0a1a0a");
    expect([bytes.readUInt32BE(16), bytes.readUInt32BE(20)]).toEqual([640, 400]);
    const at = bytes.indexOf("IDAT");
    const rows = inflateSync(bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at - 4)));
    const pixels = Buffer.concat(Array.from({ length: 400 }, (_, y) => rows.subarray(y * 1921 + 1, (y + 1) * 1921)));
    const pixmap = (await shoot(twin)).bytes;
    expect(Buffer.compare(pixels, pixmap.subarray(pixmap.length - pixels.length))).toBe(0);
    await domain.destroy();
    await expect(domain.screenshot(0)).rejects.toMatchObject({ code: 55 });
  });
});
