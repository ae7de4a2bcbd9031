import { describe, expect, test } from "vitest";
import { VirDomainMigrateFlags as Flag } from "../../src/generated/libvirt/index.ts";
import { type MigrateOptions, migrateBetween } from "../../src/migration/managed.ts";
import { VirtError } from "../../src/rpc/index.ts";
import { guest, type RecordedCall, ScriptedHosts } from "./scripted-hosts.ts";

/** Two hosts with these features that refuse to begin, so that only what comes before is recorded. */
function hosts(source: readonly number[], destination: readonly number[]): ScriptedHosts {
  const supports = ({ host, args }: RecordedCall) => ({
    supported: (host === "source" ? source : destination).includes(args.feature as number) ? 1 : 0,
  });
  const refused = new VirtError("begin refused", 55, 10);
  return new ScriptedHosts({
    CONNECT_SUPPORTS_FEATURE: supports,
    DOMAIN_MIGRATE_BEGIN3: refused,
    DOMAIN_MIGRATE_BEGIN3_PARAMS: refused,
  });
}

async function refusal(script: ScriptedHosts, options: MigrateOptions) {
  const error: unknown = await migrateBetween(script.source, guest, script.destination, options).catch((e) => e);
  const calls = script.calls.map(({ host, procedure, args }) =>
    procedure === "CONNECT_SUPPORTS_FEATURE" ? `${host} ${args.feature}` : `${host} ${procedure}`,
  );
  return { error: error as VirtError, calls };
}

describe("migration/choice", () => {
  test("the newer procedures where both hosts know them", async () => {
    const { calls } = await refusal(hosts([13, 6], [13, 6]), {});
    expect(calls).toEqual(["source 13", "destination 13", "source 7", "source DOMAIN_MIGRATE_BEGIN3_PARAMS"]);
  });

  test("any answer but 0 is a yes", async () => {
    const script = new ScriptedHosts({
      CONNECT_SUPPORTS_FEATURE: { supported: 2 },
      DOMAIN_MIGRATE_BEGIN3_PARAMS: new VirtError("begin refused", 55, 10),
    });
    const { calls } = await refusal(script, {});
    expect(calls.at(-1)).toBe("source DOMAIN_MIGRATE_BEGIN3_PARAMS");
  });

  test("the older ones where one host does not; both are asked at each stage even after a no", async () => {
    const { calls } = await refusal(hosts([6], [13, 6]), {});
    expect(calls).toEqual([
      "source 13",
      "destination 13",
      "source 6",
      "destination 6",
      "source 7",
      "source DOMAIN_MIGRATE_BEGIN3",
    ]);
  });

  test("no protocol in common: code 3 as virDomainMigrate3", async () => {
    const { calls, error } = await refusal(hosts([13], [6]), {});
    expect(calls).toEqual(["source 13", "destination 13", "source 6", "destination 6"]);
    expect(error).toMatchObject({
      code: 3,
      domain: 20,
      message: "this function is not supported by the connection driver: virDomainMigrate3",
    });
  });

  test("a parameter that the older procedures cannot carry: code 74 before they are asked for", async () => {
    const { calls, error } = await refusal(hosts([6], [6]), { params: { compression: ["mt"] } });
    expect(calls).toEqual(["source 13", "destination 13"]);
    expect(error).toMatchObject({ code: 74, domain: 20 });
  });

  test("a parameter of another type, which the older procedures would leave out: code 8", async () => {
    const name = { field: "destination_name", value: { type: 1 as const, value: 5 } };
    const { error, calls } = await refusal(hosts([6], [6]), { params: [name] });
    expect(error).toMatchObject({
      code: 8,
      domain: 0,
      message:
        "invalid argument: Invalid type 'string' requested for parameter 'destination_name', actual type is 'int'",
    });
    expect(calls).toEqual(["source 13", "destination 13"]);
  });

  test("a query that fails ends the migration", async () => {
    const script = new ScriptedHosts({ "destination CONNECT_SUPPORTS_FEATURE": new VirtError("lost", 39, 7) });
    const { calls, error } = await refusal(script, {});
    expect(calls).toEqual(["source 13", "destination 13"]);
    expect(error.message).toBe("lost");
  });

  test.each([
    [[], [12], "source", ["source 12"]],
    [[12], [], "destination", ["source 12", "destination 12"]],
  ])("offline %j %j: code 74 names the %s", async (source, destination, host, asked) => {
    const { calls, error } = await refusal(hosts(source, destination), { flags: Flag.VIR_MIGRATE_OFFLINE });
    expect(calls).toEqual(asked);
    expect(error).toMatchObject({
      code: 74,
      message: `argument unsupported: offline migration is not supported by the ${host} host`,
    });
  });

  test("change protection that the source does not know: code 74", async () => {
    const { calls, error } = await refusal(hosts([13], [13]), { flags: Flag.VIR_MIGRATE_CHANGE_PROTECTION });
    expect(calls).toEqual(["source 7"]);
    expect(error).toMatchObject({ code: 74, message: "argument unsupported: cannot enforce change protection" });
  });

  test.each<[string, number]>([
    ["use virDomainMigrateToURI3 for peer-to-peer migration", Flag.VIR_MIGRATE_PEER2PEER],
    ["cannot perform tunnelled migration without using peer2peer flag", Flag.VIR_MIGRATE_TUNNELLED],
    [
      "Flags 'VIR_MIGRATE_NON_SHARED_DISK' and 'VIR_MIGRATE_NON_SHARED_INC' are mutually exclusive",
      Flag.VIR_MIGRATE_NON_SHARED_DISK | Flag.VIR_MIGRATE_NON_SHARED_INC,
    ],
    [
      "Flag 'VIR_MIGRATE_NON_SHARED_DISK' or 'VIR_MIGRATE_NON_SHARED_INC' is required by flag " +
        "'VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES'",
      Flag.VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES,
    ],
  ])("flags/%s: code 8, nothing is called", async (message, flags) => {
    const { calls, error } = await refusal(hosts([13], [13]), { flags });
    expect(calls).toEqual([]);
    expect(error).toMatchObject({ code: 8, domain: 20, message });
  });
});

