import type { Guest } from "../guest.ts";

/** Who talks with a device of a guest. */
export interface DeviceClient {
  /** Aborted when somebody else takes the device, or when the guest stops. */
  readonly ended: AbortSignal;
  /** Gives the device back. */
  release(): void;
}

/** The clients of a guest's consoles and channels: one for each device. */
class DeviceClients {
  readonly #clients = new Map<string, AbortController>();

  /** @returns undefined where somebody else has the device */
  take(device: string, guest: Guest, force: boolean): DeviceClient | undefined {
    const other = this.#clients.get(device);
    if (other !== undefined && !force) return undefined;
    other?.abort();
    const mine = new AbortController();
    this.#clients.set(device, mine);
    const onGone = () => mine.abort();
    guest.gone.addEventListener("abort", onGone, { once: true });
    return {
      ended: mine.signal,
      release: () => {
        guest.gone.removeEventListener("abort", onGone);
        if (this.#clients.get(device) === mine) this.#clients.delete(device);
      },
    };
  }
}

const clientsOf = new WeakMap<Guest, DeviceClients>();

/**
 * Takes a device of a guest for one client.
 *
 * @param force takes it from who has it.
 * @returns undefined where somebody has it.
 * @source virChrdevOpen, libvirt src/conf/virchrdev.c.
 */
export function takeDevice(guest: Guest, device: string, force: boolean): DeviceClient | undefined {
  const clients = clientsOf.get(guest) ?? new DeviceClients();
  clientsOf.set(guest, clients);
  return clients.take(device, guest, force);
}
