import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { type AnyHandler, type AnyProcedure, virtError } from "../rpc/index.ts";
import type { AccessPolicy, AccessTarget } from "./access.ts";
import { filtered } from "./access-filter.ts";
import { type Right, rightsOf } from "./access-right.ts";
import { AccessTargets, isLookup } from "./access-target.ts";
import { type AuditOptions, aboutClient, audit } from "./audit.ts";
import { loginOf } from "./authentication.ts";
import { handlerOf, type ServedProgram } from "./program.ts";
import type { CallContext, ClientIdentity, Session } from "./session.ts";
import { allSooner, everySooner, sooner } from "./sooner.ts";

/** So often a policy is asked again about a call because its object has become another one meanwhile. */
const MAX_CHANGES = 3;

/** The kinds of objects that events are about. */
const EVENT_OBJECTS = ["domain", "network", "storage_pool", "secret", "node_device"];

/**
 * Puts a policy before the handlers of programs: all rights that a procedure's file names must be given, for the object that
 * the call is about; lists and events leave out what the client may not see. Without a policy they stay as they are.
 * @source gendispatch.pl's *EnsureACL and *CheckACL, libvirt src/rpc
 */
export function guard(
  programs: readonly ServedProgram[],
  policy: AccessPolicy | undefined,
  options: AuditOptions = {},
): readonly ServedProgram[] {
  if (policy === undefined) return programs;
  const targets = new AccessTargets(programs);
  return programs.map((program) =>
    program.access === false ? program : new Guard(program, policy, targets, options).program(),
  );
}

class Guard {
  readonly #program: ServedProgram;
  readonly #policy: AccessPolicy;
  readonly #targets: AccessTargets;
  readonly #options: AuditOptions;
  readonly #driver: string;

  constructor(program: ServedProgram, policy: AccessPolicy, targets: AccessTargets, options: AuditOptions) {
    this.#program = program;
    this.#policy = policy;
    this.#targets = targets;
    this.#options = options;
    this.#driver = program.driver ?? program.description.name;
  }

  program(): ServedProgram {
    const { description } = this.#program;
    const guarded: Record<string, AnyHandler<CallContext>> = {};
    for (const [key, procedure] of Object.entries(description.procedures)) {
      const handler = handlerOf(this.#program, key);
      if (handler !== undefined) guarded[key] = this.#handler(procedure, handler);
    }
    return { ...this.#program, handlers: guarded };
  }

  #handler(procedure: AnyProcedure, handler: AnyHandler<CallContext>): AnyHandler<CallContext> {
    const rights = rightsOf(procedure);
    if (rights.length === 0) return handler;
    const [filter] = procedure.aclFilter;
    const run = filter === undefined ? handler : this.#filtered(filter, procedure, handler);
    const check = (right: Right, target: AccessTarget, context: CallContext) =>
      sooner(this.#allows(right, target, context.session), (allowed) => {
        this.#audit(allowed, procedure, right, target, context);
        return allowed;
      });
    const refused = () => {
      throw virtError(
        VirErrorNumber.VIR_ERR_ACCESS_DENIED,
        VirErrorDomain.VIR_FROM_ACCESS,
        `'${this.#driver}' denied access`,
      );
    };
    if (isLookup(procedure)) {
      return (args: unknown, context: CallContext) =>
        sooner(identityOf(context), () =>
          sooner(run(args, context) as unknown, (ret) => {
            const needed = rights.filter(({ applies }) => applies(args));
            const found = ({ object }: Right) => this.#targets.ofMessage(object, ret) ?? {};
            const verdict = everySooner(needed, (right) => check(right, found(right), context));
            return sooner(verdict, (allowed) => (allowed ? ret : refused()));
          }),
        );
    }
    return (args: unknown, context: CallContext) =>
      sooner(identityOf(context), () => {
        const { session } = context;
        this.#filterEvents(session);
        const needed = rights.filter(({ applies }) => applies(args));
        const find = () =>
          allSooner(needed.map(({ object }) => this.#targets.ofCall(object, procedure, args, context)));
        const decide = (targets: readonly AccessTarget[], changes: number): boolean | Promise<boolean> => {
          const verdict = everySooner([...needed.entries()], ([at, right]) =>
            check(right, targets[at] as AccessTarget, context),
          );
          if (!(verdict instanceof Promise)) return verdict;
          // What it was asked about may have got another name while it thought.
          return verdict.then((allowed) => {
            if (!allowed || session.closed) return false;
            return sooner(find(), (now) => isSame(now, targets) || (changes > 0 && decide(now, changes - 1)));
          });
        };
        const verdict = sooner(find(), (targets) => decide(targets, MAX_CHANGES));
        return sooner(verdict, (allowed) => (allowed ? (run(args, context) as unknown) : refused()));
      });
  }

  #filtered(rule: string, procedure: AnyProcedure, handler: AnyHandler<CallContext>): AnyHandler<CallContext> {
    const [object = "", permission = ""] = rule.split(":");
    const visible = (target: AccessTarget, context: CallContext) =>
      sooner(identityOf(context), () => this.#allows({ object, permission }, target, context.session));
    return filtered(object, procedure, handler, this.#program, this.#targets, visible);
  }

  /** Events are sent on connections that have asked for them, by calls that came through here. */
  #filterEvents(session: Session): void {
    session.eventFilter ??= (message) => this.#isForClient(session, message);
  }

  #isForClient(session: Session, message: unknown): boolean | Promise<boolean> {
    for (const object of EVENT_OBJECTS) {
      const target = this.#targets.ofMessage(object, message);
      if (target === undefined) continue;
      return this.#allows({ object, permission: "getattr" }, target, session);
    }
    return true; // about the connection itself
  }

  #allows(
    { object, permission }: Pick<Right, "object" | "permission">,
    target: AccessTarget,
    { client, identity, signal }: Session,
  ): boolean | Promise<boolean> {
    try {
      const unidentified = identity.transport === "unix" && client.unixUserId === undefined;
      const driver = this.#driver;
      const verdict = this.#policy.allows({ client, unidentified, driver, object, permission, target, signal });
      return verdict instanceof Promise ? verdict.then((allowed) => allowed === true, no) : verdict === true;
    } catch {
      return false;
    }
  }

  #audit(
    allowed: boolean,
    { name }: AnyProcedure,
    { object, permission }: Right,
    target: AccessTarget,
    { session }: CallContext,
  ): void {
    if (allowed && this.#options.auditAllowed !== true) return;
    const about = target.name ?? target.uuid ?? target.key;
    audit(this.#options, {
      type: allowed ? "allowed" : "denied",
      ...aboutClient(session),
      procedure: name,
      right: `${object}:${permission}`,
      ...(about !== undefined && { object: about.slice(0, 256) }), // of nothing that exists: the client's words
    });
  }
}

const no = () => false;

function isSame(one: readonly AccessTarget[], other: readonly AccessTarget[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function identityOf({ session }: CallContext): ClientIdentity | Promise<ClientIdentity> {
  return loginOf(session).identified ?? loginOf(session).identify();
}
