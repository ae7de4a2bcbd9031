import type { Connection } from "../connection.ts";
import { formatUUID } from "../uuid.ts";

/**
 * An object of a daemon: a connection, and how procedures name the object. It holds no resources of the daemon, which
 * finds the object again on every call.
 */
export abstract class ApiObject<Ref> {
  readonly connection: Connection;
  #ref: Ref;

  constructor(connection: Connection, ref: Ref) {
    this.connection = connection;
    this.#ref = ref;
  }

  /** How procedures name the object: `conn.remote.domainGetInfo({ dom: domain.ref })`. */
  get ref(): Ref {
    return this.#ref;
  }

  /** vir…GetConnect */
  getConnect(): Connection {
    return this.connection;
  }

  /** For methods after which the object is named otherwise. */
  protected setRef(ref: Ref): void {
    this.#ref = ref;
  }
}

/** An object that has a UUID. */
export abstract class UniqueObject<Ref extends { readonly uuid: Uint8Array }> extends ApiObject<Ref> {
  /** vir…GetUUID: 16 bytes, a copy. */
  getUUID(): Uint8Array {
    return this.ref.uuid.slice();
  }

  /** vir…GetUUIDString: `6695eb01-f6a4-8304-79aa-97f2502e193f`. */
  getUUIDString(): string {
    return formatUUID(this.ref.uuid);
  }
}
