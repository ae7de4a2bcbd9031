import { describe, expect, test } from "vitest";
import { VirDomainMigrateFlags as Flag } from "../../src/generated/libvirt/index.ts";
import type { TypedParam } from "../../src/generated/remote/index.ts";
import { type MigrateOptions, migrateBetween } from "../../src/migration/managed.ts";
import { TransportError, VirtError } from "../../src/rpc/index.ts";
import { type Answers, cookie, guest, landedGuest, type RecordedCall, ScriptedHosts } from "./scripted-hosts.ts";

const QEMU = 10;
const OPERATION_FAILED = 9;
const FINISH_OK = 93;

type FamilyName = "v3" | "v3-params";

/** Answers of two healthy hosts: cookies c1 to c4, `tcp:dst:49152`, the running guest. */
const healthy = {
  GET_INFO: { state: 1, maxMem: 0n, memory: 0n, nrVirtCpu: 1, cpuTime: 0n },
  GET_STATE: { state: 1, reason: 1 },
  BEGIN3: { cookieOut: cookie("c1"), xml: "<begin/>" },
  PREPARE3: { cookieOut: cookie("c2"), uriOut: "tcp:dst:49152" },
  PERFORM3: { cookieOut: cookie("c3") },
  FINISH3: { dom: landedGuest, cookieOut: cookie("c4") },
  CONFIRM3: {},
} satisfies Answers;

function qemuError(text: string, code = OPERATION_FAILED): VirtError {
  return new VirtError(text, code, QEMU);
}

/** Features that each host has, and what the script says beyond a healthy run. */
function hosts(family: FamilyName, protection: boolean, script: Answers): ScriptedHosts {
  const features = new Set([6, 12]);
  if (family === "v3-params") features.add(13);
  if (protection) features.add(7);
  const answers: Record<string, Answers[string]> = {
    CONNECT_SUPPORTS_FEATURE: ({ args }) => ({ supported: features.has(args.feature as number) ? 1 : 0 }),
  };
  for (const [name, answer] of Object.entries({ ...healthy, ...script })) {
    if (name === "CONNECT_SUPPORTS_FEATURE") answers[name] = answer;
    else if (name === "STATE") answers[stateCall(family)] = answer;
    else answers[migrationCall(name, family)] = answer;
  }
  return new ScriptedHosts(answers);
}

function stateCall(family: FamilyName): string {
  return family === "v3" ? "DOMAIN_GET_INFO" : "DOMAIN_GET_STATE";
}

function migrationCall(name: string, family: FamilyName): string {
  if (name.startsWith("GET_")) return `DOMAIN_${name}`;
  return `DOMAIN_MIGRATE_${name}${family === "v3-params" ? "_PARAMS" : ""}`;
}

/** One call as a line: `src PERFORM3 flags=257 cookie=c2`, whatever the family. */
function line({ host, procedure, args }: RecordedCall): string {
  const where = host === "source" ? "src" : "dst";
  if (procedure === "CONNECT_SUPPORTS_FEATURE") return `${where} f${args.feature}`;
  if (procedure === "DOMAIN_GET_INFO" || procedure === "DOMAIN_GET_STATE") return `${where} STATE`;
  const parts = [where, procedure.replace("DOMAIN_MIGRATE_", "").replace("_PARAMS", ""), `flags=${args.flags}`];
  if ("cookieIn" in args) parts.push(`cookie=${new TextDecoder().decode(args.cookieIn as Uint8Array)}`);
  if ("cancelled" in args) parts.push(`cancelled=${args.cancelled}`);
  return parts.join(" ");
}

async function run(script: ScriptedHosts, options: MigrateOptions) {
  const outcome = await migrateBetween(script.source, guest, script.destination, options).then(
    (landed) => ({ landed, error: undefined }),
    (error: unknown) => ({ landed: undefined, error }),
  );
  return { ...outcome, lines: script.calls.map(line) };
}

