import {
  VirDomainSnapshotCreateFlags as Create,
  VirDomainSnapshotDeleteFlags as Delete,
  VirDomainSnapshotListFlags as List,
  VirDomainSnapshotRevertFlags as Revert,
  VirDomainShutoffReason,
  VirDomainSnapshotXMLFlags,
  VirErrorDomain,
  VirErrorNumber,
} from "../../../generated/libvirt/index.ts";
import { type NonnullDomainSnapshot, REMOTE_DOMAIN_SNAPSHOT_LIST_MAX } from "../../../generated/remote/index.ts";
import { virtError } from "../../../rpc/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import type { Domain } from "../domain.ts";
import { checkAbiStability, withoutPasswords } from "../domain-xml.ts";
import { checkFlags, driverError, operationFailed, operationInvalid } from "../driver-errors.ts";
import { exclusiveFlags, requiredFlag } from "../flags.ts";
import type { Host } from "../host.ts";
import { checkListCount } from "../list-count.ts";
import { disksOf } from "../moment/disks.ts";
import { revert } from "./revert.ts";
import { isExternal, isOnline, type Snapshot, STATES } from "./snapshot.ts";
import { formatSnapshotXml, parseSnapshotXml, type SnapshotXml, snapshotDisks } from "./snapshot-xml.ts";

const NO_FLAGS = 0;
const ERRORS = VirErrorDomain.VIR_FROM_DOMAIN_SNAPSHOT;
const CREATE_FLAGS =
  Create.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE |
  Create.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT |
  Create.VIR_DOMAIN_SNAPSHOT_CREATE_HALT |
  Create.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE |
  Create.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC |
  Create.VIR_DOMAIN_SNAPSHOT_CREATE_LIVE |
  Create.VIR_DOMAIN_SNAPSHOT_CREATE_VALIDATE;
const REVERT_FLAGS =
  Revert.VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING |
  Revert.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED |
  Revert.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE;
const { VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN: WITH_CHILDREN, VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY: CHILDREN_ONLY } =
  Delete;
const STATUS =
  List.VIR_DOMAIN_SNAPSHOT_LIST_INACTIVE |
  List.VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE |
  List.VIR_DOMAIN_SNAPSHOT_LIST_DISK_ONLY;
/** VIR_DOMAIN_SNAPSHOT_LIST_ROOTS of a domain's snapshots is VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS of a snapshot's. */
const LIST_FLAGS =
  List.VIR_DOMAIN_SNAPSHOT_LIST_ROOTS |
  List.VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL |
  List.VIR_DOMAIN_SNAPSHOT_LIST_LEAVES |
  List.VIR_DOMAIN_SNAPSHOT_LIST_NO_LEAVES |
  List.VIR_DOMAIN_SNAPSHOT_LIST_METADATA |
  List.VIR_DOMAIN_SNAPSHOT_LIST_NO_METADATA |
  List.VIR_DOMAIN_SNAPSHOT_LIST_INTERNAL |
  List.VIR_DOMAIN_SNAPSHOT_LIST_EXTERNAL |
  STATUS;

