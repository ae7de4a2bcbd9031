import type { AnyHandler, AnyProcedure } from "../rpc/index.ts";
import type { AccessTarget } from "./access.ts";
import { handlerOf, type ServedProgram } from "./program.ts";
import type { CallContext } from "./session.ts";
import { sooner } from "./sooner.ts";

/** Arguments and results as they are looked at here: any field may be there, of any type. */
export type Fields = Readonly<Record<string, unknown>>;

type Answer = AccessTarget | Promise<AccessTarget>;

/** Where arguments, results and events of all procedures have an object of that kind. */
const places: Readonly<Record<string, readonly string[]>> = {
  domain: ["dom", "snap", "snapshot", "checkpoint", "ddom"],
  network: ["net", "network"],
  network_port: ["port"],
  storage_pool: ["pool"],
  storage_vol: ["vol"],
  interface: ["iface"],
  node_device: ["dev"],
  nwfilter: ["nwfilter"],
  nwfilter_binding: ["nwfilter"],
  secret: ["secret"],
};

/** How the REMOTE program finds the object that a UUID or a name stands for. */
const lookups: Readonly<Record<string, { readonly uuid?: string; readonly name?: string; readonly id?: string }>> = {
  domain: { uuid: "domainLookupByUuid", name: "domainLookupByName", id: "domainLookupById" },
  network: { uuid: "networkLookupByUuid", name: "networkLookupByName" },
  storage_pool: { uuid: "storagePoolLookupByUuid", name: "storagePoolLookupByName" },
  nwfilter: { uuid: "nwfilterLookupByUuid", name: "nwfilterLookupByName" },
  secret: { uuid: "secretLookupByUuid" },
  interface: { name: "interfaceLookupByName" },
  nwfilter_binding: { name: "nwfilterBindingLookupByPortDev" },
};

/**
 * Whether a call looks for an object, and changes nothing: what it finds is what the client needs the right to. A snapshot
 * is looked for in a guest, which the call names.
 */
export function isLookup({ name, acl }: AnyProcedure): boolean {
  return (
    /_LOOKUP_/.test(name) && !/_(SNAPSHOT|CHECKPOINT)_/.test(name) && !acl.some((rule) => rule.startsWith("connect:"))
  );
}

/** Finds out which objects calls are about. What a client says of an object beside its UUID counts for nothing. */
export class AccessTargets {
  readonly #remote: ServedProgram | undefined;
  readonly #describeXml: NonNullable<ServedProgram["describeXml"]>;

  constructor(programs: readonly ServedProgram[]) {
    this.#remote = programs.find(({ description }) => description.name === "REMOTE");
    this.#describeXml = this.#remote?.describeXml ?? (() => ({}));
  }

  /** The object of that kind that a call is about. */
  ofCall(object: string, procedure: AnyProcedure, args: unknown, context: CallContext): Answer {
    if (object === "connect" || typeof args !== "object" || args === null) return {};
    const fields = args as Fields;
    const reference = referenceIn(object, fields);
    if (reference !== undefined) return this.resolve(object, reference, context);
    if (object === "node_device" && typeof fields.name === "string") return { name: fields.name };
    const xml = textIn(fields, "xml", "xmlDesc", "domXml", "destination_xml");
    const name = textIn(fields, "dname", "destination_name");
    if (xml !== undefined) {
      const described = { ...this.#describe(object, xml), ...(name !== undefined && { name }) };
      return sooner(this.parent(object, fields, context), (parent) => ({ ...described, ...parent }));
    }
    if (name !== undefined && /_FINISH/.test(procedure.name)) return this.resolve(object, { name }, context);
    return name === undefined ? {} : { name };
  }

  /** The object of that kind that is in a result or an event: the daemon's own words, which are true. */
  ofMessage(object: string, message: unknown): AccessTarget | undefined {
    const reference = referenceIn(object, message as Fields);
    return reference === undefined ? undefined : targetOf(object, reference);
  }

  /** The object that a UUID, a name or a number stands for. Where there is none, what it was looked for by is all. */
  resolve(object: string, reference: Fields, context: CallContext): Answer {
    const known = lookups[object];
    if (object === "network_port") {
      const { net } = reference as { readonly net: Fields };
      const { uuid } = targetOf(object, reference);
      return sooner(this.resolve("network", net, context), (network) => ({
        ...asNetwork(network),
        ...(uuid !== undefined && { uuid }),
      }));
    }
    if (object === "storage_vol") return this.#volume(reference, context);
    if (known === undefined) return targetOf(object, reference); // its names are what the driver goes by
    const { uuid, name = reference.portdev, id } = reference;
    const by = uuid !== undefined ? "uuid" : name !== undefined ? "name" : "id";
    const asked = { [by]: { uuid, name, id }[by] };
    return sooner(this.#lookUp(object, known[by], asked, context), (found) => found ?? targetOf(object, asked));
  }

  /** A volume is found by its name and its pool's; its key is what the daemon says. */
  #volume({ pool, name }: Fields, context: CallContext): Answer {
    const asked = targetOf("storage_vol", { pool, name });
    return sooner(this.#ask("storagePoolLookupByName", { name: pool }, context), (inside) => {
      if (inside === undefined) return asked;
      const found = this.#lookUp("storage_vol", "storageVolLookupByName", { pool: inside.pool, name }, context);
      return sooner(found, (volume) => volume ?? asked);
    });
  }