interface Row {
  readonly name: string;
  /** Default true: the source reports feature 7. */
  readonly protection?: boolean;
  readonly options?: MigrateOptions;
  readonly script?: Answers;
  /** Every call after the queries, in order. */
  readonly calls: readonly string[];
  /** The error, by message; none: the guest has landed. */
  readonly error?: string;
}

const E1 = qemuError("operation failed: source says no");
const E2 = qemuError("operation failed: destination says no");
const cleanedUp = qemuError("migration successfully aborted", FINISH_OK);

/** Begin and the query after it, with protection; what every run starts with. */
const opening = ["src BEGIN3 flags=257", "src STATE"];

// Each step of virDomainMigrateVersion3Full, and what must follow when it fails.
const rows: readonly Row[] = [
  {
    name: "success with change protection: cookies go from step to step, the bit goes to the source only",
    calls: [
      ...opening,
      "dst PREPARE3 flags=1 cookie=c1",
      "src PERFORM3 flags=257 cookie=c2",
      "dst FINISH3 flags=1 cookie=c3 cancelled=0",
      "src CONFIRM3 flags=257 cookie=c4 cancelled=0",
    ],
  },
  {
    name: "success without change protection",
    protection: false,
    calls: [
      "src BEGIN3 flags=1",
      "src STATE",
      "dst PREPARE3 flags=1 cookie=c1",
      "src PERFORM3 flags=1 cookie=c2",
      "dst FINISH3 flags=1 cookie=c3 cancelled=0",
      "src CONFIRM3 flags=1 cookie=c4 cancelled=0",
    ],
  },
  {
    name: "CHANGE_PROTECTION asked for is added for the source only as well",
    options: { flags: Flag.VIR_MIGRATE_CHANGE_PROTECTION },
    calls: [
      "src BEGIN3 flags=257",
      "src STATE",
      "dst PREPARE3 flags=1 cookie=c1",
      "src PERFORM3 flags=257 cookie=c2",
      "dst FINISH3 flags=1 cookie=c3 cancelled=0",
      "src CONFIRM3 flags=257 cookie=c4 cancelled=0",
    ],
  },
  {
    name: "ABORT_ON_ERROR and AUTO_CONVERGE are masked for the destination",
    options: {
      flags: Flag.VIR_MIGRATE_ABORT_ON_ERROR | Flag.VIR_MIGRATE_AUTO_CONVERGE | Flag.VIR_MIGRATE_PERSIST_DEST,
    },
    protection: false,
    calls: [
      "src BEGIN3 flags=12297",
      "src STATE",
      "dst PREPARE3 flags=9 cookie=c1",
      "src PERFORM3 flags=12297 cookie=c2",
      "dst FINISH3 flags=9 cookie=c3 cancelled=0",
      "src CONFIRM3 flags=12297 cookie=c4 cancelled=0",
    ],
  },
  {
    name: "a guest found paused: PAUSED from Prepare on",
    protection: false,
    script: { STATE: { state: 3, reason: 1, maxMem: 0n, memory: 0n, nrVirtCpu: 1, cpuTime: 0n } },
    calls: [
      "src BEGIN3 flags=1",
      "src STATE",
      "dst PREPARE3 flags=33 cookie=c1",
      "src PERFORM3 flags=33 cookie=c2",
      "dst FINISH3 flags=33 cookie=c3 cancelled=0",
      "src CONFIRM3 flags=33 cookie=c4 cancelled=0",
    ],
  },
  {
    name: "a guest found paused while resuming post-copy: no PAUSED",
    protection: false,
    options: { flags: Flag.VIR_MIGRATE_POSTCOPY | Flag.VIR_MIGRATE_POSTCOPY_RESUME },
    script: { STATE: { state: 3, reason: 11 } },
    calls: [
      "src BEGIN3 flags=557057",
      "src STATE",
      "dst PREPARE3 flags=557057 cookie=c1",
      "src PERFORM3 flags=557057 cookie=c2",
      "dst FINISH3 flags=557057 cookie=c3 cancelled=0",
      "src CONFIRM3 flags=557057 cookie=c4 cancelled=0",
    ],
  },
  {
    name: "an error of the state query is ignored",
    script: { STATE: E1 },
    calls: [
      ...opening,
      "dst PREPARE3 flags=1 cookie=c1",
      "src PERFORM3 flags=257 cookie=c2",
      "dst FINISH3 flags=1 cookie=c3 cancelled=0",
      "src CONFIRM3 flags=257 cookie=c4 cancelled=0",
    ],
  },
  {
    name: "Begin fails: nothing else is called",
    script: { BEGIN3: E1 },
    calls: ["src BEGIN3 flags=257"],
    error: E1.message,
  },
  {
    name: "Prepare fails without change protection: nothing else is called",
    protection: false,
    script: { PREPARE3: E2 },
    calls: ["src BEGIN3 flags=1", "src STATE", "dst PREPARE3 flags=1 cookie=c1"],
    error: E2.message,
  },
  {
    name: "Prepare fails with change protection: Confirm releases the source's job, no Finish",
    script: { PREPARE3: E2 },
    calls: [...opening, "dst PREPARE3 flags=1 cookie=c1", "src CONFIRM3 flags=257 cookie= cancelled=1"],
    error: E2.message,
  },
  {
    name: "Prepare fails, and the Confirm that cleans up too: Prepare's error",
    script: { PREPARE3: E2, CONFIRM3: E1 },
    calls: [...opening, "dst PREPARE3 flags=1 cookie=c1", "src CONFIRM3 flags=257 cookie= cancelled=1"],
    error: E2.message,
  },
  {
    name: "nobody names a URI: Finish with Prepare's cookie and Confirm, both cancelled",
    script: { PREPARE3: { cookieOut: cookie("c2"), uriOut: null }, FINISH3: cleanedUp },
    calls: [
      ...opening,
      "dst PREPARE3 flags=1 cookie=c1",
      "dst FINISH3 flags=1 cookie=c2 cancelled=1",
      "src CONFIRM3 flags=257 cookie= cancelled=1",
    ],
    error: "internal error: domainMigratePrepare3 did not set uri",
  },
  {
    name: "nobody names a URI without change protection: the same calls",
    protection: false,
    script: { PREPARE3: { cookieOut: cookie("c2"), uriOut: null }, FINISH3: cleanedUp },
    calls: [
      "src BEGIN3 flags=1",
      "src STATE",
      "dst PREPARE3 flags=1 cookie=c1",
      "dst FINISH3 flags=1 cookie=c2 cancelled=1",
      "src CONFIRM3 flags=1 cookie= cancelled=1",
    ],
    error: "internal error: domainMigratePrepare3 did not set uri",
  },
  {
    name: "a destination that keeps the user's URI names none",
    options: { uri: "tcp:elsewhere:1" },
    script: { PREPARE3: { cookieOut: cookie("c2"), uriOut: null } },
    calls: [
      ...opening,
      "dst PREPARE3 flags=1 cookie=c1",
      "src PERFORM3 flags=257 cookie=c2",
      "dst FINISH3 flags=1 cookie=c3 cancelled=0",
      "src CONFIRM3 flags=257 cookie=c4 cancelled=0",
    ],
  },
  {
    name: "Perform fails: Finish cancelled with no cookie, no Confirm; 93 is no failure",
    script: { PERFORM3: E1, FINISH3: cleanedUp },
    calls: [
      ...opening,
      "dst PREPARE3 flags=1 cookie=c1",
      "src PERFORM3 flags=257 cookie=c2",
      "dst FINISH3 flags=1 cookie= cancelled=1",
    ],
    error: E1.message,
  },
  {
    name: "Perform fails, and the cancelled Finish fails in the hypervisor too: both texts",
    script: { PERFORM3: E1, FINISH3: E2 },
    calls: [
      ...opening,
      "dst PREPARE3 flags=1 cookie=c1",
      "src PERFORM3 flags=257 cookie=c2",
      "dst FINISH3 flags=1 cookie= cancelled=1",
    ],
    error:
      "operation failed: migration failed. Message from the source host: operation failed: source says no. " +
      "Message from the destination host: operation failed: destination says no",
  },
  {
    name: "texts are not merged where Perform's error has another code",
    script: { PERFORM3: qemuError("Timed out during operation", 68), FINISH3: E2 },
    calls: [
      ...opening,
      "dst PREPARE3 flags=1 cookie=c1",
      "src PERFORM3 flags=257 cookie=c2",
      "dst FINISH3 flags=1 cookie= cancelled=1",
    ],
    error: "Timed out during operation",
  },
  {
    name: "texts are not merged where Finish's error is not the hypervisor's",
    script: { PERFORM3: E1, FINISH3: new VirtError("client socket is closed", 1, 7) },
    calls: [
      ...opening,
      "dst PREPARE3 flags=1 cookie=c1",
      "src PERFORM3 flags=257 cookie=c2",
      "dst FINISH3 flags=1 cookie= cancelled=1",
    ],
    error: E1.message,
  },
  {
    name: "a guest that a cancelled Finish answers with is ignored",
    script: { PERFORM3: E1 },
    calls: [
      ...opening,
      "dst PREPARE3 flags=1 cookie=c1",
      "src PERFORM3 flags=257 cookie=c2",
      "dst FINISH3 flags=1 cookie= cancelled=1",
    ],
    error: E1.message,
  },
  {
    name: "the source is lost in Perform: the destination is told to give up",
    script: { PERFORM3: new TransportError("eof", "source is gone"), FINISH3: cleanedUp },
    calls: [
      ...opening,
      "dst PREPARE3 flags=1 cookie=c1",
      "src PERFORM3 flags=257 cookie=c2",
      "dst FINISH3 flags=1 cookie= cancelled=1",
    ],
    error: "source is gone",
  },
  {
    name: "Finish fails after a good Perform: Confirm cancelled, so the source takes the guest back",
    script: { FINISH3: E2 },
    calls: [
      ...opening,
      "dst PREPARE3 flags=1 cookie=c1",
      "src PERFORM3 flags=257 cookie=c2",
      "dst FINISH3 flags=1 cookie=c3 cancelled=0",
      "src CONFIRM3 flags=257 cookie= cancelled=1",
    ],
    error: E2.message,
  },
  {
    name: "Finish and the cancelled Confirm fail: Finish's error",
    script: { FINISH3: E2, CONFIRM3: E1 },
    calls: [
      ...opening,
      "dst PREPARE3 flags=1 cookie=c1",
      "src PERFORM3 flags=257 cookie=c2",
      "dst FINISH3 flags=1 cookie=c3 cancelled=0",
      "src CONFIRM3 flags=257 cookie= cancelled=1",
    ],
    error: E2.message,
  },
  {
    name: "the destination is lost in Finish: Confirm cancelled is still sent",
    script: { FINISH3: new TransportError("eof", "destination is gone") },
    calls: [
      ...opening,
      "dst PREPARE3 flags=1 cookie=c1",
      "src PERFORM3 flags=257 cookie=c2",
      "dst FINISH3 flags=1 cookie=c3 cancelled=0",
      "src CONFIRM3 flags=257 cookie= cancelled=1",
    ],
    error: "destination is gone",
  },
  {
    name: "Confirm fails: the migration has succeeded all the same",
    script: { CONFIRM3: E1 },
    calls: [
      ...opening,
      "dst PREPARE3 flags=1 cookie=c1",
      "src PERFORM3 flags=257 cookie=c2",
      "dst FINISH3 flags=1 cookie=c3 cancelled=0",
      "src CONFIRM3 flags=257 cookie=c4 cancelled=0",
    ],
  },
];

