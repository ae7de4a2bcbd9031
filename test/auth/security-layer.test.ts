import { createDecipheriv, createHash, createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type DigestCipher, DigestLayer } from "../../src/auth/digest-layer.ts";
import { type SecurityLayer, SecurityLayerTransport } from "../../src/auth/security-layer.ts";
import { sharedPool } from "../../src/buffer/index.ts";
import { pair, type Transport, TransportError, type TransportSink } from "../../src/transport/index.ts";
import { everySplit, join, words } from "../rpc/wire.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const ha1 = Uint8Array.from({ length: 16 }, (_, i) => i * 17);
const kinds: (DigestCipher | undefined)[] = ["rc4", "3des", "rc4-56", "des", "rc4-40", undefined];

function layers(cipher: DigestCipher | undefined, maxbuf = 65_536): [DigestLayer, DigestLayer] {
  return [new DigestLayer(ha1, cipher, "client", maxbuf), new DigestLayer(ha1, cipher, "server", maxbuf)];
}

/** Tokens as they travel. */
function framed(layer: SecurityLayer, ...texts: readonly string[]): Uint8Array {
  return join(
    ...texts.flatMap((text) => {
      const token = layer.encode(bytes(text));
      return [words(token.byteLength), token];
    }),
  );
}

/** A transport whose other end is the test. */
class Hand implements Transport {
  readonly peer = {
    transport: "tcp",
    address: "tcp://127.0.0.1:1",
    secure: false,
    local: true,
    security: { encrypted: false, ssf: 0 },
  } as const;
  readonly written: Uint8Array[][] = [];
  readonly calls: string[] = [];
  sink!: TransportSink;
  full = false;
  closed: Error | "in order" | undefined;
  start(sink: TransportSink): void {
    this.sink = sink;
  }
  bytes(chunk: Uint8Array): void {
    this.sink.bytes(chunk, (part) => sharedPool.adopt(part));
  }
  pause(): void {
    this.calls.push("pause");
  }
  resume(): void {
    this.calls.push("resume");
  }
  write(parts: readonly Uint8Array[]): boolean {
    this.written.push([...parts]);
    return !this.full;
  }
  async drained(): Promise<void> {
    this.calls.push("drained");
  }
  async close(reason?: Error): Promise<void> {
    this.closed = reason ?? "in order";
  }
}

/** What comes out at the top. */
function top(transport: Transport) {
  const seen = { text: "", ends: 0, error: undefined as Error | undefined };
  transport.start({
    bytes: (chunk) => {
      expect(seen.ends).toBe(0);
      expect(chunk.byteLength).toBeGreaterThan(0);
      seen.text += Buffer.from(chunk).toString("latin1");
    },
    end: (error) => {
      seen.ends++;
      seen.error = error;
    },
  });
  return seen;
}

function secured(cipher: DigestCipher | undefined, maxbuf?: number) {
  const [client, server] = layers(cipher, maxbuf);
  const hand = new Hand();
  const transport = new SecurityLayerTransport(hand);
  const seen = top(transport);
  transport.secure(client);
  return { hand, transport, seen, server };
}

