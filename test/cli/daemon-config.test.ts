import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { ConfigError, keys, parseConfig } from "../../src/cli/daemon/config.ts";
import { accessOf, listenersOf } from "../../src/cli/daemon/settings.ts";

const parse = (text: string) => parseConfig("/etc/x.conf", text);
function problems(text: string): readonly string[] {
  try {
    parse(text);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).problems;
  }
  return [];
}

describe("a daemon's file", () => {
  test("is read by the types of its keys", () => {
    const { config, warnings } = parse(`
      # as in libvirtd.conf
      listen_tcp = 1
      tcp_port = "16510"
      unix_sock_rw_perms = "0770"
      auth_tcp = "sasl"
      tls_allowed_dn_list = ["C=GB,O=one", "CN=two"]
      max_clients = 20
      keepalive_interval = -1
      log_level = 2
    `);
    expect(config).toEqual({
      listen_tcp: true,
      tcp_port: 16510,
      unix_sock_rw_perms: 0o770,
      auth_tcp: "sasl",
      tls_allowed_dn_list: ["C=GB,O=one", "CN=two"],
      max_clients: 20,
      keepalive_interval: -1,
      log_level: 2,
    });
    expect(warnings).toEqual([]);
  });

  test("names every key that there is not, with its line, and what may have been meant", () => {
    expect(problems('listen_tcpp = 1\nmax_client = 3\nfrobnicate = "x"\n')).toEqual([
      "/etc/x.conf:1: there is no setting listen_tcpp; listen_tcp was meant?",
      "/etc/x.conf:2: there is no setting max_client; max_clients was meant?",
      "/etc/x.conf:3: there is no setting frobnicate",
    ]);
    expect(problems("constructor = 1\n")).toEqual(["/etc/x.conf:1: there is no setting constructor"]);
  });

  test.each([
    ["listen_tcp = 2", "0 or 1"],
    ["max_clients = -1", "0 or more"],
    ["keepalive_interval = -2", "-1 for never"],
    ["log_level = 5", "1 (debug) to 4 (error)"],
    ['tcp_port = "99999"', "a port in quotes"],
    ['unix_sock_rw_perms = "rw"', "permissions such as"],
    ['auth_tcp = "magic"', '"none", "sasl" or "polkit"'],
    ["hostname = 3", "expected a string for 'hostname' parameter"],
    ['access_drivers = "polkit"', "expected a string list for 'access_drivers' parameter"],
    ['max_clients = "5"', "expected an integer for 'max_clients' parameter"],
  ])("refuses %s", (line, wanted) => {
    const [problem] = problems(`# first\n${line}\n`);
    expect(problem).toContain("/etc/x.conf:2: ");
    expect(problem).toContain(wanted);
  });

  test("passes over what libvirtd alone has, and says so", () => {
    const { config, warnings } = parse("ovs_timeout = 5\n");
    expect(config).toEqual({});
    expect(warnings).toEqual(["/etc/x.conf:1: ovs_timeout is passed over: there is no Open vSwitch here"]);
  });
});

test("a socket of systemd's is what libvirt's unit of that name is", () => {
  const { config } = parse('auth_unix_rw = "polkit"\ntcp_insecure = 1\n');
  const names = ["libvirtd.socket", "libvirtd-ro.socket", "libvirtd-tcp.socket"];
  const [rw, ro, tcp] = listenersOf(
    config,
    names.map((name) => `systemd:${name}`),
  );
  expect(rw).toEqual({ address: "systemd:libvirtd.socket", auth: "polkit" });
  expect(ro).toEqual({ address: "systemd:libvirtd-ro.socket", auth: "none", readOnly: true });
  expect(tcp).toEqual({ address: "systemd:libvirtd-tcp.socket", auth: "none", insecure: true });
});

test("without a policy nobody is asked, unless what was allowed is to be told", async () => {
  expect(await accessOf({})).toBeUndefined();
  expect(await accessOf({ access_drivers: ["none"] })).toBeUndefined();
  expect(await accessOf({ audit_level: 2 })).toBeDefined();
  expect(await accessOf({ access_drivers: ["polkit"] })).toBeDefined();
});

test("docs/daemon.md has every key", async () => {
  const text = await readFile(new URL("../../docs/daemon.md", import.meta.url), "utf8");
  const table = text.split("\n").filter((line) => line.startsWith("| `"));
  const named = table.flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`([a-z_]+)`/g)].map(([, key]) => key));
  expect(named.toSorted()).toEqual(Object.keys(keys).toSorted());
});

test("the example in docs/daemon.md is a daemon's file", async () => {
  const text = await readFile(new URL("../../docs/daemon.md", import.meta.url), "utf8");
  const example = /```\n(unix_sock_dir[\s\S]*?)```/.exec(text)?.[1] ?? "";
  expect(parse(example).config).toMatchObject({ unix_sock_dir: "/run/vw", listen_tls: true, max_clients: 100 });
});
