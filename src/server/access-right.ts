import * as libvirt from "../generated/libvirt/index.ts";
import type { AnyProcedure } from "../rpc/index.ts";

/** What a call needs, from a line `@acl` of a `.x` file. */
export interface Right {
  readonly object: string;
  readonly permission: string;
  /** Whether a call with these arguments needs it. */
  readonly applies: (args: unknown) => boolean;
}

let constants: ReadonlyMap<string, number> | undefined;

/** The constants of libvirt's headers by name. */
function constantOf(name: string): number | undefined {
  constants ??= new Map(
    Object.values(libvirt as Readonly<Record<string, unknown>>)
      .filter((value): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null)
      .flatMap((values) => Object.entries(values))
      .filter((entry): entry is [string, number] => typeof entry[1] === "number"),
  );
  return constants.get(name);
}

const always = () => true;

/**
 * Where the file's annotation is not what libvirt's drivers ask for. This one is `domain:read` in remote_protocol.x; the
 * driver hands it on to the function with flags, which wants the right to change guests.
 * @source qemuDomainSetSchedulerParameters, libvirt src/qemu/qemu_driver.c
 */
const corrected: Readonly<Record<string, readonly string[]>> = {
  REMOTE_DOMAIN_SET_SCHEDULER_PARAMETERS: ["domain:write"],
};

/**
 * The rights that a procedure's calls need, all of them. Where its file says nothing about rights, the procedure is a
 * right of its own: nobody has it unless a policy says so.
 */
export function rightsOf({ program, name, acl: annotated }: AnyProcedure): readonly Right[] {
  const acl = corrected[`${program.name}_${name}`] ?? annotated;
  if (acl.length === 0)
    return [{ object: program.name.toLowerCase(), permission: name.toLowerCase(), applies: always }];
  return acl.filter((rule) => rule !== "none").map(parseRight);
}

/**
 * `object:permission`, and when it is needed: `:FLAG|FLAG` with all of these flags set, `:!FLAG|FLAG` with none of them,
 * `::parameter:VALUE` with that value. A condition that cannot be judged counts as given.
 */
export function parseRight(rule: string): Right {
  const [object = "", permission = "", flags = "", parameter = "", value = ""] = rule.split(":");
  if (parameter !== "") {
    const wanted = constantOf(value);
    const given = (args: unknown) => Number((args as Readonly<Record<string, unknown>>)[parameter]);
    return { object, permission, applies: wanted === undefined ? always : (args) => given(args) === wanted };
  }
  if (flags === "") return { object, permission, applies: always };
  const bits = flags.replace("!", "").split("|").map(constantOf);
  if (bits.includes(undefined)) return { object, permission, applies: always };
  const mask = bits.reduce((all: bigint, bit) => all | BigInt(bit as number), 0n);
  const wanted = flags.startsWith("!") ? 0n : mask;
  return { object, permission, applies: (args) => (flagsOf(args) & mask) === wanted };
}

function flagsOf(args: unknown): bigint {
  const { flags } = args as { readonly flags?: number | bigint };
  return BigInt(flags ?? 0);
}