/** Snapshots, as libvirt's test driver has them. @source testDomainSnapshot*, libvirt src/test/test_driver.c */
export function snapshotProcedures(host: Host) {
  const { domains } = host;

  const found = ({ name, dom }: NonnullDomainSnapshot): { domain: Domain; snapshot: Snapshot } => {
    const domain = domains.find(dom);
    return { domain, snapshot: named(domain, name) };
  };

  const create = (domain: Domain, xml: string, flags: number): Snapshot => {
    const redefine = (flags & Create.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE) !== 0;
    const halt = (flags & Create.VIR_DOMAIN_SNAPSHOT_CREATE_HALT) !== 0;
    if (domain.checkpoints.size > 0) {
      const detail = "cannot create snapshot while checkpoint exists";
      throw driverError(VirErrorNumber.VIR_ERR_OPERATION_UNSUPPORTED, detail);
    }
    if (halt && domain.config === undefined) {
      throw operationInvalid("cannot halt after transient domain snapshot");
    }
    const given = parseSnapshotXml(xml, redefine, (flags & Create.VIR_DOMAIN_SNAPSHOT_CREATE_VALIDATE) !== 0);
    if (redefine) return redefined(domain, given, (flags & Create.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT) !== 0);

    const snapshot = taken(domain, given, host.clock.date());
    checkRoom(domain);
    domain.snapshots.add(snapshot);
    domain.snapshots.current = snapshot;
    if (halt) host.stop(domain, VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT);
    return snapshot;
  };

  return {
    domainSnapshotCreateXml({ dom, xmlDesc, flags }) {
      requiredFlag(
        flags,
        Create,
        ["VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT", "VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE"],
        ERRORS,
      );
      for (const other of ["VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA", "VIR_DOMAIN_SNAPSHOT_CREATE_HALT"] as const) {
        exclusiveFlags(flags, Create, ["VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE", other], ERRORS);
      }
      checkFlags(flags, CREATE_FLAGS, "virDomainSnapshotCreateXML");
      const domain = domains.find(dom);
      return { snap: referenceTo(domain, create(domain, xmlDesc, flags)) };
    },

    domainSnapshotNum({ dom, flags }) {
      return { num: listed(domains.find(dom), undefined, flags, "virDomainSnapshotNum").length };
    },
    domainSnapshotListNames({ dom, maxnames, flags }) {
      checkListCount("maxnames", maxnames, "REMOTE_DOMAIN_SNAPSHOT_LIST_MAX", REMOTE_DOMAIN_SNAPSHOT_LIST_MAX);
      return { names: names(listed(domains.find(dom), undefined, flags, "virDomainSnapshotListNames"), maxnames) };
    },
    domainListAllSnapshots({ dom, needResults, flags }) {
      const domain = domains.find(dom);
      const list = listed(domain, undefined, flags, "virDomainListAllSnapshots");
      const snapshots = needResults === 0 ? [] : list.map((snapshot) => referenceTo(domain, snapshot));
      return { snapshots, ret: list.length };
    },
    domainSnapshotNumChildren({ snap, flags }) {
      const { domain, snapshot } = found(snap);
      return { num: listed(domain, snapshot, flags, "virDomainSnapshotNumChildren").length };
    },
    domainSnapshotListChildrenNames({ snap, maxnames, flags }) {
      checkListCount("maxnames", maxnames, "REMOTE_DOMAIN_SNAPSHOT_LIST_MAX", REMOTE_DOMAIN_SNAPSHOT_LIST_MAX);
      const { domain, snapshot } = found(snap);
      return { names: names(listed(domain, snapshot, flags, "virDomainSnapshotListChildrenNames"), maxnames) };
    },
    domainSnapshotListAllChildren({ snapshot: reference, needResults, flags }) {
      const { domain, snapshot } = found(reference);
      const list = listed(domain, snapshot, flags, "virDomainSnapshotListAllChildren");
      const snapshots = needResults === 0 ? [] : list.map((each) => referenceTo(domain, each));
      return { snapshots, ret: list.length };
    },

    domainSnapshotLookupByName({ dom, name, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainSnapshotLookupByName");
      const domain = domains.find(dom);
      return { snap: referenceTo(domain, named(domain, name)) };
    },
    domainHasCurrentSnapshot({ dom, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainHasCurrentSnapshot");
      return { result: domains.find(dom).snapshots.current === undefined ? 0 : 1 };
    },
    domainSnapshotCurrent({ dom, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainSnapshotCurrent");
      const domain = domains.find(dom);
      const { current } = domain.snapshots;
      if (current === undefined) throw noSnapshot("the domain does not have a current snapshot");
      return { snap: referenceTo(domain, current) };
    },
    domainSnapshotGetParent({ snap, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainSnapshotGetParent");
      const { domain, snapshot } = found(snap);
      const { name, parentName } = snapshot;
      if (parentName === undefined) throw noSnapshot(`snapshot '${name}' does not have a parent`);
      return { snap: { name: parentName, dom: domain.reference } };
    },
    domainSnapshotIsCurrent({ snap, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainSnapshotIsCurrent");
      const { domain, snapshot } = found(snap);
      return { current: domain.snapshots.current === snapshot ? 1 : 0 };
    },
    domainSnapshotHasMetadata({ snap, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainSnapshotHasMetadata");
      found(snap);
      return { metadata: 1 }; // all that this driver knows of a snapshot
    },
    domainSnapshotGetXmlDesc({ snap, flags }) {
      checkFlags(flags, VirDomainSnapshotXMLFlags.VIR_DOMAIN_SNAPSHOT_XML_SECURE, "virDomainSnapshotGetXMLDesc");
      const { domain, snapshot } = found(snap);
      const xml = formatSnapshotXml(snapshot, domain.uuidText);
      return { xml: flags === 0 ? withoutPasswords(xml) : xml };
    },

    domainRevertToSnapshot({ snap, flags }) {
      const both = ["VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING", "VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED"] as const;
      exclusiveFlags(flags, Revert, both, ERRORS);
      checkFlags(flags, REVERT_FLAGS, "virDomainRevertToSnapshot");
      const { domain, snapshot } = found(snap);
      return revert(host, domain, snapshot, flags);
    },
    domainSnapshotDelete({ snap, flags }) {
      const both = ["VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN", "VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY"] as const;
      exclusiveFlags(flags, Delete, both, ERRORS);
      checkFlags(flags, WITH_CHILDREN | CHILDREN_ONLY, "virDomainSnapshotDelete");
      const { domain, snapshot } = found(snap);
      const what = (flags & WITH_CHILDREN) !== 0 ? "all" : (flags & CHILDREN_ONLY) !== 0 ? "below" : "one";
      domain.snapshots.delete(snapshot, what);
    },
  } satisfies DriverHandlers;
}

const noSnapshot = (detail: string) => driverError(VirErrorNumber.VIR_ERR_NO_DOMAIN_SNAPSHOT, detail);

function named(domain: Domain, name: string): Snapshot {
  const snapshot = domain.snapshots.get(name);
  if (snapshot === undefined) throw noSnapshot(`no domain snapshot with matching name '${name}'`);
  return snapshot;
}

const referenceTo = (domain: Domain, { name }: Snapshot): NonnullDomainSnapshot => ({ name, dom: domain.reference });

const names = (snapshots: readonly Snapshot[], max: number) => snapshots.slice(0, max).map(({ name }) => name);

/** The snapshot that is to be made of a domain as it is now. */
function taken(domain: Domain, given: SnapshotXml, date: number): Snapshot {
  if (given.disks.some(({ snapshot }) => snapshot === "manual")) {
    const detail = "'manual' snapshot mode is not supported by the test driver";
    throw driverError(VirErrorNumber.VIR_ERR_OPERATION_UNSUPPORTED, detail);
  }
  const creationTime = BigInt(Math.floor(date / 1000));
  const { definition } = domain;
  const state = STATES[domain.shown[0]] ?? "nostate";
  const external = given.memory === "external";
  return {
    ...given,
    name: given.name ?? String(creationTime),
    creationTime,
    parentName: domain.snapshots.current?.name,
    state,
    memory: external ? "external" : state === "shutoff" ? "no" : "internal",
    disks: snapshotDisks(disksOf(definition), given.disks, external ? "external" : "internal"),
    definition,
  };
}

/** @source virDomainSnapshotRedefinePrep, libvirt src/conf/snapshot_conf.c. */
function redefined(domain: Domain, given: SnapshotXml, current: boolean): Snapshot {
  const { snapshots } = domain;
  const name = given.name!;
  snapshots.checkParent({ name, parentName: given.parentName });
  const other = snapshots.get(name);
  const refuse = (detail: string) => virtError(VirErrorNumber.VIR_ERR_INVALID_ARG, ERRORS, detail);
  if (given.definition !== undefined && Buffer.compare(given.definition.uuid, domain.uuid) !== 0) {
    throw refuse(`definition for snapshot ${name} must use uuid ${domain.uuidText}`);
  }
  const definition = given.definition ?? other?.definition;
  const snapshot = { ...given, name, creationTime: given.creationTime!, state: given.state!, definition };
  if (other !== undefined) {
    if (isOnline(other) !== isOnline(snapshot)) {
      throw refuse(`cannot change between online and offline snapshot state in snapshot ${name}`);
    }
    if ((other.state === "disk-snapshot") !== (snapshot.state === "disk-snapshot")) {
      throw refuse(`cannot change between disk only and full system in snapshot ${name}`);
    }
    if (other.definition !== undefined && given.definition !== undefined) {
      checkAbiStability(other.definition, given.definition);
    }
  } else {
    checkRoom(domain);
  }
  if (definition === undefined) {
    throw virtError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, ERRORS, "missing domain in snapshot");
  }
  const location = snapshot.state === "disk-snapshot" || isExternal(snapshot) ? "external" : "internal";
  const whole: Snapshot = { ...snapshot, disks: snapshotDisks(disksOf(definition), given.disks, location) };
  if (other === undefined) snapshots.add(whole);
  else snapshots.replace(whole);
  if (current) snapshots.current = whole;
  return whole;
}

/** @throws {VirtError} where one more could not be listed */
function checkRoom({ snapshots }: Domain): void {
  if (snapshots.size < REMOTE_DOMAIN_SNAPSHOT_LIST_MAX) return;
  throw operationFailed(`a domain has at most ${REMOTE_DOMAIN_SNAPSHOT_LIST_MAX} snapshots`);
}

function listed(domain: Domain, from: Snapshot | undefined, flags: number, api: string): Snapshot[] {
  checkFlags(flags, LIST_FLAGS, api);
  const has = (flag: number) => (flags & flag) !== 0;
  const metadata = has(List.VIR_DOMAIN_SNAPSHOT_LIST_METADATA);
  if (has(List.VIR_DOMAIN_SNAPSHOT_LIST_NO_METADATA) && !metadata) return [];
  const leaves = either(has(List.VIR_DOMAIN_SNAPSHOT_LIST_LEAVES), has(List.VIR_DOMAIN_SNAPSHOT_LIST_NO_LEAVES));
  const internal = either(has(List.VIR_DOMAIN_SNAPSHOT_LIST_INTERNAL), has(List.VIR_DOMAIN_SNAPSHOT_LIST_EXTERNAL));
  const deep = has(List.VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS);
  return domain.snapshots.list({
    from,
    direct: from === undefined ? deep : !deep,
    leaves,
    fits: (snapshot) =>
      (!has(STATUS) || has(statusOf(snapshot))) && (internal === undefined || internal !== isExternal(snapshot)),
  });
}

/** What two flags ask for that are each other's contrary: together, and without either, nothing. */
function either(yes: boolean, no: boolean): boolean | undefined {
  return yes === no ? undefined : yes;
}

function statusOf({ state }: Snapshot): number {
  if (state === "shutoff") return List.VIR_DOMAIN_SNAPSHOT_LIST_INACTIVE;
  if (state === "disk-snapshot") return List.VIR_DOMAIN_SNAPSHOT_LIST_DISK_ONLY;
  return List.VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE;
}
