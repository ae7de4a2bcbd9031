/** The generated `types` of all programs as one table by the name in the `.x` file. */
import { admin, keepalive, lock, log, lxc, netmessage, qemu, remote } from "../../src/generated/index.ts";
import type { XdrType } from "../../src/xdr/index.ts";
import type { ProtocolName } from "./facts.ts";

export const generated = { netmessage, keepalive, remote, qemu, lxc, admin, lock, log } satisfies Record<
  ProtocolName,
  unknown
>;

export const registry: ReadonlyMap<string, XdrType<unknown>> = new Map(
  Object.values(generated).flatMap((program) =>
    Object.entries((program as { types?: Record<string, XdrType<unknown>> }).types ?? {}),
  ),
);

export function typeNamed(name: string): XdrType<unknown> {
  const type = registry.get(name);
  if (type === undefined) throw new Error(`no generated type ${name}`);
  return type;
}
