/** libvirt's own dissector for Wireshark reads what our client and our server say to each other. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect } from "../../src/api/index.ts";
import { createMemoryHypervisor, remoteProgram } from "../../src/hypervisor/index.ts";
import { createServer, type Server } from "../../src/server/index.ts";
import { labObstacle, runProcess, setup } from "../lab/lab.ts";
import { part } from "./part.ts";

const xml = (name: string): string =>
  `<domain type='test'><name>${name}</name><memory unit='MiB'>8</memory><os><type>hvm</type></os></domain>`;

/** Frames with bytes that no type fits: libvirt's dissector shows those as `unknown`, and calls nothing malformed itself. */
const undissected = "_ws.malformed || libvirt.unknown";

/** A capture on the loopback interface, of one port only. */
class Capture {
  readonly #child: ChildProcess;
  readonly #port: number;
  readonly file: string;

  private constructor(child: ChildProcess, file: string, port: number) {
    this.#child = child;
    this.file = file;
    this.#port = port;
  }

  static async start(folder: string, port: number, name = "capture"): Promise<Capture> {
    const file = join(folder, `${name}.pcap`);
    const args = ["-i", "lo", "-f", `tcp port ${port}`, "-w", file, "-q"];
    const child = spawn("dumpcap", args, { stdio: ["ignore", "ignore", "pipe"] });
    await new Promise<void>((resolve, reject) => {
      let said = "";
      child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        said += text;
        if (said.includes("File: ")) resolve();
      });
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`dumpcap ended with ${code}: ${said}`)));
    });
    return new Capture(child, file, port);
  }

  /** Fields of the frames that `filter` selects, one row per frame. */
  async rows(filter: string, ...fields: string[]): Promise<string[][]> {
    const { stdout } = await runProcess("tshark", [
      ...["-r", this.file, "-d", `tcp.port==${this.#port},libvirt`, "-Y", filter, "-T", "fields", "-E", "separator=/t"],
      ...fields.flatMap((field) => ["-e", field]),
    ]);
    return stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split("\t"));
  }

  /** Ends the capture once both sides of every connection have been seen to end. */
  async stop(): Promise<void> {
    const until = Date.now() + 30_000;
    for (;;) {
      const opened = (await this.rows("tcp.flags.syn==1 && tcp.flags.ack==0", "frame.number")).length;
      const ended = (await this.rows("tcp.flags.fin==1 || tcp.flags.reset==1", "tcp.stream")).map(([stream]) => stream);
      if (opened > 0 && new Set(ended).size === opened) break;
      if (Date.now() > until) throw new Error("the capture never saw the connections end");
    }
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGINT");
    await gone;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

part("tshark on our client and server", labObstacle(), () => {
  let folder: string;
  let server: Server;
  let capture: Capture | undefined;
  let port: number;

  beforeAll(async () => {
    await setup();
    folder = await mkdtemp(join(tmpdir(), "virtwire-"));
    server = createServer({ listen: ["tcp://127.0.0.1:0"], programs: [remoteProgram(createMemoryHypervisor())] });
    await server.listen();
    port = Number(/:(\d+)$/.exec(server.addresses[0] ?? "")?.[1]);
    capture = await Capture.start(folder, port);

    const conn = await connect(`test+tcp://127.0.0.1:${port}/default`);
    const domain = await conn.defineXML(xml("grüße"));
    await domain.create();
    await Promise.all([domain.getInfo(), domain.getState(), domain.getXMLDesc(), conn.listAllDomains()]);
    await Promise.allSettled([conn.lookupDomainByName("nope"), conn.lookupDomainByID(4711)]);
    // Longer than one segment, so that the dissector has to put frames together.
    for (let i = 0; i < 100; i++) await conn.defineXML(xml(`guest${i}-${"x".repeat(200)}`));
    expect(await conn.listAllDomains()).toHaveLength(101);
    await domain.destroy();
    await domain.undefine();
    await conn.close();
    await capture.stop();
  });
  afterAll(async () => {
    capture?.kill();
    await server?.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  test("no frame is malformed, and nothing else is suspicious", async () => {
    const c = capture as Capture;
    expect(await c.rows(undissected, "frame.number", "_ws.col.Info")).toEqual([]);
    expect(await c.rows("_ws.expert.severity >= warn", "frame.number", "_ws.expert.message")).toEqual([]);
  });

  test("every byte of payload is part of a libvirt message", async () => {
    const c = capture as Capture;
    const payload = await c.rows("tcp.len > 0", "tcp.len");
    const sent = payload.reduce((sum, [length]) => sum + Number(length), 0);
    const messages = await c.rows("libvirt", "libvirt.length");
    const lengths = messages.flatMap(([lengths = ""]) => lengths.split(",").map(Number));
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(sent);
    console.log(`${payload.length} segments, ${lengths.length} messages, ${sent} bytes`);
  });

  test("every message is named, and each reply answers a call", async () => {
    const c = capture as Capture;
    const info = (await c.rows("libvirt", "_ws.col.Info")).map(([text = ""]) => text);
    const named = /^Prog=(REMOTE|KEEPALIVE) Proc=([A-Z0-9_]+) Type=(CALL|REPLY|MESSAGE) Serial=(\d+) Status=(OK|ERROR)/;
    for (const text of info) expect(text).toMatch(named);
    const seen = new Set(info.map((text) => named.exec(text)?.[2]));
    for (const name of [
      "AUTH_LIST",
      "CONNECT_SUPPORTS_FEATURE",
      "CONNECT_OPEN",
      "DOMAIN_DEFINE_XML",
      "DOMAIN_CREATE",
      "DOMAIN_GET_INFO",
      "DOMAIN_GET_STATE",
      "DOMAIN_GET_XML_DESC",
      "CONNECT_LIST_ALL_DOMAINS",
      "DOMAIN_LOOKUP_BY_NAME",
      "DOMAIN_DESTROY",
      "DOMAIN_UNDEFINE",
      "CONNECT_CLOSE",
    ]) {
      expect(seen, name).toContain(name);
    }

    const rows = await c.rows("libvirt", "libvirt.type", "libvirt.serial", "libvirt.procedure", "libvirt.status");
    const messages = rows.flatMap((columns) => {
      const [types = [], serials = [], procedures = [], statuses = []] = columns.map((column) => column.split(","));
      return types.map((type, i) => ({
        type: Number(type),
        key: `${serials[i]} ${procedures[i]}`,
        status: statuses[i],
      }));
    });
    const open = new Set<string>();
    for (const { type, key } of messages) {
      if (type === 0) {
        expect(open).not.toContain(key);
        open.add(key);
      } else if (type === 1) {
        expect(open.delete(key), `reply to ${key}`).toBe(true);
      }
    }
    expect([...open]).toEqual([]);
    expect(messages.filter(({ status }) => status === "1")).toHaveLength(2);
  });

  test("the dissector does notice a message that is malformed", async () => {
    const second = await Capture.start(folder, port, "malformed");
    try {
      const socket = createConnection(port, "127.0.0.1");
      await once(socket, "connect");
      // DOMAIN_LOOKUP_BY_NAME with a name of 2^32 - 1 bytes, of which none follow.
      socket.write(Buffer.from("00000020200080860000000100000017000000000000000000000000ffffffff", "hex"));
      const [answer] = (await once(socket, "data")) as [Buffer];
      expect(answer.readUInt32BE(24)).toBe(1);
      socket.end();
      await once(socket, "close");
      await second.stop();
      expect(await second.rows(undissected, "libvirt.unknown")).toEqual([["ffffffff"]]);
    } finally {
      second.kill();
    }
  });
});
