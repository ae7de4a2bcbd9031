import { type CoreConnection, parseVersion, VirtError } from "../../client/index.ts";
import { VirErrorDomain, VirErrorNumber } from "../../generated/libvirt/index.ts";
import { connectGetLibVersion } from "../../generated/remote/index.ts";
import { virtError } from "../../rpc/index.ts";
import { bodyOf, type EventKind, type Heard } from "./event-kind.ts";
import { type EventGap, EventStream, type EventStreamOptions } from "./event-stream.ts";
import { type EventSink, Registrations, type Wanted } from "./registrations.ts";

/** What has events of its own: how it is registered for, and how its messages name it. */
export interface EventSource<Ref, Target> {
  /** The field of a message that names the object, and what it is called in an event. */
  readonly field: string;
  readonly as: string;
  readonly open: (ref: Ref) => Target;
  /** The same for the same object. */
  readonly identify: (ref: Ref) => string;
  readonly register: (eventID: number, of: Ref | null) => Promise<number>;
  /** @param signal says that the connection to the daemon was lost, and what was registered with it */
  readonly deregister: (callbackID: number, signal: AbortSignal) => Promise<void>;
  /** Reads what else is not as users want it. */
  readonly convert?: (body: Record<string, unknown>) => void;
}

/** What is registered: one kind of event of one object, or of all. */
export interface EventChoice {
  readonly kind: string;
  readonly id: number;
  readonly heard: Heard<object>;
  /** Messages without callback ids, as an old daemon sends them for all objects at once. */
  readonly legacy: boolean;
}

export type EventListener<Event> = (event: Event | EventGap) => void;

/** The events of one kind of object on one connection. */
export class ObjectEvents<Ref, Target extends { readonly ref: Ref }> {
  readonly #connection: CoreConnection;
  readonly #source: EventSource<Ref, Target>;
  readonly #registrations = new Registrations();

  constructor(connection: CoreConnection, source: EventSource<Ref, Target>) {
    this.#connection = connection;
    this.#source = source;
  }

  /** Resolves when the daemon has agreed. */
  async stream<Event>(
    choice: EventChoice,
    of: Target | undefined,
    options: EventStreamOptions = {},
  ): Promise<EventStream<Event>> {
    let stop = async () => {};
    const stream = new EventStream<Event>(options, () => stop());
    const offClose = this.#connection.onClose((_, error) => stream.end(error));
    const sink = this.#sink<Event>(
      choice,
      of,
      (event) => stream.push(event),
      (error) => {
        offClose();
        stream.end(error);
      },
    );
    let left: Promise<void> | undefined;
    try {
      const leave = await this.#registrations.add(this.#wanted(choice, of), sink, options.signal);
      stop = () => {
        offClose();
        left ??= leave();
        return left;
      };
    } catch (error) {
      offClose();
      stream.end();
      throw error;
    }
    if (options.signal?.aborted) void stop().catch(() => {});
    return stream;
  }

  /** Resolves when the daemon has agreed. @returns what takes it back */
  listen<Event>(
    choice: EventChoice,
    of: Target | undefined,
    listener: EventListener<Event>,
    signal?: AbortSignal,
  ): Promise<() => Promise<void>> {
    const lost = () => listener({ kind: "gap", reason: "lost", missed: undefined });
    return this.#registrations.add(this.#wanted(choice, of), this.#sink(choice, of, listener, lost), signal);
  }

  /** After the connection was lost and is back. */
  renew(): Promise<void> {
    return this.#registrations.renew();
  }

  #wanted({ id, heard, legacy }: EventChoice, of: Target | undefined): Wanted {
    const ref = of === undefined || legacy ? null : of.ref;
    return {
      key: `${id} ${ref === null ? "" : this.#source.identify(ref)}`,
      register: async () => {
        try {
          return await this.#source.register(id, ref);
        } catch (error) {
          throw await this.#explained(heard.event, error);
        }
      },
      deregister: async (callbackID, signal) => {
        // A connection that is lost took its registrations along: nobody has to wait for the next.
        if (this.#connection.state === "open") await this.#source.deregister(callbackID, signal);
      },
      event: heard.event,
      listen: (deliver) => {
        heard.on(this.#connection, (message) => {
          deliver(legacy ? id : (message as { callbackID: number }).callbackID, message);
        });
      },
    };
  }

  /** VIR_ERR_NO_SUPPORT where the daemon is older than the kind of event: it calls that an internal error. */
  async #explained({ name, since }: Heard<object>["event"], error: unknown): Promise<unknown> {
    const internal = error instanceof VirtError && error.code === VirErrorNumber.VIR_ERR_INTERNAL_ERROR;
    if (!internal || since === undefined) return error;
    try {
      const { libVer } = await this.#connection.call(connectGetLibVersion, undefined);
      if (libVer >= parseVersion(since)) return error;
    } catch {
      return error;
    }
    const detail = `${name} needs libvirt ${since}, the daemon is older`;
    return virtError(VirErrorNumber.VIR_ERR_NO_SUPPORT, VirErrorDomain.VIR_FROM_REMOTE, detail, { cause: error });
  }

  #sink<Event>(
    choice: EventChoice,
    of: Target | undefined,
    take: EventListener<Event>,
    failed: (error: Error) => void,
  ): EventSink {
    const { field, as, open, identify, convert } = this.#source;
    const only = of !== undefined && choice.legacy ? identify(of.ref) : undefined;
    return {
      message: (message) => {
        const { [field]: ref, ...body } = bodyOf(message as object);
        if (only !== undefined && identify(ref as Ref) !== only) return;
        convert?.(body);
        take({ kind: choice.kind, [as]: open(ref as Ref), ...body } as Event);
      },
      gap: (reason) => take({ kind: "gap", reason, missed: undefined }),
      failed,
    };
  }
}

/** A kind of event by its name, or by its number as the C API's functions take it. */
export function choiceOf(
  kinds: Readonly<Record<string, EventKind<object>>>,
  which: string | number,
  legacy = false,
): EventChoice | undefined {
  for (const [kind, each] of Object.entries(kinds)) {
    if (kind !== which && each.id !== which) continue;
    const heard = legacy ? each.legacy : each;
    return heard && { kind, id: each.id, heard, legacy };
  }
  return undefined;
}
