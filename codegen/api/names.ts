/** What classes and methods are called. */

/** A kind of object: what a C handle stands for. */
export interface Kind {
  /** `virDomainPtr` */
  readonly handle: string;
  /** The class: `Domain`. */
  readonly name: string;
  /** What the C functions of its own begin with, behind `vir`. */
  readonly prefix: string;
  /** The file in `src/api/generated/` without its extension, and in `src/api/base/` what it extends. */
  readonly file: string;
  /** How procedures refer to it: the struct in the `.x` file. */
  readonly struct: string | undefined;
}

const kind = (name: string, file: string, struct: string): Kind => ({
  handle: `vir${name}Ptr`,
  name,
  prefix: name,
  file,
  struct: `remote_nonnull_${struct}`,
});

export const connection: Kind = {
  handle: "virConnectPtr",
  name: "ConnectMethods",
  prefix: "Connect",
  file: "connect-methods",
  struct: undefined,
};

/** In the order of libvirt's headers. */
export const kinds: readonly Kind[] = [
  connection,
  kind("Domain", "domain", "domain"),
  kind("DomainCheckpoint", "domain-checkpoint", "domain_checkpoint"),
  kind("DomainSnapshot", "domain-snapshot", "domain_snapshot"),
  kind("Interface", "interface", "interface"),
  kind("Network", "network", "network"),
  kind("NetworkPort", "network-port", "network_port"),
  kind("NodeDevice", "node-device", "node_device"),
  kind("NWFilter", "nwfilter", "nwfilter"),
  kind("NWFilterBinding", "nwfilter-binding", "nwfilter_binding"),
  kind("Secret", "secret", "secret"),
  kind("StoragePool", "storage-pool", "storage_pool"),
  kind("StorageVol", "storage-vol", "storage_vol"),
];

export function kindOf(handle: string | undefined): Kind | undefined {
  return kinds.find((each) => each.handle === handle);
}

/**
 * The method of a C function, in two rules.
 *
 * 1. `vir` and the kind of the object that it is called on go: `virDomainGetInfo` is `domain.getInfo`,
 *    `virConnectListAllDomains` is `conn.listAllDomains`, and `virNodeGetInfo`, which is about no kind, `conn.nodeGetInfo`.
 *    A snapshot is a domain's too: `virDomainRevertToSnapshot` is `snapshot.revertToSnapshot`.
 * 2. What returns an object by looking it up, defining or creating it has the verb first: `virNetworkLookupByName` is
 *    `conn.lookupNetworkByName`, `virStorageVolCreateXML` is `pool.createStorageVolXML`. Guests are what a
 *    connection is about: defining and creating one does not name it, `conn.defineXML`, `conn.createXML`.
 */
export function methodName(name: string, returns: string, receiver: Kind): string {
  const bare = name.replace(/^vir/, "");
  const prefix = [receiver.prefix, owner(receiver)].find((each) => each !== "" && startsWithWords(bare, each)) ?? "";
  const rest = bare.slice(prefix.length);
  const made = kindOf(returns) === undefined ? null : /^(\w+?)(Lookup|Define|Create)(?=By|SCSI|XML)(\w+)$/.exec(rest);
  if (made === null) return lowerFirst(rest);
  const [, object = "", verb = "", how = ""] = made;
  const guest = receiver === connection && object === "Domain" && verb !== "Lookup";
  return `${lowerFirst(verb)}${guest ? "" : object}${how}`;
}

/** `GetInfo` becomes `getInfo`; a leading abbreviation goes as a whole: `FSTrim` becomes `fsTrim`. */
export function lowerFirst(name: string): string {
  return name.replace(/^[A-Z]+(?![a-z])|^[A-Z]/, (start) => start.toLowerCase());
}

/** The kind that another one's name begins with: `Domain` of `DomainSnapshot`. */
function owner({ prefix }: Kind): string {
  return kinds.find((other) => other.prefix !== prefix && startsWithWords(prefix, other.prefix))?.prefix ?? "";
}

function startsWithWords(name: string, start: string): boolean {
  return name.startsWith(start) && /^[A-Z]/.test(name.slice(start.length));
}
