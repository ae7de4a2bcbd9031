/** The generated programs against the facts: nothing missing, nothing added, no number or annotation different. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as libvirt from "../../src/generated/libvirt/index.ts";
import { type Codec, type ProgramDescription, XdrReader, XdrWriter } from "../../src/xdr/index.ts";
import { anyNamed, facts, plainNamed, protocolNames, protocols } from "../xdr/facts.ts";
import { toHex } from "../xdr/plain.ts";
import { generated } from "../xdr/registry.ts";

function description(module: object): ProgramDescription {
  const found = Object.entries(module).filter(([name]) => name.endsWith("Description"));
  expect(found).toHaveLength(1);
  return found[0]?.[1] as ProgramDescription;
}

/** Encodes as the facts' type of that name does: the codec is that type's, whatever it is called. */
function expectCodec(codec: Codec<unknown>, type: string | null, about: string): void {
  const encoded = (value: unknown): string => {
    const w = new XdrWriter();
    codec.encode(w, value);
    return toHex(w.bytes);
  };
  if (type === null) {
    expect(encoded(undefined), about).toBe("");
    expect(codec.decode(new XdrReader(new Uint8Array(4))), about).toBeUndefined();
    return;
  }
  for (const value of fc.sample(anyNamed(type), { numRuns: 3, seed: 20250103 })) {
    expect(encoded(value), about).toBe(toHex(plainNamed(type, value)));
  }
}

/** `9.0.0` as a number that compares: 9000000. */
function release(version: string): number {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  return (major * 1000 + minor) * 1000 + patch;
}

const programs = protocolNames.filter((name) => protocols[name].program !== null);

/** What libvirt's annotations leave out or say too narrowly (wire directions seen from the client). */
const streams: Record<string, "read" | "write" | "both"> = {
  DOMAIN_MIGRATE_PREPARE_TUNNEL: "write",
  DOMAIN_OPEN_CONSOLE: "both",
  STORAGE_VOL_UPLOAD: "write",
  STORAGE_VOL_DOWNLOAD: "read",
  DOMAIN_SCREENSHOT: "read",
  DOMAIN_MIGRATE_PREPARE_TUNNEL3: "write",
  DOMAIN_OPEN_CHANNEL: "both",
  DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS: "write",
};
const descriptors: Record<string, "in" | "out" | "both"> = {
  "remote DOMAIN_OPEN_GRAPHICS": "in",
  "remote DOMAIN_CREATE_XML_WITH_FILES": "in",
  "remote DOMAIN_CREATE_WITH_FILES": "in",
  "remote DOMAIN_FD_ASSOCIATE": "in",
  "remote DOMAIN_OPEN_GRAPHICS_FD": "out",
  "qemu DOMAIN_MONITOR_COMMAND_WITH_FILES": "both",
  "lxc DOMAIN_OPEN_NAMESPACE": "out",
  "log DOMAIN_OPEN_LOG_FILE": "out",
};

test("the programs of the facts have the procedures that libvirt 11.3.0 has", () => {
  const counts = Object.fromEntries(programs.map((name) => [name, protocols[name].procedures.length]));
  expect(counts).toEqual({ keepalive: 2, remote: 453, qemu: 7, lxc: 1, admin: 20, lock: 8, log: 4 });
});

