import {
  VirDomainCheckpointCreateFlags as Create,
  VirDomainCheckpointDeleteFlags as Delete,
  VirDomainCheckpointListFlags as List,
  VirErrorDomain,
  VirErrorNumber,
  VirDomainCheckpointXMLFlags as Xml,
} from "../../../generated/libvirt/index.ts";
import { type NonnullDomainCheckpoint, REMOTE_DOMAIN_CHECKPOINT_LIST_MAX } from "../../../generated/remote/index.ts";
import { virtError } from "../../../rpc/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import type { Domain } from "../domain.ts";
import { withoutPasswords } from "../domain-xml.ts";
import { checkFlags, driverError, operationFailed } from "../driver-errors.ts";
import { exclusiveFlags, requiredFlag } from "../flags.ts";
import type { Host } from "../host.ts";
import { disksOf } from "../moment/disks.ts";
import type { Checkpoint } from "./checkpoint.ts";
import {
  type CheckpointXml,
  checkpointDisks,
  formatCheckpointXml,
  nameBitmaps,
  parseCheckpointXml,
} from "./checkpoint-xml.ts";

const NO_FLAGS = 0;
const ERRORS = VirErrorDomain.VIR_FROM_DOMAIN_CHECKPOINT;
const { VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE: REDEFINE, VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE: QUIESCE } = Create;
const {
  VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN: WITH_CHILDREN,
  VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY: METADATA_ONLY,
  VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY: CHILDREN_ONLY,
} = Delete;
/** VIR_DOMAIN_CHECKPOINT_LIST_ROOTS of a domain's checkpoints is ..._DESCENDANTS of a checkpoint's. */
const LIST_FLAGS =
  List.VIR_DOMAIN_CHECKPOINT_LIST_ROOTS |
  List.VIR_DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL |
  List.VIR_DOMAIN_CHECKPOINT_LIST_LEAVES |
  List.VIR_DOMAIN_CHECKPOINT_LIST_NO_LEAVES;

