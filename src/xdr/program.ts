import { lazily } from "./lazily.ts";
import type { Caller, CallOptions, Procedure, ProgramDescription, ProgramId, StreamProcedure } from "./procedure.ts";
import { decodeVoid } from "./procedure.ts";

/** Makes a program's description; what it lists is put together when it is first looked at. */
export function describeProgram<
  Procedures extends ProgramDescription["procedures"],
  Events extends ProgramDescription["events"],
>(
  program: ProgramId,
  procedures: () => Procedures,
  events: () => Events,
): ProgramId & { readonly procedures: Procedures; readonly events: Events } {
  return { ...program, procedures: lazily(procedures), events: lazily(events) };
}

/**
 * Makes a program's client: a class with a method a procedure, which its interface names. Methods come to be with the
 * first client: to load hundreds of them takes longer than to make them from the descriptors.
 */
export function clientOf<Client extends new (caller: Caller<never>) => object>(program: ProgramDescription): Client {
  let complete = false;
  class ProgramClient {
    readonly #caller: Caller;

    constructor(caller: Caller) {
      this.#caller = caller;
      if (!complete) ProgramClient.#complete();
      complete = true;
    }

    static #complete(): void {
      for (const [name, procedure] of Object.entries(program.procedures)) {
        const value = ProgramClient.#method(procedure);
        Object.defineProperty(ProgramClient.prototype, name, { value, configurable: true, writable: true });
      }
    }

    static #method(procedure: Procedure<unknown, unknown>) {
      const { stream, args } = procedure;
      const call =
        stream === undefined
          ? (client: ProgramClient, args: unknown, options?: CallOptions) =>
              client.#caller.call(procedure, args, options)
          : (client: ProgramClient, args: unknown, options?: CallOptions) =>
              client.#caller.open(procedure as StreamProcedure<unknown, unknown>, args, options);
      if (args.decode === decodeVoid) {
        return function (this: ProgramClient, options?: CallOptions) {
          return call(this, undefined, options);
        };
      }
      return function (this: ProgramClient, args: unknown, options?: CallOptions) {
        return call(this, args, options);
      };
    }
  }
  return ProgramClient as unknown as Client;
}
