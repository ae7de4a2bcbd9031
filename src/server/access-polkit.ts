import { VirSecretUsageType } from "../generated/libvirt/index.ts";
import type { AccessPolicy, AccessRequest } from "./access.ts";
import { checkPolkit, type PolkitOptions } from "./polkit.ts";

/** Programs that ask at once. A list of a thousand guests is a thousand questions, and so are events. */
const MAX_AT_ONCE = 8;

const usages: Readonly<Record<number, string>> = {
  [VirSecretUsageType.VIR_SECRET_USAGE_TYPE_VOLUME]: "secret_usage_volume",
  [VirSecretUsageType.VIR_SECRET_USAGE_TYPE_CEPH]: "secret_usage_ceph",
  [VirSecretUsageType.VIR_SECRET_USAGE_TYPE_ISCSI]: "secret_usage_target",
  [VirSecretUsageType.VIR_SECRET_USAGE_TYPE_TLS]: "secret_usage_name",
};

/**
 * A policy of polkit's rules, with libvirt's actions and details: `org.libvirt.api.domain.read`, `domain_name`. Clients that
 * are not at a unix socket are no processes, and are refused everything, as by libvirt. Each question starts a program.
 * @source libvirt src/access/viraccessdriverpolkit.c
 */
export function polkitAccess(options: PolkitOptions = {}): AccessPolicy {
  const turns = new Turns(MAX_AT_ONCE);
  return {
    async allows(request) {
      const { object, permission, client, signal } = request;
      const action = `org.libvirt.api.${object}.${permission}`.replaceAll("_", "-");
      const question = { action, client, details: detailsOf(request), interactive: false, signal };
      await turns.take(() => checkPolkit(question, options));
      return true; // it rejects otherwise, and that is a no
    },
  };
}

/** Lets so many pieces of work be in progress at once; the others wait, in the order they came. */
class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async take(work: () => Promise<void>): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      await work();
    } finally {
      const next = this.#waiting.shift(); // which gets this one's place
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

/** What rules may look at. Parts that are not known are left out. */
function detailsOf({ driver, object, target }: AccessRequest): readonly (readonly [string, string])[] {
  const { name, uuid, pool, key, network, networkUuid, mac, usageType = 0, usageId, filter } = target;
  const details: Readonly<Record<string, Readonly<Record<string, string | undefined>>>> = {
    domain: { domain_name: name, domain_uuid: uuid },
    interface: { interface_name: name, interface_macaddr: mac },
    network: { network_name: name, network_uuid: uuid },
    network_port: { network_name: network, network_uuid: networkUuid, port_uuid: uuid },
    node_device: { node_device_name: name },
    nwfilter: { nwfilter_name: name, nwfilter_uuid: uuid },
    nwfilter_binding: { nwfilter_binding_portdev: name, nwfilter_binding_filter: filter },
    secret: { secret_uuid: uuid, ...(usages[usageType] && { [usages[usageType] as string]: usageId }) },
    storage_pool: { pool_name: name, pool_uuid: uuid },
    storage_vol: { pool_name: pool, vol_name: name, vol_key: key },
  };
  return Object.entries({ connect_driver: driver, ...details[object] }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
}