// OFFLINE (1024), here with PERSIST_DEST (8): Perform is left out and Prepare's cookie is dropped.
const offline: MigrateOptions = { live: false, flags: Flag.VIR_MIGRATE_OFFLINE | Flag.VIR_MIGRATE_PERSIST_DEST };
const offlineRows: readonly Row[] = [
  {
    name: "offline: no Perform, Finish with no cookie and cancelled = 0",
    calls: [
      "src BEGIN3 flags=1288",
      "src STATE",
      "dst PREPARE3 flags=1032 cookie=c1",
      "dst FINISH3 flags=1032 cookie= cancelled=0",
      "src CONFIRM3 flags=1288 cookie=c4 cancelled=0",
    ],
  },
  {
    name: "offline, Begin fails: nothing else is called",
    script: { BEGIN3: E1 },
    calls: ["src BEGIN3 flags=1288"],
    error: E1.message,
  },
  {
    name: "offline, Prepare fails: Confirm releases the source's job",
    script: { PREPARE3: E2 },
    calls: [
      "src BEGIN3 flags=1288",
      "src STATE",
      "dst PREPARE3 flags=1032 cookie=c1",
      "src CONFIRM3 flags=1288 cookie= cancelled=1",
    ],
    error: E2.message,
  },
  {
    name: "offline, nobody names a URI: as for a running guest",
    script: { PREPARE3: { cookieOut: cookie("c2"), uriOut: null }, FINISH3: cleanedUp },
    calls: [
      "src BEGIN3 flags=1288",
      "src STATE",
      "dst PREPARE3 flags=1032 cookie=c1",
      "dst FINISH3 flags=1032 cookie=c2 cancelled=1",
      "src CONFIRM3 flags=1288 cookie= cancelled=1",
    ],
    error: "internal error: domainMigratePrepare3 did not set uri",
  },
  {
    name: "offline, Finish fails: Confirm cancelled",
    script: { FINISH3: E2 },
    calls: [
      "src BEGIN3 flags=1288",
      "src STATE",
      "dst PREPARE3 flags=1032 cookie=c1",
      "dst FINISH3 flags=1032 cookie= cancelled=0",
      "src CONFIRM3 flags=1288 cookie= cancelled=1",
    ],
    error: E2.message,
  },
  {
    name: "offline, Confirm fails: the migration has succeeded all the same",
    script: { CONFIRM3: E1 },
    calls: [
      "src BEGIN3 flags=1288",
      "src STATE",
      "dst PREPARE3 flags=1032 cookie=c1",
      "dst FINISH3 flags=1032 cookie= cancelled=0",
      "src CONFIRM3 flags=1288 cookie=c4 cancelled=0",
    ],
  },
];

