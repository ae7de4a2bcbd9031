import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DaemonLog } from "../../src/server/index.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "virtwire-"));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

const file = (name: string) => join(folder, name);
const messagesIn = async (name: string): Promise<string[]> =>
  (await readFile(file(name), "utf8"))
    .split("\n")
    .slice(0, -1)
    .map((line) => line.split(" : ").slice(1).join(" : "));

describe("outputs", () => {
  test("each takes what is important enough for it; the level is what is said at all", async () => {
    using log = new DaemonLog({ level: 2, outputs: `1:file:${file("all")} 4:file:${file("errors")}` });
    log.write(1, "server", "one");
    log.write(2, "server", "two");
    log.write(4, "server", "four");
    expect(await messagesIn("all")).toEqual(["server : two", "server : four"]);
    expect(await messagesIn("errors")).toEqual(["server : four"]);
  });

  test("a line has the time, the process, the priority and the source", async () => {
    using log = new DaemonLog({ outputs: `1:file:${file("log")}` });
    log.write(4, "server.session", "what happened");
    expect(await readFile(file("log"), "utf8")).toMatch(
      new RegExp(
        `^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\\.\\d{3}\\+0000: ${process.pid}: error : server.session : what happened\n$`,
      ),
    );
  });

  test("without any, standard error is", () => {
    using log = new DaemonLog();
    expect(log).toMatchObject({ outputs: "3:stderr", outputCount: 1, filters: "", filterCount: 0 });
    const written = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    log.write(3, "server", "seen");
    log.write(2, "server", "not seen");
    expect(written.mock.calls.map(([text]) => text)).toEqual([expect.stringMatching(/: warning : server : seen\n$/)]);
  });

  test("changed ones take over, and those of before are closed", async () => {
    using log = new DaemonLog({ outputs: `1:file:${file("before")}` });
    log.write(4, "server", "one");
    log.outputs = `2:file:${file("after")} 3:stderr`;
    expect(log).toMatchObject({ outputs: `2:file:${file("after")} 3:stderr`, outputCount: 2 });
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    log.write(4, "server", "two");
    expect(await messagesIn("before")).toEqual(["server : one"]);
    expect(await messagesIn("after")).toEqual(["server : two"]);
  });

  test("files are appended to, readable by their owner alone, and told by their whole path", async () => {
    const path = relative(process.cwd(), file("log"));
    for (const message of ["one", "two"]) {
      using log = new DaemonLog({ outputs: `1:file:${path}` });
      expect(log.outputs).toBe(`1:file:${file("log")}`);
      log.write(4, "server", message);
    }
    expect(await messagesIn("log")).toEqual(["server : one", "server : two"]);
    expect((await stat(file("log"))).mode & 0o777).toBe(0o600);
  });

  test("after disposal nothing is written", async () => {
    const log = new DaemonLog({ outputs: `1:file:${file("log")}` });
    log[Symbol.dispose]();
    log.write(4, "server", "late");
    expect(await messagesIn("log")).toEqual([]);
  });

  test("a full disk does not end the daemon", () => {
    using log = new DaemonLog({ outputs: "1:file:/dev/full" });
    expect(() => log.write(4, "server", "lost")).not.toThrow();
  });
});

