import { VirNetMessageStatus } from "../generated/netmessage/index.ts";
import { type EventProcedure, XdrReader } from "../xdr/index.ts";
import { channels, type EventDiagnostics } from "./diagnostics.ts";
import type { Header } from "./header.ts";
import type { DropReason } from "./peer-options.ts";
import { harmless } from "./uncaught.ts";

interface Listener {
  // biome-ignore lint/suspicious/noExplicitAny: each event has its own type; `add` gives the typed view
  readonly event: EventProcedure<any>;
  readonly deliver: (message: unknown) => void;
}

/** Who listens to the events of the other side. */
export class EventListeners {
  readonly #all = new Map<string, Set<Listener>>();

  /** @returns what takes the listener back */
  add<Msg>(event: EventProcedure<Msg>, deliver: (message: Msg) => void): () => void {
    const key = keyOf(event.program.number, event.program.version, event.number);
    const listener: Listener = { event, deliver: deliver as (message: unknown) => void };
    const same = this.#all.get(key) ?? new Set();
    this.#all.set(key, same.add(listener));
    return () => {
      if (same.delete(listener) && same.size === 0 && this.#all.get(key) === same) this.#all.delete(key);
    };
  }

  /** The name of the event that a message is, where somebody listens to it. */
  nameOf({ prog, vers, proc }: Header): string | undefined {
    return this.#all
      .get(keyOf(prog, vers, proc))
      ?.values()
      .next().value?.event.name;
  }

  /** Hands a message to its listeners. @returns why it was dropped, if it was */
  deliver({ prog, vers, proc, status }: Header, payload: Uint8Array, connection: string): DropReason | undefined {
    const listeners = this.#all.get(keyOf(prog, vers, proc));
    const first = listeners?.values().next().value;
    if (listeners === undefined || first === undefined) return "unknown-message";
    if (channels?.event.hasSubscribers === true) {
      const { program, name: procedure, number } = first.event;
      const bytes = payload.byteLength;
      const data: EventDiagnostics = { connection, program: program.name, procedure, number, bytes };
      channels.event.publish(data);
    }
    if (status !== VirNetMessageStatus.VIR_NET_OK) return "bad-message";
    let message: unknown;
    try {
      message = first.event.msg.decode(new XdrReader(payload));
    } catch {
      return "bad-message";
    }
    for (const listener of [...listeners]) {
      // One may have ended another.
      if (listeners.has(listener)) harmless(() => listener.deliver(message));
    }
    return undefined;
  }

  clear(): void {
    this.#all.clear();
  }
}

function keyOf(program: number, version: number, procedure: number): string {
  return `${program}/${version}/${procedure}`;
}