describe.each<FamilyName>(["v3", "v3-params"])("%s", (family) => {
  const queries =
    family === "v3" ? ["src f13", "dst f13", "src f6", "dst f6", "src f7"] : ["src f13", "dst f13", "src f7"];

  test.each(rows)("migration/sequence: $name", async ({ protection = true, options, script = {}, calls, error }) => {
    const asked = options?.flags && options.flags & Flag.VIR_MIGRATE_CHANGE_PROTECTION ? ["src f7"] : [];
    const outcome = await run(hosts(family, protection, script), { live: true, ...options });
    expect(outcome.lines).toEqual([...asked, ...queries, ...calls]);
    expect((outcome.error as Error | undefined)?.message).toBe(error);
    if (error === undefined) expect(outcome.landed).toEqual(landedGuest);
  });

  test.each(offlineRows)("migration/sequence: $name", async ({ script = {}, calls, error }) => {
    const outcome = await run(hosts(family, true, script), offline);
    expect(outcome.lines).toEqual(["src f12", "dst f12", ...queries, ...calls]);
    expect((outcome.error as Error | undefined)?.message).toBe(error);
    if (error === undefined) expect(outcome.landed).toEqual(landedGuest);
  });

  test("migration/merged-error: code 9 of the client side", async () => {
    const { error } = await run(hosts(family, true, { PERFORM3: E1, FINISH3: E2 }), {});
    expect(error).toMatchObject({ code: OPERATION_FAILED, domain: 20, int1: -1 });
  });
});

