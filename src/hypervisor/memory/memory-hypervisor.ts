import { VirDrvFeature } from "../../generated/libvirt/index.ts";
import type { Hypervisor } from "../hypervisor.ts";
import { eventProcedures } from "./domain-events.ts";
import { domainProcedures } from "./domain-procedures.ts";
import { Host, type MemoryHypervisorOptions } from "./host.ts";
import { hostProcedures } from "./host-procedures.ts";
import { migrationProcedures } from "./migration-procedures.ts";

const TYPE = "virtwire";
const DEFAULT_SCHEMES = ["virtwire", "qemu", "test"];
const PATHS = new Set(["", "/", "/system", "/session", "/default"]);

const features: ReadonlySet<number> = new Set([
  VirDrvFeature.VIR_DRV_FEATURE_MIGRATION_V3,
  VirDrvFeature.VIR_DRV_FEATURE_MIGRATE_CHANGE_PROTECTION,
  VirDrvFeature.VIR_DRV_FEATURE_XML_MIGRATABLE,
  VirDrvFeature.VIR_DRV_FEATURE_MIGRATION_PARAMS,
]);

/**
 * Makes a hypervisor whose guests are bytes in this process's memory. They do nothing, but they can be defined,
 * started, looked at and migrated like real ones.
 */
export function createMemoryHypervisor(options: MemoryHypervisorOptions = {}): Hypervisor {
  const host = new Host(options);
  const schemes = new Set((options.schemes ?? DEFAULT_SCHEMES).map((scheme) => scheme.toLowerCase()));
  return {
    type: TYPE,
    hostname: host.hostname,
    defaultUri: `${[...schemes][0] ?? TYPE}:///system`,
    accepts(uri) {
      const [, scheme, server, path] = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)/.exec(uri) ?? [];
      return scheme !== undefined && server === "" && schemes.has(scheme.toLowerCase()) && PATHS.has(path ?? "");
    },
    supportsFeature: (feature) => features.has(feature),
    procedures: {
      ...hostProcedures(host, TYPE),
      ...domainProcedures(host),
      ...eventProcedures(host.events),
      ...migrationProcedures(host),
    },
    close: () => host.close(),
    [Symbol.asyncDispose]: () => host.close(),
  };
}
