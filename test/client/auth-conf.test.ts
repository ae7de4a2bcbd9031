import { describe, expect, test } from "vitest";
import { authConf } from "../../src/client/auth-conf.ts";
import { parseUri } from "../../src/client/index.ts";
import { fakeSystem } from "./fake-system.ts";

const file = `
[credentials-lab]
username=act as
authname=log in
password=hush
realm=alpha

[credentials-some]
username=nobody

[auth-libvirt-alpha]
credentials=lab

[auth-libvirt-default]
credentials=some

[auth-ssh-localhost]
credentials=lab

[auth-libvirt-broken]
user=lab

[auth-libvirt-astray]
credentials=gone
`;
const user = "/home/me/.config/libvirt/auth.conf";
const host = "/etc/libvirt/auth.conf";
const uri = parseUri("qemu:///system");

describe("which auth.conf", () => {
  const group = (name: string) => `[credentials-x]\nusername=${name}\n[auth-libvirt-default]\ncredentials=x\n`;
  const files = {
    "/env": group("env"),
    "/uri": group("uri"),
    [user]: group("user"),
    "/xdg/libvirt/auth.conf": group("xdg"),
    [host]: group("system"),
  };
  const named = parseUri("qemu:///system?authfile=/uri");
  const { "/xdg/libvirt/auth.conf": _, ...withoutXdg } = files;

  test.each([
    ["LIBVIRT_AUTH_FILE before all", named, { env: { LIBVIRT_AUTH_FILE: "/env" } }, files, "env"],
    ["the URI's authfile", named, {}, files, "uri"],
    ["the user's", uri, {}, files, "user"],
    ["the user's, root too", uri, { uid: 0 }, files, "user"],
    ["the user's, where XDG says", uri, { env: { XDG_CONFIG_HOME: "/xdg" } }, files, "xdg"],
    ["the system's, if the user has none", uri, { env: { XDG_CONFIG_HOME: "/xdg" } }, withoutXdg, "system"],
    ["the system's, if the user's cannot be read", uri, { unreadable: [user] }, files, "system"],
    ["none", uri, { unreadable: [user, host] }, files, undefined],
  ])("auth-conf/file: %s", async (_name, which, overrides, present, username) => {
    const system = fakeSystem(present, { uid: 1000, ...overrides });
    expect(await authConf(which, system)("libvirt", "h")).toEqual(username === undefined ? undefined : { username });
  });

  test("auth-conf/named: a file that is named has to be there", async () => {
    const missing = authConf(parseUri("qemu:///system?authfile=/nowhere"), fakeSystem(files));
    await expect(missing("libvirt", "h")).rejects.toMatchObject({ name: "VirtError", code: 38, int1: 2 });
    await expect(missing("libvirt", "h")).rejects.toThrow("'/nowhere'");
  });

  test("auth-conf/late: it is read when credentials are wanted, and once", async () => {
    let read = 0;
    const system = fakeSystem({ [user]: file });
    const counting = {
      ...system,
      readText: (path: string, limit: number) => {
        read++;
        return system.readText(path, limit);
      },
    };
    const lookup = authConf(uri, counting);
    expect(read).toBe(0);
    await Promise.all([lookup("libvirt", "a"), lookup("libvirt", "b"), lookup("ssh", undefined)]);
    expect(read).toBe(1);
  });
});

describe("what it says", () => {
  const lookup = authConf(uri, fakeSystem({ [user]: file }));
  const all = { username: "act as", authname: "log in", password: "hush", realm: "alpha" };

  test.each<[string, string | undefined, object | undefined]>([
    ["libvirt", "alpha", all],
    ["libvirt", "elsewhere", { username: "nobody" }],
    ["libvirt", undefined, { username: "nobody" }],
    ["ssh", undefined, all],
    ["ssh", "localhost", all],
    ["ssh", "alpha", undefined],
    ["esx", "alpha", undefined],
  ])("auth-conf/lookup: %s at %s", async (service, name, credentials) => {
    expect(await lookup(service, name)).toEqual(credentials);
  });

  test.each([
    ["broken", `Missing item 'credentials' in group 'auth-libvirt-broken' in '${user}'`],
    ["astray", `Missing group 'credentials-gone' referenced from group 'auth-libvirt-astray' in '${user}'`],
  ])("auth-conf/malformed: %s", async (name, message) => {
    await expect(lookup("libvirt", name)).rejects.toMatchObject({
      code: 33,
      message: expect.stringContaining(message),
    });
  });

  test("auth-conf/syntax: file and line, and nothing of what is written there", async () => {
    const bad = authConf(uri, fakeSystem({ [user]: "[auth-libvirt-h]\npassword is hush\n" }));
    const error = await bad("libvirt", "h").catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 33, message: expect.stringContaining(`${user}:2:`) });
    expect(JSON.stringify(error) + String(error)).not.toContain("hush");
  });
});