const text = (field: string, value: string): TypedParam => ({ field, value: { type: 7, value } });

function argsOf(script: ScriptedHosts, name: string): Record<string, unknown> {
  return script.calls.find(({ procedure }) => procedure.includes(name))!.args;
}

const everything = {
  live: true,
  uri: "tcp:dst",
  name: "web2",
  dxml: "<user/>",
  bandwidth: 12,
} satisfies MigrateOptions;

test("migration/params: the list is kept up to date from step to step", async () => {
  const script = hosts("v3-params", true, {});
  await run(script, { ...everything, params: { compression: ["xbzrle", "mt"], "compression.mt.level": 3 } });
  const rest: TypedParam[] = [
    { field: "bandwidth", value: { type: 4, value: 12n } },
    text("compression", "xbzrle"),
    text("compression", "mt"),
    { field: "compression.mt.level", value: { type: 1, value: 3 } },
  ];
  const name = text("destination_name", "web2");
  const asked = [text("migrate_uri", "tcp:dst"), name, text("destination_xml", "<user/>"), ...rest];
  const withXml = [text("migrate_uri", "tcp:dst"), name, text("destination_xml", "<begin/>"), ...rest];
  const withUri = [text("migrate_uri", "tcp:dst:49152"), name, text("destination_xml", "<begin/>"), ...rest];
  expect(argsOf(script, "BEGIN3").params).toEqual(asked);
  expect(argsOf(script, "PREPARE3").params).toEqual(withXml);
  expect(argsOf(script, "PERFORM3")).toMatchObject({ dom: guest, dconnuri: null, params: withUri });
  expect(argsOf(script, "FINISH3").params).toEqual(withUri);
  expect(argsOf(script, "CONFIRM3").params).toEqual(withUri);
});

