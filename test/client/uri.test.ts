import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseUri, VirtError } from "../../src/client/index.ts";

describe("the name that CONNECT_OPEN carries", () => {
  // What virsh 9.0.0 sends for them: test/interop/uri.interop.test.ts
  test.each([
    ["test+unix:///default", "test:///default"],
    ["qemu+tls://h:1234/system?no_verify=1&foo=bar", "qemu:///system?foo=bar"],
    ["qemu+unix:///system?socket=/x", "qemu:///system"],
    ["remote+tcp://host/", ""],
    ["remote+unix://", ""],
    ["remote:///x?a=1", ""],
    ["qemu:///system", "qemu:///system"],
    ["qemu:/system", "qemu:///system"],
    ["qemu:system", "qemu://system"],
    ["QEMU+unix:///System", "QEMU:///System"],
    ["xen", "xen:///system"],
    ["XEN", "xen:///system"],
    ["xen://", "xen:///system"],
    ["", ""],
    ["qemu+tcp://user@host:1/system?a=b%20r", "qemu:///system?a=b%20r"],
    ["qemu+tcp://host/system?name=lxc:///&foo=1", "lxc:///"],
    ["qemu+tcp://host/system?name=", ""],
    ["qemu+tcp://host/system?NO_Verify=1&x", "qemu:///system?x="],
    ["qemu+tcp://host/system?a=1;socket=/x;b=2", "qemu:///system?a=1&b=2"],
    ["qemu+tcp://host/system?a=1;b&c=2", "qemu:///system?a=1%3Bb&c=2"],
    ["qemu+tcp://host/system?=lost&a==", "qemu:///system?a=%3D"],
    ["qemu+tcp://host/system?a=!*'()~", "qemu:///system?a=%21%2A%27%28%29~"],
    ["qemu+tcp://host/system?a=+", "qemu:///system?a=%2B"],
    // The name of a parameter is not escaped again, and bytes need not be UTF-8.
    ["qemu+tcp://host/system?a%20b=%ff", "qemu:///system?a b=%FF"],
    ["qemu+tcp://host/%c3%a9%FF!*'()/%2F%3a;@&=+$,%3F", "qemu:///%C3%A9%FF!*'()//%3A;@&=+$,%3F"],
    ["esx+tls://host/x?y#z%20/?[]", "esx:///x?y=#z%20/?[]"],
    ["qemu+unix:///system#", "qemu:///system#"],
  ])("uri/name: %s is opened as %s", (uri, name) => {
    expect(parseUri(uri).name).toBe(name);
  });

  test("uri/helper-name: virt-ssh-helper is told about mode and socket too", () => {
    const parse = (uri: string) => parseUri(uri).helperName;
    expect(parse("qemu+ssh://h/system?a=1&mode=legacy&no_tty=1")).toBe("qemu:///system?a=1&mode=legacy");
    expect(parse("qemu+ssh://h/system?Socket=/x%20y")).toBe("qemu:///system?Socket=%2Fx%20y");
    expect(parse("remote+ssh://h/?mode=auto")).toBe("");
    expect(parse("qemu+ssh://h/system?name=lxc:///&mode=auto")).toBe("lxc:///");
  });
});

