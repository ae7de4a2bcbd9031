import { setMaxListeners } from "node:events";
import type { Session } from "../../server/index.ts";

/**
 * Runs `act` when the client's connection is over; not if it is already.
 *
 * @returns what takes this back.
 */
export function onClientGone({ signal }: Session, act: () => void): () => void {
  setMaxListeners(0, signal); // one client may have any number of guests on their way: that is no leak
  signal.addEventListener("abort", act);
  return () => signal.removeEventListener("abort", act);
}