test("migration/params: what nobody gave is added: XML for Prepare, the URI for Perform, the name for Finish", async () => {
  const script = hosts("v3-params", true, {});
  await run(script, {});
  const xml = text("destination_xml", "<begin/>");
  const uri = text("migrate_uri", "tcp:dst:49152");
  const name = text("destination_name", "web");
  expect(argsOf(script, "BEGIN3").params).toEqual([]);
  expect(argsOf(script, "PREPARE3").params).toEqual([xml]);
  expect(argsOf(script, "PERFORM3").params).toEqual([xml, uri]);
  expect(argsOf(script, "FINISH3").params).toEqual([xml, uri, name]);
  expect(argsOf(script, "CONFIRM3").params).toEqual([xml, uri, name]);
});

test("migration/classic: each argument in its place", async () => {
  const script = hosts("v3", true, {});
  await run(script, everything);
  expect(argsOf(script, "BEGIN3")).toEqual({
    dom: guest,
    xmlin: "<user/>",
    flags: 257n,
    dname: "web2",
    resource: 12n,
  });
  expect(argsOf(script, "PREPARE3")).toEqual({
    cookieIn: cookie("c1"),
    uriIn: "tcp:dst",
    flags: 1n,
    dname: "web2",
    resource: 12n,
    domXml: "<begin/>",
  });
  expect(argsOf(script, "PERFORM3")).toEqual({
    dom: guest,
    xmlin: null,
    cookieIn: cookie("c2"),
    dconnuri: null,
    uri: "tcp:dst:49152",
    flags: 257n,
    dname: "web2",
    resource: 12n,
  });
  expect(argsOf(script, "FINISH3")).toEqual({
    dname: "web2",
    cookieIn: cookie("c3"),
    dconnuri: null,
    uri: "tcp:dst:49152",
    flags: 1n,
    cancelled: 0,
  });
  expect(argsOf(script, "CONFIRM3")).toEqual({ dom: guest, cookieIn: cookie("c4"), flags: 257n, cancelled: 0 });
});

test("migration/classic: Finish names the guest as the source does where no new name is given", async () => {
  const script = hosts("v3", false, {});
  await run(script, {});
  expect(argsOf(script, "BEGIN3")).toMatchObject({ xmlin: null, dname: null, resource: 0n });
  expect(argsOf(script, "PREPARE3")).toMatchObject({ uriIn: null, dname: null });
  expect(argsOf(script, "FINISH3")).toMatchObject({ dname: "web" });
});
