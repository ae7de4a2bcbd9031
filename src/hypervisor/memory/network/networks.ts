import { NetworkEvents } from "./network-events.ts";
import { NetworkList } from "./network-list.ts";

/** The networks of a host, and who hears of them. */
export class Networks {
  readonly list = new NetworkList();
  readonly events = new NetworkEvents();
}
