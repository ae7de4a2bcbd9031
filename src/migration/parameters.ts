import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import {
  REMOTE_DOMAIN_MIGRATE_PARAM_LIST_MAX,
  type TypedParam,
  VIR_TYPED_PARAM_INT,
  VIR_TYPED_PARAM_STRING,
  VIR_TYPED_PARAM_ULLONG,
} from "../generated/remote/index.ts";
import { virtError } from "../rpc/index.ts";
import { argumentUnsupported, invalidArgument } from "./errors.ts";

/** The wire type of every migration parameter, and whether its key may repeat: VIR_MIGRATE_PARAM_* of libvirt-domain.h. */
export const migrationParameters = {
  migrate_uri: { type: "string" },
  destination_name: { type: "string" },
  destination_xml: { type: "string" },
  persistent_xml: { type: "string" },
  /** MiB/s. */
  bandwidth: { type: "ullong" },
  /** MiB/s. */
  "bandwidth.postcopy": { type: "ullong" },
  /** MiB/s, libvirt 11.1.0. */
  "bandwidth.avail.switchover": { type: "ullong" },
  graphics_uri: { type: "string" },
  listen_address: { type: "string" },
  migrate_disks: { type: "string", repeats: true },
  /** libvirt 10.9.0. */
  migrate_disks_detect_zeroes: { type: "string", repeats: true },
  disks_port: { type: "int" },
  disks_uri: { type: "string" },
  /** `xbzrle`, `mt`, `zlib`, `zstd`. */
  compression: { type: "string", repeats: true },
  "compression.mt.level": { type: "int" },
  "compression.mt.threads": { type: "int" },
  "compression.mt.dthreads": { type: "int" },
  /** Bytes. */
  "compression.xbzrle.cache": { type: "ullong" },
  /** libvirt 9.4.0. */
  "compression.zlib.level": { type: "int" },
  /** libvirt 9.4.0. */
  "compression.zstd.level": { type: "int" },
  "auto_converge.initial": { type: "int" },
  "auto_converge.increment": { type: "int" },
  "parallel.connections": { type: "int" },
  "tls.destination": { type: "string" },
} as const satisfies Record<string, Definition>;

interface Definition {
  readonly type: "string" | "int" | "ullong";
  readonly repeats?: true;
}

type Definitions = typeof migrationParameters;
export type MigrationParameterName = keyof Definitions;

type Value<D> = D extends { type: "string" } ? string : D extends { type: "int" } ? number : number | bigint;

/** Migration parameters as a record: a key that may repeat has an array. */
export type MigrationParameters = {
  readonly [K in MigrationParameterName]?: Definitions[K] extends { repeats: true }
    ? readonly Value<Definitions[K]>[]
    : Value<Definitions[K]>;
};

/** What protocol 3 without a parameter list can say too: `compatParams` of virDomainMigrate3. */
export const CLASSIC_PARAMETERS: ReadonlySet<string> = new Set([
  "migrate_uri",
  "destination_name",
  "destination_xml",
  "bandwidth",
] satisfies MigrationParameterName[]);

/** What a migration is asked to do beside its flags. */
export interface RequestedParameters {
  readonly uri?: string;
  readonly name?: string;
  readonly dxml?: string;
  readonly bandwidth?: number | bigint;
  readonly params?: MigrationParameters | readonly TypedParam[];
}

/**
 * The list that goes to the hosts, in the order uri, name, XML, bandwidth, then `params` as given.
 * @throws {VirtError} code 74 for a key that is no migration parameter, code 8 for one that may not repeat and does,
 *   code 39 for more than fit, counting what the sequence puts in later.
 */
export function requestedParameters({ uri, name, dxml, bandwidth, params = {} }: RequestedParameters): TypedParam[] {
  const list = [
    ...listOf({ migrate_uri: uri, destination_name: name, destination_xml: dxml, bandwidth }),
    ...(isList(params) ? params : listOf(params)),
  ];
  const fields = new Set<string>();
  for (const { field } of list) {
    if (fields.has(field) && !definitionOf(field)?.repeats) {
      throw invalidArgument("params", `parameter '${field}' occurs multiple times`);
    }
    fields.add(field);
  }
  const later = (["migrate_uri", "destination_name", "destination_xml"] as const).filter((field) => !fields.has(field));
  if (list.length + later.length > REMOTE_DOMAIN_MIGRATE_PARAM_LIST_MAX) {
    const detail = `too many parameters '${list.length}' for limit '${REMOTE_DOMAIN_MIGRATE_PARAM_LIST_MAX - later.length}'`;
    throw virtError(VirErrorNumber.VIR_ERR_RPC, VirErrorDomain.VIR_FROM_DOMAIN, detail);
  }
  return list;
}

function isList(params: MigrationParameters | readonly TypedParam[]): params is readonly TypedParam[] {
  return Array.isArray(params);
}

/** Keys that are undefined are left out. */
function listOf(record: { readonly [K in MigrationParameterName]?: MigrationParameters[K] | undefined }): TypedParam[] {
  const list: TypedParam[] = [];
  for (const [field, given] of Object.entries(record)) {
    if (given === undefined) continue;
    const definition = definitionOf(field);
    if (definition === undefined) {
      throw argumentUnsupported(`parameter '${field}' not supported`);
    }
    for (const value of Array.isArray(given) ? given : [given]) list.push(typedParam(field, definition.type, value));
  }
  return list;
}

function definitionOf(field: string): Definition | undefined {
  return Object.hasOwn(migrationParameters, field) ? migrationParameters[field as MigrationParameterName] : undefined;
}

function typedParam(field: string, type: Definition["type"], value: string | number | bigint): TypedParam {
  switch (type) {
    case "string":
      return { field, value: { type: VIR_TYPED_PARAM_STRING, value: value as string } };
    case "int":
      return { field, value: { type: VIR_TYPED_PARAM_INT, value: value as number } };
    case "ullong":
      return { field, value: { type: VIR_TYPED_PARAM_ULLONG, value: BigInt(value) } };
  }
}

/** The string of a key, or null. The first where the key repeats: virTypedParamsGetString. */
export function stringParameter(list: readonly TypedParam[], field: MigrationParameterName): string | null {
  const found = list.find((param) => param.field === field)?.value;
  return found?.type === VIR_TYPED_PARAM_STRING ? found.value : null;
}

/** The number of a ULLONG key; 0 where it is missing: virTypedParamsGetULLong as migration uses it. */
export function ullongParameter(list: readonly TypedParam[], field: MigrationParameterName): bigint {
  const found = list.find((param) => param.field === field)?.value;
  return found?.type === VIR_TYPED_PARAM_ULLONG ? found.value : 0n;
}

/** A list in which `field` is `value`: in the place it had, or at the end. virTypedParamsReplaceString. */
export function withString(list: readonly TypedParam[], field: MigrationParameterName, value: string): TypedParam[] {
  const param = typedParam(field, "string", value);
  const at = list.findIndex((other) => other.field === field);
  return at < 0 ? [...list, param] : list.with(at, param);
}
