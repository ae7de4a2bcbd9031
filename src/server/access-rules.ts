import { matchesGlob } from "../auth/server.ts";
import { lxcDescription } from "../generated/lxc/index.ts";
import { qemuDescription } from "../generated/qemu/index.ts";
import { remoteDescription } from "../generated/remote/index.ts";
import type { AccessPolicy, AccessRequest } from "./access.ts";
import { parseRight } from "./access-right.ts";

/**
 * One line of a policy. It speaks of a call when one of the clients that it names calls (all, where it names none), one
 * of its rights is needed, and the object has one of its names (any object, where it names none).
 */
export interface AccessRule {
  /** Takes the rights away, where later rules would give them. Default false. */
  readonly deny?: boolean;
  /** Globs of names that the system has for the process at the other end of a unix socket, or user numbers. */
  readonly unixUsers?: readonly string[];
  /** Globs of the groups of that process' user. */
  readonly unixGroups?: readonly string[];
  /** Globs of names that clients have proved by SASL. */
  readonly saslUsers?: readonly string[];
  /** Globs of names in TLS certificates: `C=GB,O=example,CN=*`. */
  readonly certificates?: readonly string[];
  /** `domain:read`, `domain:*`, `*:getattr`, `*`. */
  readonly rights: readonly string[];
  /** Globs of names and UUIDs. Rights to the connection as such have no object, and are given by rules without this. */
  readonly names?: readonly string[];
  /** Globs of names of the pool, for volumes, or of the network, for its ports. */
  readonly within?: readonly string[];
}

const WHO = ["unixUsers", "unixGroups", "saslUsers", "certificates"] as const;
const KEYS = [...WHO, "rights", "names", "within"] as const;

/**
 * A policy of rules. The first one that speaks of a call decides; where none does, the call is refused. What a call will
 * be about cannot always be told beforehand (a saved image may hold any guest): then rules with names do not give, and do
 * take away.
 * @throws {TypeError} which names the rule and what is wrong in it
 */
export function accessRules(rules: readonly AccessRule[]): AccessPolicy {
  for (const [at, rule] of rules.entries()) check(rule, at);
  return {
    allows(request) {
      const rule = rules.find((candidate) => speaksOf(candidate, request));
      return rule !== undefined && rule.deny !== true;
    },
  };
}

/** Kinds of objects that have UUIDs alone. */
const NAMELESS = new Set(["secret", "network_port"]);

function speaksOf(rule: AccessRule, request: AccessRequest): boolean {
  const { object, permission, target } = request;
  if (!isMeant(rule, request) || !any(rule.rights, `${object}:${permission}`)) return false;
  if (object === "connect") return rule.names === undefined && rule.within === undefined;
  const { names, within, deny } = rule;
  const hidesName = deny === true && target.name === undefined && !NAMELESS.has(object);
  return (
    (names === undefined || hidesName || isAmong(names, [target.name, target.uuid], rule)) &&
    (within === undefined || isAmong(within, [target.pool, target.network], rule))
  );
}

/** Whether one of the values matches; where none is known, only what takes away does. */
function isAmong(
  globs: readonly string[],
  values: readonly (string | undefined)[],
  { deny = false }: AccessRule,
): boolean {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? deny : known.some((value) => any(globs, value));
}

/** What takes rights away also means whoever may be somebody that it names. */
function isMeant(rule: AccessRule, { client, unidentified = false }: AccessRequest): boolean {
  if (WHO.every((key) => rule[key] === undefined)) return true;
  if (unidentified && rule.deny === true && (rule.unixUsers ?? rule.unixGroups) !== undefined) return true;
  const { unixUserName, unixUserId, unixGroups = [], saslUserName, tlsDistinguishedName } = client;
  return (
    (unixUserName !== undefined && any(rule.unixUsers, unixUserName)) ||
    (unixUserId !== undefined && rule.unixUsers?.includes(String(unixUserId)) === true) ||
    unixGroups.some((group) => any(rule.unixGroups, group)) ||
    (saslUserName !== undefined && any(rule.saslUsers, saslUserName)) ||
    (tlsDistinguishedName !== undefined && any(rule.certificates, tlsDistinguishedName))
  );
}

function any(globs: readonly string[] | undefined, text: string): boolean {
  return globs?.some((glob) => matchesGlob(glob, text)) === true;
}

let known: ReadonlySet<string> | undefined;

/** All rights that the programs' files name. */
export function knownRights(): ReadonlySet<string> {
  known ??= new Set(
    [remoteDescription, qemuDescription, lxcDescription]
      .flatMap(({ procedures }) => Object.values(procedures))
      .flatMap(({ acl, aclFilter }) => [...acl, ...aclFilter])
      .filter((rule) => rule !== "none")
      .map(parseRight)
      .map(({ object, permission }) => `${object}:${permission}`),
  );
  return known;
}

function check(rule: AccessRule, at: number): void {
  const fault = (detail: string) => new TypeError(`access rule ${at + 1}: ${detail}`);
  if (typeof rule !== "object" || rule === null) throw fault("not an object");
  for (const [key, value] of Object.entries(rule)) {
    if (key === "deny" && typeof value === "boolean") continue;
    if (!(KEYS as readonly string[]).includes(key))
      throw fault(`${key}: there is no such setting, or not of that type`);
    const texts = Array.isArray(value) && value.every((text) => typeof text === "string");
    if (value !== undefined && !texts) throw fault(`${key}: a list of texts wanted`);
  }
  if (rule.rights === undefined) throw fault("rights: missing");
  for (const right of rule.rights) {
    // A program of one's own may have others, which are then written with their object in full: gadget:frob.
    const object = right.split(":")[0] as string;
    const libvirts = [...knownRights()].some((name) => name.startsWith(`${object}:`));
    const matches = [...knownRights()].some((name) => matchesGlob(right, name));
    if (!matches && (libvirts || !/^\w+:[\w*?]+$/.test(right))) throw fault(`rights: there is none like ${right}`);
  }
}