  #lookUp(
    object: string,
    key: string | undefined,
    args: Fields,
    context: CallContext,
  ): AccessTarget | undefined | Promise<AccessTarget | undefined> {
    const ret = key === undefined ? undefined : this.#ask(key, args, context);
    return sooner(ret, (found) => (found === undefined ? undefined : this.ofMessage(object, found)));
  }

  /** What the REMOTE program answers to a call for an object; nothing where it has none. */
  #ask(key: string, args: Fields, context: CallContext): Fields | undefined | Promise<Fields | undefined> {
    const handler = this.#handler(key);
    if (handler === undefined) return undefined;
    try {
      const ret: unknown = handler(args, context);
      return ret instanceof Promise ? ret.catch(nothing) : (ret as Fields);
    } catch {
      return undefined; // there is none of that name; the call itself says so to whoever may know
    }
  }

  #handler(key: string): AnyHandler<CallContext> | undefined {
    return this.#remote === undefined ? undefined : handlerOf(this.#remote, key);
  }

  #describe(object: string, xml: string): AccessTarget {
    try {
      return this.#describeXml(object, xml);
    } catch {
      return {}; // the driver refuses it too, in words of its own
    }
  }

  /** What a new object, or those of a list, will be in: a volume in a pool, a port in a network. */
  parent(object: string, fields: Fields, context: CallContext): Answer {
    const inside = object === "storage_vol" ? "storage_pool" : object === "network_port" ? "network" : undefined;
    const reference = inside === undefined ? undefined : referenceIn(inside, fields);
    if (inside === undefined || reference === undefined) return {};
    return sooner(this.resolve(inside, reference, context), (found) => {
      if (inside === "network") return asNetwork(found);
      return found.name === undefined ? {} : { pool: found.name };
    });
  }
}

const nothing = () => undefined;

function asNetwork({ name, uuid }: AccessTarget): AccessTarget {
  return { ...(name !== undefined && { network: name }), ...(uuid !== undefined && { networkUuid: uuid }) };
}

/** The reference to an object of that kind, looked for where procedures have it. */
function referenceIn(object: string, fields: Fields): Fields | undefined {
  for (const place of places[object] ?? []) {
    const found = fields[place];
    // Snapshots and checkpoints are of a domain.
    if (isFields(found)) return isFields(found.dom) ? found.dom : found;
  }
  return isFields(fields.msg) ? referenceIn(object, fields.msg) : undefined;
}

/** What a reference says. */
export function targetOf(object: string, reference: Fields): AccessTarget {
  const { name, uuid, pool, key, mac, usageType, usageID, portdev, filtername, net } = reference;
  return {
    ...(typeof name === "string" && { name }),
    ...(object === "nwfilter_binding" && typeof portdev === "string" && { name: portdev }),
    ...(typeof filtername === "string" && { filter: filtername }),
    ...(uuid instanceof Uint8Array && { uuid: uuidText(uuid) }),
    ...(typeof pool === "string" && { pool }),
    ...(typeof key === "string" && { key }),
    ...(typeof mac === "string" && { mac }),
    ...(typeof usageType === "number" && { usageType }),
    ...(typeof usageID === "string" && { usageId: usageID }),
    ...(isFields(net) && asNetwork(targetOf("network", net))),
  };
}

/** A text of the arguments, in a field of theirs or among their typed parameters. */
function textIn(fields: Fields, ...names: readonly string[]): string | undefined {
  for (const name of names) if (typeof fields[name] === "string") return fields[name];
  for (const { field, value } of Array.isArray(fields.params) ? (fields.params as readonly Fields[]) : []) {
    const text = (value as Fields).value;
    if (names.includes(String(field)) && typeof text === "string") return text;
  }
  return undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !(value instanceof Uint8Array) && !Array.isArray(value);
}

export function uuidText(uuid: Uint8Array): string {
  return Buffer.from(uuid)
    .toString("hex")
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