describe("how to get there", () => {
  test.each([
    ["qemu:///system", "unix", undefined, undefined],
    ["qemu://host/system", "tls", "host", undefined],
    ["qemu+tcp:///system", "tcp", undefined, undefined],
    ["qemu+tcp://:123/system", "tcp", undefined, undefined],
    ["qemu+TCP://host:16509/system", "tcp", "host", 16_509],
    ["qemu+tcp://[::1]:1/system", "tcp", "::1", 1],
    ["qemu+tcp://[fe80::1%25eth0]/system", "tcp", "fe80::1%eth0", undefined],
    ["qemu+tcp://%68ost/system", "tcp", "host", undefined],
    ["qemu+tcp://host:0/system", "tcp", "host", undefined],
    ["qemu+ssh://me@host/system", "ssh", "host", undefined],
    ["qemu+libssh://host/system", "libssh", "host", undefined],
    ["qemu+libssh2://host/system", "libssh2", "host", undefined],
    ["qemu+ext:///system?command=/x", "ext", undefined, undefined],
    ["qemu+ws://host:8080/system", "ws", "host", 8080],
    ["qemu+wss://host/system", "wss", "host", undefined],
  ])("uri/transport: %s", (uri, transport, host, port) => {
    expect(parseUri(uri)).toMatchObject({ transport, host, port, driver: "qemu" });
  });

  test("uri/user: decoded, a password with it as libvirt has it, none where it is empty", () => {
    expect(parseUri("qemu+tcp://m%65:x@host/").user).toBe("me:x");
    expect(parseUri("qemu+tcp://u%40x@host/").user).toBe("u@x");
    expect(parseUri("qemu+tcp://@host/").user).toBeUndefined();
  });

  test("uri/parameters: names in any case, the last one counts", () => {
    const { parameters } = parseUri("qemu+tcp://host/system?Socket=/a&SOCKET=%2Fb&keyfile=x&KEYFILE=%C3%A9");
    expect(Object.fromEntries(parameters)).toEqual({ socket: "/b", keyfile: "é" });
  });

  test("uri/authfile: of these alone the first counts, and only by its exact name", () => {
    const { parameters, name } = parseUri("qemu:///system?AuthFile=/a&authfile=/b&authfile=/c");
    expect(Object.fromEntries(parameters)).toEqual({ authfile: "/b" });
    expect(name).toBe("qemu:///system");
  });

  test("uri/defaults: what a URI without parameters means", () => {
    expect(parseUri("qemu+libssh://host/system")).toMatchObject({
      mode: undefined,
      proxy: undefined,
      noVerify: false,
      noSanity: false,
      noTty: false,
      auth: undefined,
      sshAuth: undefined,
      knownHostsVerify: "normal",
    });
  });

  test("uri/values: each in its own type", () => {
    const query =
      "mode=legacy&proxy=netcat&no_verify=%20-7&no_sanity=00&no_tty=%2b1&auth=SASL.Plain&sshauth=PrivKey,agent&known_hosts_verify=AUTO";
    expect(parseUri(`qemu+libssh2://host/system?${query}`)).toMatchObject({
      mode: "legacy",
      proxy: "netcat",
      noVerify: true,
      noSanity: false,
      noTty: true,
      auth: { type: "sasl", mechanism: "Plain" },
      sshAuth: ["privkey", "agent"],
      knownHostsVerify: "auto",
    });
    expect(parseUri("qemu:///system?auth=PolKit").auth).toEqual({ type: "polkit" });
    expect(parseUri("qemu:///system?auth=sasl").auth).toEqual({ type: "sasl", mechanism: undefined });
  });

  test("uri/values-elsewhere: what only libssh reads may say anything to others", () => {
    expect(parseUri("qemu+ssh://host/system?sshauth=x&known_hosts_verify=x")).toMatchObject({ sshAuth: undefined });
  });
});