describe("filters", () => {
  test("say for a source what is important, instead of the level; the first that fits counts", async () => {
    using log = new DaemonLog({
      outputs: `1:file:${file("log")}`,
      filters: "1:session 4:server 1:server.li?tener",
    });
    log.write(1, "server.session", "debug of a session");
    log.write(3, "server", "warning of the server");
    log.write(3, "server.listener", "warning of a listener");
    log.write(3, "hypervisor", "warning of another");
    expect(await messagesIn("log")).toEqual(["server.session : debug of a session", "hypervisor : warning of another"]);
  });

  test("`*` and `?` stand for any characters and for one; everything else for itself", async () => {
    using log = new DaemonLog({ outputs: `1:file:${file("log")}`, filters: "1:a*c 1:x?z 1:(.+)" });
    for (const source of ["abbc", "xyz", "xz", "f(.+)", "q"]) log.write(1, source, "");
    expect(await messagesIn("log")).toEqual(["abbc : ", "xyz : ", "f(.+) : "]);
  });

  test("are told as libvirt tells them, with stars and a blank behind each", () => {
    using log = new DaemonLog({ filters: "1:remote  4:+event" });
    expect(log).toMatchObject({ filters: "1:*remote* 4:*event* ", filterCount: 2 });
    const told = log.filters;
    log.filters = told; // what is told can be set
    expect(log.filterCount).toBe(2);
    log.filters = "";
    expect(log).toMatchObject({ filters: "", filterCount: 0 });
  });

  test("many stars take no longer than one", () => {
    using log = new DaemonLog({ filters: `1:${"*".repeat(30_000)}x` });
    expect(() => log.write(1, "y".repeat(200), "")).not.toThrow();
  });
});

test("what a client sends stays in one line", async () => {
  using log = new DaemonLog({ outputs: `1:file:${file("log")}` });
  log.write(4, "server", "a name\n2026-01-01 00:00:00.000+0000: 1: error : server : forged\r\nmore");
  expect((await readFile(file("log"), "utf8")).split("\n")).toHaveLength(2);
  expect(await messagesIn("log")).toEqual([
    "server : a name | 2026-01-01 00:00:00.000+0000: 1: error : server : forged | more",
  ]);
});

describe("a malformed setting is refused in libvirt's words, and changes nothing", () => {
  test.each([
    ["nonsense", /Malformed format for log output 'nonsense'$/],
    ["5:stderr", /Invalid log priority '5' for log output '5:stderr'$/],
    ["x:stderr", /Invalid log priority 'x' for log output/],
    ["1:nowhere", /Invalid log destination 'nowhere' for log output/],
    ["1:stderr:x", /does not meet the format requirements for destination type 'stderr'$/],
    ["1:file", /does not meet the format requirements for destination type 'file'$/],
    ["1:file:", /does not meet the format requirements/],
    ["x".repeat(70_000), /a setting of 70000 characters, 65536 at most$/],
  ])("outputs %.20s", (outputs, message) => {
    using log = new DaemonLog({ outputs: `1:file:${file("log")}` });
    expect(() => {
      log.outputs = outputs;
    }).toThrow(expect.objectContaining({ name: "VirtError", code: 8, message: expect.stringMatching(message) }));
    expect(log.outputs).toBe(`1:file:${file("log")}`);
  });

  test.each([
    ["remote", /Malformed format for filter 'remote'$/],
    ["0:remote", /Invalid priority '0' for filter '0:remote'$/],
    ["1:", /Invalid match string ''$/],
    ["1:+", /Invalid match string '\+'$/],
  ])("filters %s", (filters, message) => {
    using log = new DaemonLog({ filters: "1:remote" });
    expect(() => {
      log.filters = filters;
    }).toThrow(expect.objectContaining({ name: "VirtError", code: 8, message: expect.stringMatching(message) }));
    expect(log.filters).toBe("1:*remote* ");
  });

  test("a file that cannot be opened: those opened before it are closed again", async () => {
    using log = new DaemonLog({ outputs: `1:file:${file("log")}` });
    const outputs = `1:file:${file("other")} 1:file:${file("no/such/folder")}`;
    expect(() => {
      log.outputs = outputs;
    }).toThrow(expect.objectContaining({ name: "VirtError", code: 38, message: expect.stringMatching(/ENOENT/) }));
    log.write(4, "server", "still here");
    expect(await messagesIn("log")).toEqual(["server : still here"]);
    expect(await messagesIn("other")).toEqual([]);
  });

  test.each(["syslog:virtwire", "journald"])("%s, which this daemon has not", (output) => {
    expect(() => new DaemonLog({ outputs: `1:${output}` })).toThrow(
      expect.objectContaining({ name: "VirtError", code: 74 }),
    );
  });
});