describe.each(kinds)("DIGEST-MD5's layer with %s", (cipher) => {
  test("both directions, one after the other, at every split", () => {
    const [, server] = layers(cipher);
    const stream = framed(server, "first", "x", "the third is longer than a block", "");
    for (const pieces of everySplit(stream)) {
      const { hand, seen } = secured(cipher);
      for (const piece of pieces) hand.bytes(piece);
      expect(seen.text).toBe("firstxthe third is longer than a block");
      expect(seen.ends).toBe(0);
    }
  });

  test("what the client writes the server reads, however it is cut", () => {
    const { hand, transport, server } = secured(cipher);
    transport.write([bytes("one"), new Uint8Array(0), bytes("two")]);
    transport.write([bytes("three")]);
    const stream = join(...hand.written.flat());
    if (cipher !== undefined) expect(Buffer.from(stream).toString("latin1")).not.toMatch(/one|two|three/);
    const below = new Hand();
    const other = new SecurityLayerTransport(below);
    const seen = top(other);
    other.secure(server);
    for (const byte of stream) below.bytes(Uint8Array.of(byte));
    expect(seen.text).toBe("onetwothree");
  });

  test("a token is never longer than the other side takes", () => {
    const { hand, transport, server } = secured(cipher, 100);
    const text = "abcdefghij".repeat(100);
    transport.write([bytes(text.slice(0, 33)), bytes(text.slice(33))]);
    let plain = "";
    const stream = join(...hand.written.flat());
    for (let at = 0; at < stream.byteLength; ) {
      const length = Buffer.from(stream).readUInt32BE(at);
      expect(length).toBeLessThanOrEqual(100 - 1);
      plain += Buffer.from(server.decode(stream.slice(at + 4, at + 4 + length))).toString();
      at += 4 + length;
    }
    expect(plain).toBe(text);
    expect(hand.written).toHaveLength(1); // one write for the transport
  });

  test("the bytes written are not changed", () => {
    const { transport } = secured(cipher);
    const frame = bytes("precious");
    transport.write([frame]);
    expect(frame).toEqual(bytes("precious"));
  });

  test("each byte of a token changed ends the connection", () => {
    const [, server] = layers(cipher);
    const good = framed(server, "hello");
    for (let at = 4; at < good.byteLength; at++) {
      const { hand, seen } = secured(cipher);
      const bad = good.slice();
      bad[at] = (bad[at] as number) ^ 0x80;
      hand.bytes(bad);
      expect(seen, `byte ${at}`).toMatchObject({ text: "", ends: 1, error: { code: "io" } });
      expect(hand.closed).toBe(seen.error);
      expect(seen.error?.message).toBe("a SASL token that the other side did not make, or not now");
    }
  });

  test("a token twice, one left out, and our own sent back", () => {
    const [, server] = layers(cipher);
    const [first, second] = [framed(server, "first"), framed(server, "second")];
    for (const stream of [join(first, first), second]) {
      const { hand, seen } = secured(cipher);
      hand.bytes(stream);
      expect(seen).toMatchObject({ ends: 1, error: { code: "io" } });
    }
    const { hand, transport, seen } = secured(cipher);
    transport.write([bytes("hello")]);
    hand.bytes(join(...hand.written.flat()));
    expect(seen).toMatchObject({ text: "", ends: 1, error: { code: "io" } });
  });

  test("tokens too short for a MAC", () => {
    for (const length of [1, 5, 6, 15, 17]) {
      const { hand, seen } = secured(cipher);
      hand.bytes(join(words(length), new Uint8Array(length)));
      expect(seen).toMatchObject({ text: "", ends: 1, error: { code: "io" } });
    }
  });

  test("strength", () => {
    const bits = { rc4: 128, "3des": 112, "rc4-56": 56, des: 55, "rc4-40": 40, none: 1 }[cipher ?? "none"];
    const { transport, hand } = secured(cipher);
    if (cipher === undefined) expect(transport.peer).toBe(hand.peer);
    else expect(transport.peer).toEqual({ ...hand.peer, secure: true, security: { encrypted: true, ssf: bits } });
  });
});

test("3DES and DES as RFC 2831 says, by other means", () => {
  for (const cipher of ["3des", "des"] as const) {
    const [client] = layers(cipher);
    const md5 = (...parts: (Uint8Array | string)[]) =>
      createHash("md5")
        .update(Buffer.concat(parts.map((p) => Buffer.from(p))))
        .digest();
    const kcc = md5(ha1, "Digest H(A1) to client-to-server sealing key magic constant");
    const kic = md5(ha1, "Digest session key to client-to-server signing key magic constant");
    /** 56 bits with a bit of parity after each seven. */
    const spread = (key: Buffer) => {
      const bits = [...key].map((byte) => byte.toString(2).padStart(8, "0")).join("");
      return Buffer.from((bits.match(/.{7}/g) ?? []).map((seven) => Number.parseInt(`${seven}0`, 2)));
    };
    const one = spread(kcc.subarray(0, 7));
    const two = cipher === "3des" ? spread(kcc.subarray(7, 14)) : one;
    let iv = kcc.subarray(8);
    for (const [number, text] of ["hello", "second"].entries()) {
      const token = Buffer.from(client.encode(bytes(text)));
      expect(token.subarray(-6).toString("hex")).toBe(`00010000000${number}`);
      const sealed = token.subarray(0, -6);
      const decipher = createDecipheriv("des-ede-cbc", Buffer.concat([one, two]), iv).setAutoPadding(false);
      const opened = Buffer.concat([decipher.update(sealed), decipher.final()]);
      const padding = 8 - ((text.length + 10) % 8);
      expect(opened.subarray(0, -10)).toEqual(Buffer.concat([Buffer.from(text), Buffer.alloc(padding, padding)]));
      const mac = createHmac("md5", kic).update(words(number)).update(text).digest();
      expect(opened.subarray(-10)).toEqual(mac.subarray(0, 10));
      iv = sealed.subarray(-8);
    }
  }
});

