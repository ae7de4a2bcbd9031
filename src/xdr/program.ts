import { lazily } from "./lazily.ts";
import type { ProgramDescription, ProgramId } from "./procedure.ts";

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
