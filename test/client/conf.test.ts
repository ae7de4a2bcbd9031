import { describe, expect, test } from "vitest";
import { ConfFile } from "../../src/client/conf-file.ts";
import { parseKeyFile } from "../../src/client/key-file.ts";
import { libvirtConf, resolveUri } from "../../src/client/libvirt-conf.ts";
import { fakeSystem } from "./fake-system.ts";

const where = "/etc/libvirt/libvirt.conf";

describe("libvirt's configuration language", () => {
  test.each<[string, string | undefined]>([
    ['a = "x"', "x"],
    ["a='x y'", "x y"],
    ['a="it\'s"', "it's"],
    ["a='\"'", '"'],
    ['a = """x\n"y"\nz"""', 'x\n"y"\nz'],
    ['a=""', ""],
    ['a = "x" # why', "x"],
    ['# a = "y"\n\n\ta="x"\t#\n', "x"],
    ['b=1;a="x";;c=2'.replace(";;", ";"), "x"],
    ['b = -12\r\na = "x"\r\n', "x"],
    ['a="first"\na="second"', "first"],
    ['A_9="no"\nb=[1,[2,"x"],]\n', undefined],
    ["", undefined],
    ["\n \n", undefined],
    ["#", undefined],
  ])("conf/string: %j", (text, value) => {
    expect(new ConfFile(where, text).string("a")).toBe(value);
  });

  test("conf/list: over lines, with a comma behind the last", () => {
    const conf = new ConfFile(where, 'a = [ "x", \'y\',\n\n  """z"""\n,]\nb=[]\nc=[ ]');
    expect(conf.strings("a")).toEqual(["x", "y", "z"]);
    expect(conf.strings("b")).toEqual([]);
    expect(conf.strings("c")).toEqual([]);
    expect(conf.strings("d")).toEqual([]);
  });

  test.each([
    ["a", "1: expecting an assignment"],
    ["\n\na =", "3: expecting a value"],
    ["a = x", "1: expecting a value"],
    ["a = -", "1: unterminated number"],
    ['a = "x', "1: unterminated string"],
    ["a = 'x\ny'", "1: unterminated string"],
    ['a = """x\ny', "1: unterminated string"],
    ['a="""\n\n"""\nb = ?', "4: expecting a value"],
    ["a = [ 1 2 ]", "1: expecting a separator in list"],
    ["a = [ 1,\n\n2", "3: list is not closed with ]"],
    ["a = [", "1: list is not closed with ]"],
    ["a = 1 b = 2", "1: expecting a separator"],
    ["a = 1\r\n5 = 1", "2: expecting a name"],
    ["_a = 1", "1: expecting a name"],
    ["a = 1;;b = 1", "1: expecting a name"],
    [`a = ${"[".repeat(100_000)}`, "1: lists nested too deeply"],
  ])("conf/refused: %.40j", (text, message) => {
    expect(() => new ConfFile(where, text)).toThrow(expect.objectContaining({ code: 33 }));
    expect(() => new ConfFile(where, text)).toThrow(`configuration file syntax error: ${where}:${message}`);
  });

  test("conf/overflow: an integer has 64 bits", () => {
    expect(new ConfFile(where, "a=9223372036854775807\nb=-9223372036854775808").strings("c")).toEqual([]);
    expect(new ConfFile(where, `a=${"0".repeat(99)}1`).strings("c")).toEqual([]);
    for (const wrong of ["9223372036854775808", "-9223372036854775809", "9".repeat(9_000_000)]) {
      expect(() => new ConfFile(where, `a=1\nb=${wrong}`)).toThrow(`${where}:2: numeric overflow`);
    }
  });

  test("conf/type: what is there but of another type is an error, with its line", () => {
    const conf = new ConfFile(where, "\na = 5\nb = 'x'\nc = [ 1 ]");
    const error = (code: number, message: string) =>
      expect.objectContaining({ code, message: expect.stringContaining(message) });
    expect(() => conf.string("a")).toThrow(error(1, `${where}:2: expected a string for 'a' parameter`));
    expect(() => conf.strings("b")).toThrow(error(1, `${where}:3: expected a string list for 'b' parameter`));
    expect(() => conf.strings("c")).toThrow(error(33, `${where}:4: expected a string list for 'c' parameter`));
  });
});

