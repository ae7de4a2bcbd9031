import { describe, expect, test } from "vitest";
import { parseUri } from "../../src/client/index.ts";
import { type LocalSystem, localSocket } from "../../src/client/local-socket.ts";

describe("the name that CONNECT_OPEN carries", () => {
  test.each([
    // captured
    ["test+unix:///default", "test:///default"],
    ["qemu+tls://h:1234/system?no_verify=1&foo=bar", "qemu:///system?foo=bar"],
    ["qemu+unix:///system?socket=/x", "qemu:///system"],
    ["remote+tcp://host/", ""],
    ["remote+unix://", ""],
    ["qemu:///system", "qemu:///system"],
    ["xen", "xen:///system"],
    ["xen://", "xen:///system"],
    ["", ""],
    ["qemu+tcp://user@host:1/system?a=b%20r", "qemu:///system?a=b%20r"],
    ["qemu+tcp://host/system?name=lxc:///&foo=1", "lxc:///"],
    ["qemu+tcp://host/system?NO_Verify=1&x", "qemu:///system?x="],
    ["qemu+tcp://host/system?a=1;socket=/x;b=2", "qemu:///system?a=1&b=2"],
    ["qemu+tcp://host/system?a=1;b&c=2", "qemu:///system?a=1%3Bb&c=2"],
    ["qemu+tcp://host/system?=lost&a==", "qemu:///system?a=%3D"],
    ["qemu+tcp://host/system?a=!*'()", "qemu:///system?a=%21%2A%27%28%29"],
    ["qemu+tcp://host/system?a=+", "qemu:///system?a=%2B"],
    ["esx://host/x?y#z", "esx:///x?y=#z"],
  ])("uri/name: %s is opened as %s", (uri, name) => {
    expect(parseUri(uri).name).toBe(name);
  });
});

describe("how to get there", () => {
  test.each([
    ["qemu:///system", "unix", undefined, undefined],
    ["qemu://host/system", "tls", "host", undefined],
    ["qemu+tcp:///system", "tcp", undefined, undefined],
    ["qemu+TCP://host:16509/system", "tcp", "host", 16_509],
    ["qemu+tcp://[::1]:1/system", "tcp", "::1", 1],
    ["qemu+ssh://me@host/system", "ssh", "host", undefined],
    ["qemu+libssh2://host/system", "libssh2", "host", undefined],
    ["qemu+ext:///system?command=/x", "ext", undefined, undefined],
    ["qemu+tcp://host:/system", "tcp", "host", undefined],
  ])("uri/transport: %s", (uri, transport, host, port) => {
    expect(parseUri(uri)).toMatchObject({ transport, host, port, driver: "qemu" });
  });

  test("uri/parameters: names in any case, the last one counts", () => {
    const { parameters, user } = parseUri("qemu+tcp://m%65@host/system?Socket=/a&SOCKET=%2Fb&authfile=");
    expect(Object.fromEntries(parameters)).toEqual({ socket: "/b", authfile: "" });
    expect(user).toBe("me");
  });

  test.each([
    ["qemu+unix://host/system", 8, "using unix socket and remote server 'host' is not supported."],
    ["qemu+carrier-pigeon://host/system", 8, "transport in URL not recognised"],
    ["qemu+://host/system", 8, "transport in URL not recognised"],
    ["qemu://system", 1, "maybe you want qemu:///system?"],
    ["qemu://session", 1, "maybe you want qemu:///session?"],
    ["no uri", 1, "Unable to parse URI no uri"],
    ["qemu+tcp://host:99999/system", 1, "Unable to parse URI"],
    ["qemu+tcp://host:0/system", 1, "Unable to parse URI"],
    ["qemu+tcp://ho[st/system", 1, "Unable to parse URI"],
    ["qemu+tcp://host/system?a=%zz", 1, "Unable to parse URI"],
  ])("uri/refused: %s", (uri, code, text) => {
    expect(() => parseUri(uri)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(text) }));
  });
});

describe("the daemon on this machine", () => {
  const root: LocalSystem = { uid: 0, runtimeDir: "/run/user/0", home: "/root", exists: () => false };
  const user: LocalSystem = { uid: 1000, runtimeDir: "/run/user/1000", home: "/home/me", exists: () => false };
  const socketOf = (uri: string, system: LocalSystem, readOnly = false) => localSocket(parseUri(uri), readOnly, system);

  test.each([
    ["qemu:///system", root, "/var/run/libvirt/libvirt-sock"],
    ["qemu:///system", user, "/var/run/libvirt/libvirt-sock"],
    ["qemu:///session", root, "/var/run/libvirt/libvirt-sock"],
    ["qemu:///session", user, "/run/user/1000/libvirt/libvirt-sock"],
    ["test+unix:///default", user, "/run/user/1000/libvirt/libvirt-sock"],
    ["", user, "/run/user/1000/libvirt/libvirt-sock"],
    ["", root, "/var/run/libvirt/libvirt-sock"],
    ["qemu:///session", { ...user, runtimeDir: undefined }, "/home/me/.cache/libvirt/libvirt-sock"],
    ["qemu:///system?mode=direct", root, "/var/run/libvirt/virtqemud-sock"],
    ["qemu:///system?mode=legacy", { ...root, exists: () => true }, "/var/run/libvirt/libvirt-sock"],
    ["qemu:///system", { ...root, exists: () => true }, "/var/run/libvirt/virtqemud-sock"],
    ["test:///default", { ...root, exists: () => true }, "/var/run/libvirt/libvirt-sock"],
    ["qemu+unix:///system?socket=/tmp/x", root, "/tmp/x"],
  ])("socket/choice: %s", (uri, system, path) => {
    expect(socketOf(uri, system)).toBe(path);
  });

  test("socket/read-only: a socket of its own in system mode alone", () => {
    expect(socketOf("qemu:///system", root, true)).toBe("/var/run/libvirt/libvirt-sock-ro");
    expect(socketOf("qemu:///session", user, true)).toBe("/run/user/1000/libvirt/libvirt-sock");
  });

  test("socket/mode-unknown: an error of the URI like any other", () => {
    for (const uri of ["qemu:///system?mode=fast", "test:///default?mode=direct"]) {
      expect(() => socketOf(uri, root)).toThrow(expect.objectContaining({ name: "VirtError", code: 8 }));
    }
  });
});