/** Checkpoints, as libvirt's test driver has them. @source testDomainCheckpoint*, libvirt src/test/test_driver.c */
export function checkpointProcedures(host: Host) {
  const { domains } = host;

  const found = ({ name, dom }: NonnullDomainCheckpoint): { domain: Domain; checkpoint: Checkpoint } => {
    const domain = domains.find(dom);
    return { domain, checkpoint: named(domain, name) };
  };

  return {
    domainCheckpointCreateXml({ dom, xmlDesc, flags }) {
      const both = ["VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE", "VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE"] as const;
      exclusiveFlags(flags, Create, both, ERRORS);
      const needs = [
        "VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE",
        "VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE",
      ] as const;
      requiredFlag(flags, Create, needs, ERRORS);
      checkFlags(flags, REDEFINE | QUIESCE, "virDomainCheckpointCreateXML");
      const domain = domains.find(dom);
      if (domain.snapshots.size > 0) throw unsupported("cannot create checkpoint while snapshot exists");
      if (domain.guest === undefined) throw unsupported("cannot create checkpoint for inactive domain");
      const given = parseCheckpointXml(xmlDesc, (flags & REDEFINE) !== 0);
      const checkpoint = (flags & REDEFINE) === 0 ? taken(domain, given, host.clock.date()) : redefined(domain, given);
      return { checkpoint: referenceTo(domain, checkpoint) };
    },

    domainListAllCheckpoints({ dom, needResults, flags }) {
      const domain = domains.find(dom);
      const list = listed(domain, undefined, flags, "virDomainListAllCheckpoints");
      const checkpoints = needResults === 0 ? [] : list.map((checkpoint) => referenceTo(domain, checkpoint));
      return { checkpoints, ret: list.length };
    },
    domainCheckpointListAllChildren({ checkpoint: reference, needResults, flags }) {
      const { domain, checkpoint } = found(reference);
      const list = listed(domain, checkpoint, flags, "virDomainCheckpointListAllChildren");
      const checkpoints = needResults === 0 ? [] : list.map((each) => referenceTo(domain, each));
      return { checkpoints, ret: list.length };
    },
    domainCheckpointLookupByName({ dom, name, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainCheckpointLookupByName");
      const domain = domains.find(dom);
      return { checkpoint: referenceTo(domain, named(domain, name)) };
    },
    domainCheckpointGetParent({ checkpoint: reference, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainCheckpointGetParent");
      const { domain, checkpoint } = found(reference);
      const { name, parentName } = checkpoint;
      if (parentName === undefined) throw noCheckpoint(`checkpoint '${name}' does not have a parent`);
      return { parent: { name: parentName, dom: domain.reference } };
    },
    domainCheckpointGetXmlDesc({ checkpoint: reference, flags }) {
      const { VIR_DOMAIN_CHECKPOINT_XML_SECURE, VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN: NO_DOMAIN } = Xml;
      const { VIR_DOMAIN_CHECKPOINT_XML_SIZE: SIZE } = Xml;
      checkFlags(flags, VIR_DOMAIN_CHECKPOINT_XML_SECURE | NO_DOMAIN | SIZE, "virDomainCheckpointGetXMLDesc");
      const { domain, checkpoint } = found(reference);
      // Only a guest knows how much has changed. libvirt's test driver writes no size then, and neither is it here.
      if ((flags & SIZE) !== 0) domain.active;
      const xml = formatCheckpointXml(checkpoint, (flags & NO_DOMAIN) === 0);
      return { xml: (flags & VIR_DOMAIN_CHECKPOINT_XML_SECURE) === 0 ? withoutPasswords(xml) : xml };
    },
    domainCheckpointDelete({ checkpoint: reference, flags }) {
      const both = ["VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN", "VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY"] as const;
      exclusiveFlags(flags, Delete, both, ERRORS);
      checkFlags(flags, WITH_CHILDREN | METADATA_ONLY | CHILDREN_ONLY, "virDomainCheckpointDelete");
      const { domain, checkpoint } = found(reference);
      const what = (flags & WITH_CHILDREN) !== 0 ? "all" : (flags & CHILDREN_ONLY) !== 0 ? "below" : "one";
      domain.checkpoints.delete(checkpoint, what);
    },
  } satisfies DriverHandlers;
}

const noCheckpoint = (detail: string) => driverError(VirErrorNumber.VIR_ERR_NO_DOMAIN_CHECKPOINT, detail);
const unsupported = (detail: string) => driverError(VirErrorNumber.VIR_ERR_OPERATION_UNSUPPORTED, detail);

function named(domain: Domain, name: string): Checkpoint {
  const checkpoint = domain.checkpoints.get(name);
  if (checkpoint === undefined) throw noCheckpoint(`no domain checkpoint with matching name '${name}'`);
  return checkpoint;
}

const referenceTo = (domain: Domain, { name }: Checkpoint): NonnullDomainCheckpoint => ({
  name,
  dom: domain.reference,
});

/** Makes a checkpoint of a domain as it is now. */
function taken(domain: Domain, given: CheckpointXml, date: number): Checkpoint {
  const { checkpoints, definition } = domain;
  const creationTime = BigInt(Math.floor(date / 1000));
  const name = given.name ?? String(creationTime);
  const disks = checkpointDisks(disksOf(definition), given.disks, name);
  const parentName = checkpoints.current?.name;
  const checkpoint: Checkpoint = { ...given, name, creationTime, parentName, disks, definition };
  checkRoom(domain);
  checkpoints.add(checkpoint);
  checkpoints.current = checkpoint;
  return checkpoint;
}

/** @source virDomainCheckpointRedefinePrep and virDomainCheckpointRedefineCommit, libvirt src/conf/checkpoint_conf.c. */
function redefined(domain: Domain, given: CheckpointXml): Checkpoint {
  const { checkpoints } = domain;
  const name = given.name!;
  const { parentName, definition } = given;
  checkpoints.checkParent({ name, parentName });
  if (definition !== undefined && Buffer.compare(definition.uuid, domain.uuid) !== 0) {
    const detail = `definition for checkpoint ${name} must use uuid ${domain.uuidText}`;
    throw virtError(VirErrorNumber.VIR_ERR_INVALID_ARG, ERRORS, detail);
  }
  const disks =
    definition === undefined ? nameBitmaps(given.disks, name) : checkpointDisks(disksOf(definition), given.disks, name);
  const checkpoint: Checkpoint = { ...given, name, creationTime: given.creationTime!, disks };
  const { current } = checkpoints;
  const follows = current === undefined || (parentName !== undefined && current.name === parentName);
  if (checkpoints.get(name) === undefined) {
    checkRoom(domain);
    checkpoints.add(checkpoint);
  } else {
    checkpoints.replace(checkpoint);
  }
  if (follows) checkpoints.current = checkpoint;
  return checkpoint;
}

/** @throws {VirtError} where one more could not be listed */
function checkRoom({ checkpoints }: Domain): void {
  if (checkpoints.size < REMOTE_DOMAIN_CHECKPOINT_LIST_MAX) return;
  throw operationFailed(`a domain has at most ${REMOTE_DOMAIN_CHECKPOINT_LIST_MAX} checkpoints`);
}

function listed(domain: Domain, from: Checkpoint | undefined, flags: number, api: string): Checkpoint[] {
  checkFlags(flags, LIST_FLAGS, api);
  const deep = (flags & List.VIR_DOMAIN_CHECKPOINT_LIST_DESCENDANTS) !== 0;
  const yes = (flags & List.VIR_DOMAIN_CHECKPOINT_LIST_LEAVES) !== 0;
  const no = (flags & List.VIR_DOMAIN_CHECKPOINT_LIST_NO_LEAVES) !== 0;
  return domain.checkpoints.list({
    from,
    direct: from === undefined ? deep : !deep,
    leaves: yes === no ? undefined : yes,
  });
}
