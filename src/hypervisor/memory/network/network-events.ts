import { VirNetworkEventID } from "../../../generated/libvirt/index.ts";
import {
  type NonnullNetwork,
  networkEventCallbackMetadataChange,
  networkEventLifecycle,
} from "../../../generated/remote/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import { EventRegistrations } from "../event-registrations.ts";
import { formatUuid } from "../uuid.ts";

/** Who wants to hear of networks, and what they are told. */
export class NetworkEvents {
  readonly registrations = new EventRegistrations({
    event: "network event",
    callback: "network event callback",
    ids: Object.keys(VirNetworkEventID).length,
  });

  /** @param event a VirNetworkEventLifecycleType */
  lifecycle(net: NonnullNetwork, event: number): void {
    const { VIR_NETWORK_EVENT_ID_LIFECYCLE } = VirNetworkEventID;
    for (const { session, callbackID } of this.#wanting(VIR_NETWORK_EVENT_ID_LIFECYCLE, net)) {
      session.send(networkEventLifecycle, { callbackID, net, event, detail: 0 });
    }
  }

  /** @param type a VirNetworkMetadataType */
  metadataChange(net: NonnullNetwork, type: number, nsuri: string | null): void {
    const { VIR_NETWORK_EVENT_ID_METADATA_CHANGE } = VirNetworkEventID;
    for (const { session, callbackID } of this.#wanting(VIR_NETWORK_EVENT_ID_METADATA_CHANGE, net)) {
      session.send(networkEventCallbackMetadataChange, { callbackID, net, type, nsuri });
    }
  }

  #wanting(eventID: number, { uuid }: NonnullNetwork) {
    return this.registrations.wanting(eventID, formatUuid(uuid));
  }
}

/** Registering for events of networks. */
export function networkEventProcedures({ registrations }: NetworkEvents) {
  return {
    connectNetworkEventRegisterAny: ({ eventID, net }, { session }) => ({
      callbackID: registrations.register(session, eventID, net === null ? undefined : formatUuid(net.uuid)),
    }),
    connectNetworkEventDeregisterAny({ callbackID }, { session }) {
      registrations.deregister(session, callbackID);
    },
  } satisfies DriverHandlers;
}
