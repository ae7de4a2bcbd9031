import { VirErrorNumber, VirSecretEventID, VirSecretEventLifecycleType } from "../../../generated/libvirt/index.ts";
import {
  type NonnullSecret,
  REMOTE_SECRET_LIST_MAX,
  secretEventLifecycle,
  secretEventValueChanged,
} from "../../../generated/remote/index.ts";
import { EventRegistrations } from "../event-registrations.ts";
import { formatUuid } from "../uuid.ts";
import { type SecretDefinition, secretError } from "./secret-xml.ts";

/** A secret: what it is for, and its value, which nothing prints. */
export class Secret {
  definition: SecretDefinition;
  #value: Uint8Array | undefined;

  constructor(definition: SecretDefinition) {
    this.definition = definition;
  }

  /** How it is named on the wire. */
  get reference(): NonnullSecret {
    const { uuid, usageType, usageID } = this.definition;
    return { uuid, usageType, usageID };
  }

  get value(): Uint8Array | undefined {
    return this.#value;
  }

  /** Keeps a copy, and wipes what was there. */
  set value(value: Uint8Array | undefined) {
    this.#value?.fill(0);
    this.#value = value === undefined ? undefined : Uint8Array.from(value);
  }
}

/** The secrets of a host, and who hears of them. libvirt's test driver has none: the rules are its secret driver's. */
export class Secrets {
  readonly registrations = new EventRegistrations({
    event: "secret event",
    callback: "secret event callback",
    ids: Object.keys(VirSecretEventID).length,
  });
  readonly #byUuid = new Map<string, Secret>();

  [Symbol.iterator](): IterableIterator<Secret> {
    return this.#byUuid.values();
  }

  /** @throws {VirtError} VIR_ERR_NO_SECRET. */
  find({ uuid }: Pick<NonnullSecret, "uuid">): Secret {
    const found = this.#byUuid.get(formatUuid(uuid));
    if (found !== undefined) return found;
    throw secretError(VirErrorNumber.VIR_ERR_NO_SECRET, `no secret with matching uuid '${formatUuid(uuid)}'`);
  }

  /** @throws {VirtError} VIR_ERR_NO_SECRET. */
  byUsage(usageType: number, usageID: string): Secret {
    const found = this.#usedFor(usageType, usageID);
    if (found !== undefined) return found;
    throw secretError(VirErrorNumber.VIR_ERR_NO_SECRET, `no secret with matching usage '${usageID}'`);
  }

  /**
   * Defines a secret, or defines it anew, its value kept.
   *
   * @throws {VirtError} where its usage is another's, or it would no longer be private.
   * @source virSecretObjListAdd, libvirt src/conf/virsecretobj.c.
   */
  define(definition: SecretDefinition): Secret {
    const { usageType, usageID } = definition;
    const uuid = formatUuid(definition.uuid);
    const other = usageID === "" ? undefined : this.#usedFor(usageType, usageID);
    let secret = this.#byUuid.get(uuid);
    if (secret !== undefined) {
      const before = secret.definition;
      if (before.usageID !== usageID) {
        throw internal(`a secret with UUID ${uuid} is already defined for use with ${before.usageID || "(null)"}`);
      }
      if (before.private && !definition.private) throw internal("cannot change private flag on existing secret");
      if (other !== undefined && other !== secret) throw taken(other);
      secret.definition = definition;
    } else {
      if (other !== undefined) throw taken(other);
      if (this.#byUuid.size >= REMOTE_SECRET_LIST_MAX) {
        throw internal(`a host has at most ${REMOTE_SECRET_LIST_MAX} secrets`); // more could not be listed
      }
      secret = new Secret(definition);
      this.#byUuid.set(uuid, secret);
    }
    this.#lifecycle(secret, VirSecretEventLifecycleType.VIR_SECRET_EVENT_DEFINED);
    return secret;
  }

  setValue(secret: Secret, value: Uint8Array): void {
    secret.value = value;
    const { VIR_SECRET_EVENT_ID_VALUE_CHANGED } = VirSecretEventID;
    for (const { session, callbackID } of this.#wanting(VIR_SECRET_EVENT_ID_VALUE_CHANGED, secret)) {
      session.send(secretEventValueChanged, { callbackID, secret: secret.reference });
    }
  }

  undefine(secret: Secret): void {
    this.#byUuid.delete(formatUuid(secret.definition.uuid));
    secret.value = undefined;
    this.#lifecycle(secret, VirSecretEventLifecycleType.VIR_SECRET_EVENT_UNDEFINED);
  }

  #usedFor(usageType: number, usageID: string): Secret | undefined {
    return [...this].find(({ definition }) => definition.usageType === usageType && definition.usageID === usageID);
  }

  #lifecycle(secret: Secret, event: number): void {
    for (const { session, callbackID } of this.#wanting(VirSecretEventID.VIR_SECRET_EVENT_ID_LIFECYCLE, secret)) {
      session.send(secretEventLifecycle, { callbackID, secret: secret.reference, event, detail: 0 });
    }
  }

  #wanting(eventID: number, { definition }: Secret) {
    return this.registrations.wanting(eventID, formatUuid(definition.uuid));
  }
}

function taken({ definition: { uuid, usageID } }: Secret) {
  return internal(`a secret with UUID ${formatUuid(uuid)} already defined for use with ${usageID}`);
}

function internal(detail: string) {
  return secretError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, detail);
}
