import { VirDrvFeature } from "../../generated/libvirt/index.ts";
import type { DriverHandlers, Hypervisor } from "../hypervisor.ts";
import { checkpointProcedures } from "./checkpoint/checkpoint-procedures.ts";
import { consoleProcedures } from "./console/console-procedures.ts";
import { screenshotProcedures } from "./console/screenshot.ts";
import { eventProcedures } from "./domain-events.ts";
import { domainProcedures } from "./domain-procedures.ts";
import { Host, type MemoryHypervisorOptions } from "./host.ts";
import { hostProcedures } from "./host-procedures.ts";
import { interfaceProcedures } from "./interface/interface-procedures.ts";
import { addTestDevices, addTestInventory } from "./inventory.ts";
import { jobProcedures } from "./job-procedures.ts";
import { migrationProcedures } from "./migration-procedures.ts";
import { networkProcedures } from "./network/network-procedures.ts";
import { nodeDeviceProcedures } from "./node-device/node-device-procedures.ts";
import { nwfilterProcedures } from "./nwfilter/nwfilter-procedures.ts";
import { coreDumpProcedures } from "./save/core-dump.ts";
import { managedSaveProcedures } from "./save/managed-save-procedures.ts";
import { saveProcedures } from "./save/save-procedures.ts";
import { secretProcedures } from "./secret/secret-procedures.ts";
import { snapshotProcedures } from "./snapshot/snapshot-procedures.ts";
import { autostart } from "./state/domain-state.ts";
import { Persistence } from "./state/persistence.ts";
import { poolProcedures } from "./storage/pool-procedures.ts";
import { volumeProcedures } from "./storage/volume-procedures.ts";

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
  const persistence = options.stateDir === undefined ? undefined : new Persistence(host, options.stateDir);
  if (options.inventory === "test") {
    if (persistence?.isFresh === false) addTestDevices(host.nodeDevices);
    else addTestInventory(host);
  }
  const { onError = () => {} } = options;
  autostart(host, onError);
  persistence?.sync().catch(onError);
  const schemes = new Set((options.schemes ?? DEFAULT_SCHEMES).map((scheme) => scheme.toLowerCase()));
  const procedures: DriverHandlers = {
    ...hostProcedures(host),
    ...domainProcedures(host),
    ...eventProcedures(host.events),
    ...migrationProcedures(host),
    ...jobProcedures(host),
    ...snapshotProcedures(host),
    ...checkpointProcedures(host),
    ...saveProcedures(host),
    ...managedSaveProcedures(host),
    ...coreDumpProcedures(host),
    ...consoleProcedures(host),
    ...screenshotProcedures(host),
    ...networkProcedures(host),
    ...interfaceProcedures(host.interfaces),
    ...poolProcedures(host),
    ...volumeProcedures(host),
    ...nodeDeviceProcedures(host.nodeDevices),
    ...secretProcedures(host.secrets),
    ...nwfilterProcedures(host.nwfilters),
  };
  const close = async () => {
    try {
      await persistence?.close(); // before the host gives up what it has
    } finally {
      await host.close();
    }
  };
  return {
    type: host.node.driver,
    hostname: host.hostname,
    defaultUri: `${[...schemes][0] ?? TYPE}:///system`,
    accepts(uri) {
      const [, scheme, server, path] = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)/.exec(uri) ?? [];
      return scheme !== undefined && server === "" && schemes.has(scheme.toLowerCase()) && PATHS.has(path ?? "");
    },
    supportsFeature: (feature) => features.has(feature),
    get busy() {
      return [...host.domains].some((domain) => domain.guest !== undefined);
    },
    procedures: persistence?.follow(procedures) ?? procedures,
    close,
    [Symbol.asyncDispose]: close,
  };
}
