import { resolve } from "node:path";
import { remoteDescription } from "../../../generated/remote/index.ts";
import type { AnyProcedure } from "../../../rpc/index.ts";
import type { CallContext } from "../../../server/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import { operationFailed } from "../driver-errors.ts";
import type { Host } from "../host.ts";
import { systemError } from "../system-error.ts";
import { domainState } from "./domain-state.ts";
import { lockFolder } from "./folder-lock.ts";
import { objectStates } from "./object-state.ts";
import { storageStates } from "./storage-state.ts";
import { Store } from "./store.ts";
import type { StoreFiles } from "./store-files.ts";

type AnyHandler = (args: unknown, context: CallContext) => unknown;

const procedures: Readonly<Record<string, AnyProcedure>> = remoteDescription.procedures;
const READ_RIGHTS = /^[^:]+:(none|getattr|read|read_secure|search_[a-z_]+)(:|$)/;

/** Keeps a host's state in a folder: a call that changes something is answered when the disk has the change. */
export class Persistence {
  readonly #store: Store;
  readonly #unlock: () => void;
  #closed = false;
  /** Whether the folder has never been a host's. */
  readonly isFresh: boolean;

  /**
   * Gives a host, which must have nothing yet, what the folder has.
   *
   * @throws {StateError} where another process has the folder, or where something in it cannot be read
   */
  constructor(host: Host, folder: string, files?: StoreFiles) {
    this.#store = new Store(folder, files);
    this.#unlock = lockFolder(resolve(folder));
    try {
      this.isFresh = !this.#restore(host);
    } catch (error) {
      this.#unlock();
      throw error;
    }
  }

  /** @returns whether the folder was a host's */
  #restore(host: Host): boolean {
    let known = false;
    // The first to be read and the last to be written. Without it no call was ever answered from this folder, and what a
    // host starts with is there in part only.
    this.#store.add({
      kind: "host",
      objects: () => [{ key: "host", xml: "", extra: {} }],
      restore() {
        known = true;
      },
    });
    for (const source of [domainState(host), ...objectStates(host), ...storageStates(host)]) {
      this.#store.add(source, known);
    }
    return known;
  }

  /** Resolves when the disk has what the host is now. @throws {VirtError} VIR_ERR_SYSTEM_ERROR */
  async sync(): Promise<void> {
    if (this.#closed) throw operationFailed("the host has been shut down");
    try {
      await this.#store.sync();
    } catch (error) {
      throw systemError(error, "cannot save the state of the host");
    }
  }

  /** Writes for the last time, and lets others have the folder. @throws {VirtError} VIR_ERR_SYSTEM_ERROR */
  async close(): Promise<void> {
    this.#closed = true;
    try {
      await this.#store.close();
    } catch (error) {
      throw systemError(error, "cannot save the state of the host");
    } finally {
      this.#unlock();
    }
  }

  /** The handlers, those that may change something followed by `sync`; their streams, too. */
  follow(handlers: DriverHandlers): DriverHandlers {
    const followed = Object.entries(handlers).map(([name, handler]) => {
      const reads = procedures[name]?.acl.every((rule) => READ_RIGHTS.test(rule)) === true;
      return [name, reads ? handler : this.#followed(handler as AnyHandler)] as const;
    });
    return Object.fromEntries(followed) as DriverHandlers;
  }

  #followed(handler: AnyHandler): AnyHandler {
    const then = async <T>(work: () => T | Promise<T>): Promise<T> => {
      try {
        return await work();
      } finally {
        await this.sync(); // after a failure, too: it may have changed something before
      }
    };
    return (args, context) => {
      const { session, signal, procedure } = context;
      const stream: CallContext["stream"] = (run, options) => context.stream((each) => then(() => run(each)), options);
      return then(() => handler(args, { session, signal, procedure, stream }));
    };
  }
}