describe("libvirt.conf", () => {
  const text = `uri_default = "short"
uri_aliases = [ "short=qemu+tcp://host/system?a==b", "x_-9=test:///default" ]`;

  test("libvirt-conf/path: root's is the system's, everybody else has their own only", async () => {
    const files = {
      [where]: 'uri_default="system:///"',
      "/home/me/.config/libvirt/libvirt.conf": 'uri_default="home:///"',
      "/xdg/libvirt/libvirt.conf": 'uri_default="xdg:///"',
    };
    const uri = async (overrides: Parameters<typeof fakeSystem>[1]) =>
      (await libvirtConf(fakeSystem(files, overrides))).string("uri_default");
    expect(await uri({ uid: 0, env: { XDG_CONFIG_HOME: "/xdg" } })).toBe("system:///");
    expect(await uri({ uid: 7 })).toBe("home:///");
    expect(await uri({ uid: 7, env: { XDG_CONFIG_HOME: "" } })).toBe("home:///");
    expect(await uri({ uid: 7, env: { XDG_CONFIG_HOME: "/xdg" } })).toBe("xdg:///");
    expect(await uri({ uid: 7, home: "/nobody" })).toBeUndefined();
  });

  test.each<[string | undefined, Record<string, string>, string]>([
    [undefined, {}, "qemu+tcp://host/system?a==b"],
    ["", {}, "qemu+tcp://host/system?a==b"],
    ["short", {}, "qemu+tcp://host/system?a==b"],
    ["x_-9", {}, "test:///default"],
    ["lxc:///", {}, "lxc:///"],
    ["lxc:///", { LIBVIRT_DEFAULT_URI: "vz:///system" }, "lxc:///"],
    [undefined, { LIBVIRT_DEFAULT_URI: "vz:///system" }, "vz:///system"],
    [undefined, { LIBVIRT_DEFAULT_URI: "x_-9" }, "test:///default"],
    [undefined, { LIBVIRT_DEFAULT_URI: "" }, "qemu+tcp://host/system?a==b"],
  ])("libvirt-conf/resolve: %s with %o", async (given, env, meant) => {
    const { uri } = await resolveUri(given, { system: fakeSystem({ [where]: text }, { env }) });
    expect(uri.text).toBe(meant);
  });

  test("libvirt-conf/none: nothing says anything, so the daemon chooses", async () => {
    expect((await resolveUri(undefined, { system: fakeSystem() })).uri).toMatchObject({ text: "", transport: "unix" });
  });

  test("libvirt-conf/no-aliases: they stay what they are when asked", async () => {
    const system = fakeSystem({ [where]: text });
    await expect(resolveUri("short", { system, aliases: false })).rejects.toMatchObject({ code: 5 });
  });

  test.each([
    ['"a"', "expected 'alias=uri://host/path'"],
    ['"ok=test:///", "a b=c"', "'a b=c', aliases may only contain"],
  ])("libvirt-conf/alias-malformed: [%s]", async (list, message) => {
    const system = fakeSystem({ [where]: `\nuri_aliases = [${list}]` });
    await expect(resolveUri("test:///default", { system })).rejects.toMatchObject({
      code: 33,
      message: expect.stringContaining(message),
    });
    await expect(resolveUri("test:///default", { system })).rejects.toThrow(`${where}:2: Malformed`);
    // Only what stands before the match is looked at.
    const fine = fakeSystem({ [where]: `uri_aliases = ["me=test:///default", ${list}]` });
    expect((await resolveUri("me", { system: fine })).uri.name).toBe("test:///default");
  });

  test("libvirt-conf/unreadable: a file that is there and cannot be read is an error", async () => {
    const system = fakeSystem({ [where]: "" }, { unreadable: [where] });
    await expect(resolveUri("test:///default", { system })).rejects.toMatchObject({ code: 38, int1: 13 });
  });
});

describe("INI files as GLib reads them", () => {
  // Each held against g_key_file_load_from_data and g_key_file_get_string of GLib 2.74.
  test.each<[string, string | undefined]>([
    ["[a]\nk=v", "v"],
    ["[a]\n  k  =  v  \n", "v  "],
    ["[a]\r\nk=v\r\n", "v"],
    ["[a]\nk=pa\\ss", "pa s"],
    ["[a]\nk=p\\x\\", "p\\x"],
    ["[a]\nk=p\\\\x\\n\\t\\r", "p\\x\n\t\r"],
    ["[a] \nk=1\n[b]\nk=2\n[a]\nk=3", "3"],
    ["[a]\nk[de]=v\nk=w", "w"],
    ["[a]\nk=v # c\n", "v # c"],
    ["[a]\nk k=v\nk=q", "q"],
    ["[a]\nk=a=b\n", "a=b"],
    ["[a]\nk=\n", ""],
    ["  [a]\nk=1", "1"],
    ["# k=0\n\n[a]\n  # k=2\nk=1;2;\\;", "1;2;\\;"],
    ["[b]\nk=1", undefined],
  ])("key-file/value: %j", (text, value) => {
    expect(parseKeyFile("/f", text).get("a")?.get("k")).toBe(value);
  });

  test.each([
    ["k=v\n[a]\n", "1: a key before the first group"],
    ["[a]\nfoo\n", "2: expecting a group"],
    ["[a]\n=v\n", "2: expecting a group"],
    ["[a]\n\n =v\n", "3: expecting a group"],
    ["[]\nk=v", "1: not a name for a group"],
    ["[a[]\nk=v", "1: not a name for a group"],
    ["[a\tb]\nk=1", "1: not a name for a group"],
    ["[a]x\nk=v", "1: expecting a group"],
    ["[a]\nk]=v\n", "2: not a name for a key"],
    ["[a]\nk[de=1", "2: not a name for a key"],
    ["[a]\nk[d e]=1", "2: not a name for a key"],
    ["[a]\n;c\n", "2: expecting a group"],
    ["[a\nk=1", "1: expecting a group"],
  ])("key-file/refused: %j", (text, message) => {
    expect(() => parseKeyFile("/f", text)).toThrow(expect.objectContaining({ code: 33 }));
    expect(() => parseKeyFile("/f", text)).toThrow(`/f:${message}`);
  });
});
