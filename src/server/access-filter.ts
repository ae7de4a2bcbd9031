import { VirErrorNumber } from "../generated/libvirt/index.ts";
import { type AnyHandler, type AnyProcedure, apiDomain, apiName, virtError } from "../rpc/index.ts";
import type { AccessTarget } from "./access.ts";
import { type AccessTargets, type Fields, targetOf } from "./access-target.ts";
import { handlerOf, type ServedProgram } from "./program.ts";
import type { CallContext } from "./session.ts";
import { filterSooner, sooner } from "./sooner.ts";

/** Whether a client may know of an object. */
export type Visible = (target: AccessTarget, context: CallContext) => boolean | Promise<boolean>;

/** The most that the old calls for lists may ask for: REMOTE_DOMAIN_LIST_MAX and its like. */
const LIST_MAX = 16_384;
/** The fields that say how many names the client has room for. */
const MAXIMA = ["maxnames", "maxids", "maxuuids"];

type Run = (args: unknown, context: CallContext) => unknown;

/**
 * Makes a handler answer as if the objects that a client may not see were not there. By the shape of what it answers:
 * a number, for which the call that lists the same is asked; names, numbers or UUIDs; objects.
 * @param object the kind of object that the list has
 */
export function filtered(
  object: string,
  procedure: AnyProcedure,
  handler: AnyHandler<CallContext>,
  program: ServedProgram,
  targets: AccessTargets,
  visible: Visible,
): AnyHandler<CallContext> {
  if (/EVENT.*_REGISTER/.test(procedure.name)) return handler; // what is filtered comes later
  const isVisible = (context: CallContext, args: unknown) => (item: unknown) =>
    sooner(target(object, item, args, context, targets), (found) => visible(found, context));
  const list: Run = (args, context) => {
    const more = widened(args);
    return sooner(handler(more, context) as unknown, (ret) => {
      const [field, items] = listIn(ret as Fields);
      return sooner(filterSooner(items, isVisible(context, args)), (kept) =>
        narrowed(ret as Fields, field, kept, args),
      );
    });
  };
  if (!/_NUM_OF_/.test(procedure.name)) return list;
  const lister = listerOf(procedure, program);
  return (args: unknown, context: CallContext) => {
    // A number alone says nothing about whose it is.
    if (lister === undefined)
      throw virtError(VirErrorNumber.VIR_ERR_NO_SUPPORT, apiDomain(procedure), apiName(procedure));
    const all = { ...(args as Fields | undefined), maxnames: LIST_MAX, maxids: LIST_MAX, maxuuids: LIST_MAX };
    return sooner(lister(all, context) as unknown, (ret) => {
      const [, items] = listIn(ret as Fields);
      return sooner(filterSooner(items, isVisible(context, args)), (kept) => ({ num: kept.length }));
    });
  };
}

/** CONNECT_LIST_DOMAINS for CONNECT_NUM_OF_DOMAINS: the same as names, or numbers. */
function listerOf({ name }: AnyProcedure, program: ServedProgram): AnyHandler<CallContext> | undefined {
  const wanted = name.replace("_NUM_OF_", "_LIST_");
  const [key] = Object.entries(program.description.procedures).find(([, procedure]) => procedure.name === wanted) ?? [];
  return key === undefined ? undefined : handlerOf(program, key);
}

/** The arguments with which all objects are listed: what is left out must not cost the client others. */
function widened(args: unknown): unknown {
  if (typeof args !== "object" || args === null) return args;
  const wide: Record<string, unknown> = { ...args };
  if ("needResults" in wide) wide.needResults = 1;
  for (const field of MAXIMA) if (field in wide) wide[field] = LIST_MAX;
  return wide;
}

/** The result with what is left, as much of it as was asked for. */
function narrowed(ret: Fields, field: string, kept: readonly unknown[], args: unknown): Fields {
  const given = (args ?? {}) as Fields;
  const room = MAXIMA.map((max) => given[max]).find((max) => typeof max === "number");
  const items = given.needResults === 0 ? [] : kept.slice(0, room as number | undefined);
  return { ...ret, [field]: items, ...("ret" in ret && { ret: kept.length }) };
}

function listIn(ret: Fields): [string, readonly unknown[]] {
  for (const [field, value] of Object.entries(ret)) if (Array.isArray(value)) return [field, value];
  throw new TypeError("a list without a list in it");
}

/** The object that an item of a list stands for. */
function target(object: string, item: unknown, args: unknown, context: CallContext, targets: AccessTargets) {
  switch (typeof item) {
    case "number":
      return targets.resolve(object, { id: item }, context);
    case "string": {
      if (object === "secret") return { uuid: item };
      if (object === "storage_vol") {
        return sooner(targets.parent(object, (args ?? {}) as Fields, context), (parent) => ({ name: item, ...parent }));
      }
      return targets.resolve(object, { name: item }, context);
    }
    default:
      // Statistics come with the object that they are of.
      return targets.ofMessage(object, item) ?? targetOf(object, item as Fields);
  }
}
