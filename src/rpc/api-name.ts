import { VirErrorDomain } from "../generated/libvirt/index.ts";
import type { ProgramId } from "../xdr/index.ts";

/** Words of a C name that are not simply capitalised. The first part is gendispatch.pl's list, in its order. */
const words: readonly (readonly [RegExp, string])[] = [
  [/Nwfilter/, "NWFilter"],
  [/Xml$/, "XML"],
  [/Uri$/, "URI"],
  [/Uuid$/, "UUID"],
  [/Id$/, "ID"],
  [/Mac$/, "MAC"],
  [/Cpu$/, "CPU"],
  [/Os$/, "OS"],
  [/Nmi$/, "NMI"],
  [/Pm/, "PM"],
  [/Fstrim$/, "FSTrim"],
  [/Fsfreeze$/, "FSFreeze"],
  [/Fsthaw$/, "FSThaw"],
  [/Fsinfo$/, "FSInfo"],
  [/Iothread$/, "IOThread"],
  [/Scsi/, "SCSI"],
  [/Wwn$/, "WWN"],
  [/Dhcp$/, "DHCP"],
  // Functions written by hand in libvirt.
  [/Fd$/, "FD"],
  [/Sev$/, "SEV"],
  [/Ssh$/, "SSH"],
  [/Threadpool$/, "ThreadPool"],
];

/** What one line of C says about an object: which domain its errors have. First match counts. */
const domains: readonly (readonly [RegExp, keyof typeof VirErrorDomain])[] = [
  [/CHECKPOINT/, "VIR_FROM_DOMAIN_CHECKPOINT"],
  [/SNAPSHOT/, "VIR_FROM_DOMAIN_SNAPSHOT"],
  [/NWFILTER/, "VIR_FROM_NWFILTER"],
  [/STORAGE/, "VIR_FROM_STORAGE"],
  [/NODE_DEVICE|_DEVICES$/, "VIR_FROM_NODEDEV"],
  [/^SECRET|SECRETS|CONNECT_SECRET/, "VIR_FROM_SECRET"],
  [/^INTERFACE|CONNECT.*INTERFACE/, "VIR_FROM_INTERFACE"],
  [/NETWORK/, "VIR_FROM_NETWORK"],
  [/DOMAIN/, "VIR_FROM_DOMAIN"],
];

interface Named {
  readonly program: ProgramId;
  readonly name: string;
}

/**
 * The C function of a procedure, which error texts name: `DOMAIN_GET_XML_DESC` is `virDomainGetXMLDesc`.
 * @source name_to_ProcName, libvirt src/rpc/gendispatch.pl
 */
export function apiName({ program, name }: Named): string {
  let api = "";
  for (const word of name.split("_")) {
    let part = word.charAt(0) + word.slice(1).toLowerCase();
    for (const [from, to] of words) part = part.replace(from, to);
    api += part;
  }
  if (program.name === "QEMU") api = api.replace("Domain", "DomainQemu");
  else if (program.name === "LXC") api = api.replace("Domain", "DomainLxc");
  else if (program.name === "ADMIN") api = `Adm${api}`;
  return `vir${api}`;
}

/** The virErrorDomain of errors that the C function of a procedure raises by itself: VIR_FROM_THIS of its file. */
export function apiDomain({ program, name }: Named): number {
  if (program.name === "ADMIN") return VirErrorDomain.VIR_FROM_ADMIN;
  if (program.name !== "REMOTE") return VirErrorDomain.VIR_FROM_NONE;
  const found = domains.find(([pattern]) => pattern.test(name));
  return VirErrorDomain[found?.[1] ?? "VIR_FROM_NONE"];
}