describe("migration/params-list", () => {
  const refuse = (options: MigrateOptions) => refusal(hosts([13], [13]), options);

  test("a key that may not repeat and does: code 8", async () => {
    const { calls, error } = await refuse({ name: "a", params: { destination_name: "b" } });
    expect(calls).toEqual([]);
    expect(error).toMatchObject({ code: 8, message: "parameter 'destination_name' occurs multiple times" });
  });

  test("a key that is no migration parameter, not even one of Object's: code 74", async () => {
    for (const field of ["nonsense", "__proto__", "constructor"]) {
      const { error } = await refuse({ params: JSON.parse(`{ "${field}": "x" }`) });
      expect(error).toMatchObject({ code: 74, message: `argument unsupported: parameter '${field}' not supported` });
    }
  });

  test("a list leaves room for the three parameters that the sequence adds, within the 64 of the protocol", async () => {
    const disks = (count: number) => ({ params: { migrate_disks: Array.from({ length: count }, (_, i) => `vd${i}`) } });
    const { error } = await refuse(disks(62));
    expect(error).toMatchObject({ code: 39, message: "too many parameters '62' for limit '61'" });
    expect((await refuse(disks(61))).error.message).toBe("begin refused");
  });

  test("an ordered list goes as it is", async () => {
    const script = hosts([13], [13]);
    const params = [
      { field: "unheard.of", value: { type: 6, value: 1 } } as const,
      { field: "bandwidth", value: { type: 4, value: 3n } } as const,
    ];
    await refusal(script, { uri: "tcp:x", params });
    expect(script.calls.at(-1)?.args.params).toEqual([
      { field: "migrate_uri", value: { type: 7, value: "tcp:x" } },
      ...params,
    ]);
  });
});

test("migration/params-types: names and types are those of libvirt's headers", async () => {
  const { migrationParameters } = await import("../../src/migration/parameters.ts");
  const { default: facts } = await import("../facts/public-api.json", { with: { type: "json" } });
  const constants = facts.headers["libvirt-domain.h"].constants as {
    name: string;
    value: unknown;
    paramType?: unknown;
  }[];
  const theirs = constants
    .filter(({ name }) => name.startsWith("VIR_MIGRATE_PARAM_"))
    .map(({ value, paramType }) => [value, paramType]);
  const ours = Object.entries(migrationParameters).map(([name, { type }]) => [name, type]);
  expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(theirs));
});