describe.each(programs)("%s", (name) => {
  const protocol = protocols[name];
  const ours = description(generated[name]);
  const calls = new Map(Object.values(ours.procedures).map((p) => [p.number, p]));
  const events = new Map(Object.values(ours.events).map((p) => [p.number, p]));

  test("program name, number and version", () => {
    expect({ name: ours.name, number: ours.number, version: ours.version }).toEqual(protocol.program);
  });

  test("the same procedures and events by name and number, each once", () => {
    // Without a message both a call and a keepalive packet have no struct: keepalive's two are never called.
    const key = (p: { name: string; number: number }): string => `${p.number} ${p.name}`;
    const all = [...Object.values(ours.procedures), ...Object.values(ours.events)];
    expect(all.map(key).sort()).toEqual(protocol.procedures.map(key).sort());
    for (const p of protocol.procedures) {
      if (p.msg !== null) expect(events.has(p.number), p.name).toBe(true);
      else if (name !== "keepalive") expect(calls.has(p.number), p.name).toBe(true);
    }
  });

  test("payloads", () => {
    for (const p of protocol.procedures) {
      const call = calls.get(p.number);
      if (call !== undefined) {
        expectCodec(call.args, p.args, `${p.name} args`);
        expectCodec(call.ret, p.ret, `${p.name} ret`);
      } else {
        expectCodec(events.get(p.number)?.msg as Codec<unknown>, p.msg, `${p.name} msg`);
      }
    }
  });

  test("priority, rights, streams, holes and file descriptors", () => {
    const sets = (list: readonly string[]): string[] => [...list].sort();
    for (const p of protocol.procedures) {
      const event = events.get(p.number);
      if (event !== undefined) {
        expect(sets(event.aclFilter), p.name).toEqual(sets(p.aclfilter));
        continue;
      }
      const call = calls.get(p.number);
      expect(call, p.name).toBeDefined();
      if (call === undefined) continue;
      expect(
        {
          priority: call.priority,
          acl: sets(call.acl),
          aclFilter: sets(call.aclFilter),
          stream: call.stream,
          sparseFlag: call.sparseFlag,
          fds: call.fds,
        },
        p.name,
      ).toEqual({
        priority: p.priority,
        acl: sets(p.acl),
        aclFilter: sets(p.aclfilter),
        stream: name === "remote" ? streams[p.name] : undefined,
        sparseFlag: p.sparseflag,
        fds: descriptors[`${name} ${p.name}`],
      });
      if (p.readstream !== undefined) expect(["read", "both"], p.name).toContain(call.stream);
      if (p.writestream !== undefined) expect(call.stream, p.name).toBe("write");
    }
  });

  test("since which release, in agreement with what 9.0.0 has", () => {
    for (const p of protocol.procedures) {
      const { since } = calls.get(p.number) ?? events.get(p.number) ?? {};
      expect(since, p.name).toMatch(/^\d+\.\d+\.\d+$/);
      expect(release(since ?? "") <= release("9.0.0"), `${p.name} since ${since}`).toBe(p.in_9_0_0);
      expect(release(since ?? ""), p.name).toBeLessThanOrEqual(release("11.3.0"));
    }
  });

  test("constants", () => {
    const module = generated[name] as Record<string, unknown>;
    for (const { name: constant, value } of protocol.constants) expect(module[constant], constant).toBe(value);
  });
});

describe("libvirt: what the public headers define", () => {
  interface Header {
    enums: { name: string; values: { name: string; value: number; sentinel?: boolean }[] }[];
    constants: { name: string; type: string; value: number | string }[];
  }
  const { headers } = facts<{ headers: Record<string, Header> }>("public-api");
  const virterror = facts<{ codes: { name: string; value: number }[]; domains: { name: string; value: number }[] }>(
    "errors",
  );
  const ours = new Map<string, number>();
  for (const exported of Object.values(libvirt)) {
    if (typeof exported !== "object") continue;
    for (const [member, value] of Object.entries(exported)) if (typeof value === "number") ours.set(member, value);
  }
  for (const [name, value] of Object.entries(libvirt)) if (typeof value === "number") ours.set(name, value);

  test("every enumerator has its number", () => {
    const wrong: string[] = [];
    for (const header of Object.values(headers)) {
      for (const { name, values } of header.enums) {
        for (const member of values) {
          if (member.sentinel === true) continue; // grows with every release: nothing to build on
          if (ours.get(member.name) !== member.value) wrong.push(`${name}.${member.name}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  test("error codes and domains", () => {
    for (const { name, value } of [...virterror.codes, ...virterror.domains]) expect(ours.get(name), name).toBe(value);
  });
});