describe("the transport under a layer", () => {
  test("passes everything through before", () => {
    const hand = new Hand();
    const transport = new SecurityLayerTransport(hand);
    const seen = top(transport);
    hand.bytes(bytes("plain"));
    const parts = [bytes("a"), bytes("b")];
    hand.full = true;
    expect(transport.write(parts)).toBe(false);
    expect(hand.written).toEqual([parts]);
    transport.pause();
    transport.resume();
    void transport.drained();
    expect(hand.calls).toEqual(["pause", "resume", "drained"]);
    expect(transport.peer).toBe(hand.peer);
    hand.sink.end();
    expect(seen).toEqual({ text: "plain", ends: 1, error: undefined });
  });

  test("keeps back-pressure after", () => {
    const { hand, transport } = secured("rc4");
    expect(transport.write([bytes("a")])).toBe(true);
    hand.full = true;
    expect(transport.write([bytes("a")])).toBe(false);
    transport.pause();
    transport.resume();
    void transport.drained();
    expect(hand.calls).toEqual(["pause", "resume", "drained"]);
  });

  test.each([0, 65_537, 0xffffffff])("a token of %i bytes ends the connection before it has come", (length) => {
    const { hand, seen } = secured("rc4");
    hand.bytes(words(length));
    expect(seen).toMatchObject({ ends: 1, error: { code: "io" } });
    expect(hand.closed).toBe(seen.error);
    hand.bytes(bytes("more"));
    hand.sink.end();
    expect(seen.ends).toBe(1);
  });

  test("the other side's end between tokens is an end, inside one an error", () => {
    const [, server] = layers("rc4");
    const token = framed(server, "hello");
    for (let at = 0; at <= token.byteLength; at++) {
      const { hand, seen } = secured("rc4");
      hand.bytes(token.slice(0, at));
      hand.sink.end();
      const whole = at === 0 || at === token.byteLength;
      expect(seen.error).toEqual(whole ? undefined : expect.objectContaining({ code: "eof" }));
      expect(seen.ends).toBe(1);
    }
  });

  test("nothing comes after it was closed, not even from the same chunk", () => {
    const [, server] = layers("rc4");
    let calls = 0;
    const below = new Hand();
    const closing = new SecurityLayerTransport(below);
    closing.start({
      bytes: () => {
        calls++;
        void closing.close();
      },
      end: () => expect.fail("the end after close"),
    });
    closing.secure(layers("rc4")[0]);
    below.bytes(framed(server, "one", "two"));
    below.sink.end();
    expect(calls).toBe(1);
    expect(below.closed).toBe("in order");
  });

  test("bytes of a message that began before the layer end the connection", () => {
    // Somebody on the way could put them there: they would be the beginning of the first protected message.
    const reply = join(words(28), new Uint8Array(24));
    for (const [early, refused] of [
      [new Uint8Array(0), false],
      [reply, false],
      [join(reply, reply), false],
      [words(28).slice(0, 1), true],
      [words(28), true],
      [join(reply, words(32), new Uint8Array(27)), true],
    ] as const) {
      const hand = new Hand();
      const transport = new SecurityLayerTransport(hand);
      const seen = top(transport);
      for (const byte of early) hand.bytes(Uint8Array.of(byte));
      if (refused) {
        expect(() => transport.secure(layers("rc4")[0])).toThrow(TransportError);
        expect(seen).toMatchObject({ ends: 1, error: { code: "io" } });
        expect(hand.closed).toBe(seen.error);
      } else {
        transport.secure(layers("rc4")[0]);
        expect(seen.ends).toBe(0);
      }
    }
  });

  test("there is one layer", () => {
    const { transport } = secured("rc4");
    expect(() => transport.secure(layers("rc4")[0])).toThrow("already");
  });

  test("over a pair, large and small, both ways at once", async () => {
    const [a, b] = pair();
    const [client, server] = [new SecurityLayerTransport(a), new SecurityLayerTransport(b)];
    const [atClient, atServer] = [top(client), top(server)];
    const [clientLayer, serverLayer] = layers("rc4");
    client.secure(clientLayer);
    server.secure(serverLayer);
    const large = "0123456789abcdef".repeat(50_000);
    if (!client.write([bytes(large)])) await client.drained();
    server.write([bytes("short")]);
    client.write([bytes("end")]);
    await expect.poll(() => atServer.text.length).toBe(large.length + 3);
    expect(atServer.text === `${large}end`).toBe(true);
    await expect.poll(() => atClient.text).toBe("short");
    await Promise.all([client.close(), server.close()]);
  });
});
