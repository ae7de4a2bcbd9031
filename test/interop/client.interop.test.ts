/** Our client against real libvirtd; virsh's answers to the same questions are the reference. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Connection, connect, VirtError } from "../../src/api/index.ts";
import { VirDomainState, VirErrorDomain, VirErrorLevel, VirErrorNumber } from "../../src/generated/libvirt/index.ts";
import { Lab, labObstacle } from "../lab/lab.ts";
import { part } from "./part.ts";

/** The VirtError that `promise` rejects with. */
async function refusal(promise: Promise<unknown>): Promise<VirtError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof VirtError) return error;
    throw new Error("not a VirtError", { cause: error });
  }
  throw new Error("nothing was refused");
}

/** virsh's words for a state. */
const states: Record<number, string> = {
  [VirDomainState.VIR_DOMAIN_RUNNING]: "running",
  [VirDomainState.VIR_DOMAIN_PAUSED]: "paused",
  [VirDomainState.VIR_DOMAIN_SHUTOFF]: "shut off",
};

part("our client against libvirtd", labObstacle(), () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.up({ hosts: ["alpha"], tag: "vwc", net: "10.80.0" });
    await lab.guest("alpha", "one");
    await lab.guest("alpha", "two", "--no-start");
  });
  afterAll(async () => await lab?.down());

  const qemu = {
    type: "QEMU",
    own: "qemu:///system",
    names: ["one", "two"],
    domain: VirErrorDomain.VIR_FROM_QEMU,
    unknown: "Domain not found: no domain with matching name 'nope'",
    running: { code: VirErrorNumber.VIR_ERR_OPERATION_INVALID, message: /domain is already running$/ },
  };
  const mock = {
    type: "TEST",
    own: "test:///default",
    names: ["test"],
    domain: VirErrorDomain.VIR_FROM_TEST,
    unknown: "Domain not found",
    running: {
      code: VirErrorNumber.VIR_ERR_INTERNAL_ERROR,
      message: /^internal error: Domain 'test' is already running$/,
    },
  };

  describe.each([
    { access: "tcp", ...qemu },
    { access: "unix", ...qemu },
    { access: "test", ...mock },
  ] as const)("over $access", ({ access, type, own, names, domain, unknown, running }) => {
    let uri: string;
    let conn: Connection;
    const virsh = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await lab.virsh(uri, "-q", ...args);
      expect(stderr).toBe("");
      expect(code).toBe(0);
      return stdout.replace(/\n$/, "");
    };
    beforeAll(async () => {
      uri = await lab.uri("alpha", access);
      conn = await connect(uri);
    });
    afterAll(async () => await conn?.close());

    test("what the daemon says about itself", async () => {
      expect((await conn.remote.connectGetType()).type).toBe(type);
      expect((await conn.remote.connectGetHostname()).hostname).toBe(await virsh("hostname"));
      // virsh shows the URI that it was given; the daemon's own has neither transport nor host.
      expect((await conn.remote.connectGetUri()).uri).toBe(own);
      expect((await conn.remote.connectGetCapabilities()).capabilities).toBe(await virsh("capabilities"));
      const { libVer } = await conn.remote.connectGetLibVersion();
      const version = `${libVer / 1_000_000n}.${(libVer / 1000n) % 1000n}.${libVer % 1000n}`;
      expect(await virsh("version", "--daemon")).toContain(`Running against daemon: ${version}`);
    });

    test("lists the same guests", async () => {
      const all = await conn.listAllDomains();
      expect(all.map((d) => d.getName()).sort()).toEqual([...names].sort());
      const listed = (await virsh("list", "--all", "--name")).split("\n").filter((line) => line !== "");
      expect(all.map((d) => d.getName()).sort()).toEqual(listed.sort());
      const uuids = (await virsh("list", "--all", "--uuid")).split("\n").filter((line) => line !== "");
      expect(all.map((d) => d.getUUIDString()).sort()).toEqual(uuids.sort());
    });

    test.each(names)("%s: lookups, info, state and XML as virsh sees them", async (name) => {
      const byName = await conn.lookupDomainByName(name);
      expect(byName.getName()).toBe(name);
      expect(byName.getUUIDString()).toBe(await virsh("domuuid", name));
      const id = await virsh("domid", name);
      expect(String(byName.getID())).toBe(id === "-" ? "-1" : id);

      const byUuid = await conn.lookupDomainByUUID(byName.getUUID());
      expect(byUuid.ref).toEqual(byName.ref);
      expect((await conn.lookupDomainByUUIDString(byName.getUUIDString())).ref).toEqual(byName.ref);
      if (byName.getID() !== -1) expect((await conn.lookupDomainByID(byName.getID())).ref).toEqual(byName.ref);

      const info = await byName.getInfo();
      const { state } = await byName.getState();
      const lines = Object.fromEntries(
        (await virsh("dominfo", name)).split("\n").map((line) => line.split(/:\s*/, 2) as [string, string]),
      );
      expect(states[state]).toBe(await virsh("domstate", name));
      expect({
        State: states[info.state],
        "CPU(s)": String(info.nrVirtCpu),
        "Max memory": `${info.maxMem} KiB`,
        "Used memory": `${info.memory} KiB`,
        Persistent: (await byName.isPersistent()) ? "yes" : "no",
        "OS Type": await byName.getOSType(),
      }).toEqual({
        State: lines.State,
        "CPU(s)": lines["CPU(s)"],
        "Max memory": lines["Max memory"],
        "Used memory": lines["Used memory"],
        Persistent: lines.Persistent,
        "OS Type": lines["OS Type"],
      });
      expect((await byName.getXMLDesc()).trimEnd()).toBe((await virsh("dumpxml", name)).trimEnd());
      expect((await byName.getXMLDesc(2)).trimEnd()).toBe((await virsh("dumpxml", "--inactive", name)).trimEnd());
    });

    test("an unknown guest is libvirt's error, with its code and domain", async () => {
      const error = await refusal(conn.lookupDomainByName("nope"));
      expect(error.message).toBe(unknown);
      expect(error).toMatchObject({
        code: VirErrorNumber.VIR_ERR_NO_DOMAIN,
        domain,
        level: VirErrorLevel.VIR_ERR_ERROR,
      });
      expect((await lab.virsh(uri, "domstate", "nope")).stderr).toContain("failed to get domain 'nope'");
      expect((await refusal(conn.lookupDomainByUUID(new Uint8Array(16)))).code).toBe(VirErrorNumber.VIR_ERR_NO_DOMAIN);
      expect((await refusal(conn.lookupDomainByID(9999))).code).toBe(VirErrorNumber.VIR_ERR_NO_DOMAIN);
    });

    test("a guest that runs already, XML that is none, a flag that nobody knows", async () => {
      const guest = await conn.lookupDomainByName(names[0] ?? "");
      const already = await refusal(guest.create());
      expect(already).toMatchObject({ code: running.code, domain });
      expect(already.message).toMatch(running.message);
      expect(await refusal(conn.defineXML("<domain"))).toMatchObject({
        code: VirErrorNumber.VIR_ERR_XML_DETAIL,
        domain: VirErrorDomain.VIR_FROM_DOMAIN,
      });
      const error = await refusal(guest.getState(1 << 30));
      expect(error.code).toBe(VirErrorNumber.VIR_ERR_INVALID_ARG);
    });

    test("an error leaves the connection as it was, and calls in flight are kept apart", async () => {
      const wanted = Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? "nope" : names[i % names.length]));
      const answers = await Promise.allSettled(wanted.map((name) => conn.lookupDomainByName(name ?? "")));
      for (const [i, answer] of answers.entries()) {
        if (wanted[i] === "nope") expect(answer.status).toBe("rejected");
        else expect(answer.status === "fulfilled" && answer.value.getName()).toBe(wanted[i]);
      }
    });
  });

  test("read-only: a change is refused in libvirt's words", async () => {
    await using conn = await connect(await lab.uri("alpha", "ro"));
    const domain = await conn.lookupDomainByName("two");
    const error = await refusal(domain.create());
    expect(error.code).toBe(VirErrorNumber.VIR_ERR_OPERATION_DENIED);
    expect(error.message).toContain("read only access prevents virDomainCreate");
  });

  test("define, start, destroy, undefine on libvirtd's test driver", async () => {
    const uri = await lab.uri("alpha", "test");
    await using conn = await connect(uri);
    const domain = await conn.defineXML(
      "<domain type='test'><name>ours</name><memory>4096</memory><os><type>hvm</type></os></domain>",
    );
    expect(domain.getID()).toBe(-1);
    expect((await lab.virsh(uri, "domstate", "ours")).stdout.trim()).toBe("shut off");
    await domain.create();
    expect(domain.getID()).toBeGreaterThan(0);
    expect((await lab.virsh(uri, "domstate", "ours")).stdout.trim()).toBe("running");
    await domain.destroy();
    expect((await domain.getState()).state).toBe(VirDomainState.VIR_DOMAIN_SHUTOFF);
    await domain.undefine();
    expect((await refusal(domain.getInfo())).code).toBe(VirErrorNumber.VIR_ERR_NO_DOMAIN);
  });

  test("a host that nobody serves, and a path that is no socket, are transport errors", async () => {
    await expect(connect("qemu+tcp://127.0.0.1:1/system")).rejects.toMatchObject({ name: "TransportError" });
    await expect(connect("qemu+unix:///system?socket=/nonexistent/sock")).rejects.toMatchObject({
      name: "TransportError",
    });
  });
});