describe("a wrong URI names the wrong part", () => {
  test.each([
    ["no uri", 1, "Unable to parse URI no uri: there is ' ' in its path, which must be written %20"],
    ["qemu", 5, "URI 'qemu' does not include a driver name"],
    ["//host/system", 5, "does not include a driver name"],
    ["+tcp://host/", 1, "'+tcp' cannot be the name of a driver"],
    [":///system", 1, "'' cannot be the name of a driver"],
    ["qemu+unix://host/system", 8, "using unix socket and remote server 'host' is not supported."],
    ["qemu+carrier-pigeon://host/system", 8, "libssh|ws|wss): 'carrier-pigeon'"],
    ["qemu+://host/system", 8, "transport in URL not recognised"],
    ["qemu+tcp+tls://host/system", 8, "'tcp+tls'"],
    ["qemu://system", 1, "maybe you want qemu:///system)"],
    ["qemu://session/system", 1, "maybe you want qemu:///session)"],
    ["qemu+tcp://host:99999/system", 1, "its port 99999 is above 65535"],
    ["qemu+tcp://host:/system", 1, "its port '' is no number"],
    ["qemu+tcp://host:1x/system", 1, "its port '1x' is no number"],
    ["qemu+tcp://ho[st/system", 1, "there is '[' in its host"],
    ["qemu+tcp://[::1/system", 1, "its host [::1 is no IPv6 address in brackets"],
    ["qemu+tcp://[host]/system", 1, "its host [host] is no IPv6 address in brackets"],
    ["qemu+tcp://a b@host/system", 1, "there is ' ' in its user name"],
    ["qemu+tcp://%ff/system", 1, "its host is not UTF-8"],
    ["qemu+tcp://h%00/system", 1, "there is %00 in its host"],
    ["qemu:///sys%00tem", 1, "there is %00 in its path"],
    ["qemu:///system?socket=/%ff", 1, "its parameter socket is not UTF-8"],
    ["qemu+tcp://host/system?a=%zz", 1, "there is '%' in its query, which must be written %25"],
    ["qemu+tcp://host/system?a=é", 1, "there is 'é' in its query, which must be written %C3%A9"],
    ["qemu+tcp://host/system?a=\ud800", 1, "in its query"],
    ["qemu+tcp://host/system#a#b", 1, "there is '#' in its fragment"],
    ["qemu:///system?no_verify=yes", 8, "Failed to parse value of URI component no_verify: 'yes'"],
    ["qemu:///system?no_tty=2147483648", 8, "no_tty: '2147483648' is no integer of 32 bits"],
    ["qemu:///system?no_sanity=", 8, "no_sanity: ''"],
    ["qemu:///system?mode=fast", 8, "Unknown remote mode 'fast': auto, legacy or direct wanted"],
    ["qemu+tcp://h/?proxy=NETCAT", 8, "Unknown proxy type 'NETCAT': auto, netcat or native wanted"],
    ["qemu+tcp://h/?auth=sasl.", 45, "unknown authentication type sasl.: sasl, sasl.MECHANISM or polkit wanted"],
    ["qemu+libssh://h/?sshauth=agent,", 8, "sshauth: '': agent, privkey, password or keyboard-interactive wanted"],
    ["qemu+libssh2://h/?known_hosts_verify=never", 8, "known_hosts_verify: 'never': normal, auto or ignore wanted"],
    ["qemu+ext:///system", 8, "for 'ext' transport, command is required"],
    ["qemu:///system?socket=", 8, "parameter socket is empty"],
    ["esx://host/", 67, "libvirt was built without the 'esx' driver"],
    ["HyperV://host/", 67, "libvirt was built without the 'HyperV' driver"],
    ["qemu:///embed?root=/x", 67, "cannot be used in embedded mode"],
  ])("uri/refused: %s", (uri, code, text) => {
    expect(() => parseUri(uri)).toThrow(expect.objectContaining({ name: "VirtError", code }));
    expect(() => parseUri(uri)).toThrow(text);
  });

  test("uri/secret: a password in a URI does not get into the error", () => {
    for (const uri of ["qemu+tcp://me:hush@host:x/", "qemu+tcp://me:hush@ho st/"]) {
      expect(() => parseUri(uri)).toThrow("qemu+tcp://me:***@ho");
      expect(() => parseUri(uri)).not.toThrow("hush");
    }
  });
});

test("uri/any: whatever it is, it is a URI or a VirtError", () => {
  const piece = fc.constantFrom(
    "qemu",
    "+tcp",
    ":",
    "//",
    "[",
    "]",
    "@",
    "?",
    "#",
    "%",
    "%41",
    "=",
    "&",
    ";",
    "mode",
    "\0",
  );
  const text = fc.array(fc.oneof(piece, fc.string({ unit: "binary" })), { maxLength: 12 });
  fc.assert(
    fc.property(text, (pieces) => {
      try {
        parseUri(pieces.join(""));
      } catch (error) {
        expect(error).toBeInstanceOf(VirtError);
      }
    }),
  );
  for (const part of ["qemu+tcp://", "qemu+tcp://[:", "qemu:///", "qemu:///?a="]) {
    for (const end of ["", "]", "@", "é"]) {
      const long = () => parseUri(part + "a".repeat(200_000) + end);
      if (part.endsWith("[:") ? end === "]" : end === "" || (end === "@" && !part.endsWith(":")))
        expect(long).not.toThrow();
      else expect(long).toThrow(VirtError);
    }
  }
});
