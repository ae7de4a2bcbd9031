import type { VirDrvFeature } from "../generated/libvirt/index.ts";
import { connectSupportsFeature } from "../generated/remote/index.ts";
import type { Caller } from "../xdr/index.ts";

/** CONNECT_SUPPORTS_FEATURE. Always a real call; one that fails ends the migration, as in libvirt. */
export async function supports(host: Caller, feature: VirDrvFeature): Promise<boolean> {
  return (await host.call(connectSupportsFeature, { feature })).supported !== 0;
}

/** Asks both hosts, the second also where the first said no: virDomainMigrate3 does. */
export async function bothSupport(source: Caller, destination: Caller, feature: VirDrvFeature): Promise<boolean> {
  const here = await supports(source, feature);
  const there = await supports(destination, feature);
  return here && there;
}
