import type { DriverHandlers } from "../../hypervisor.ts";
import type { Host } from "../host.ts";

/** With the zero that ends it. */
const LABEL = new TextEncoder().encode("libvirt-test\0");
const NO_LABEL = new Uint8Array(1);

/** Security labels, as the test driver has them. A host of its own has no security model, and gives none. */
export function securityProcedures({ domains, node }: Host) {
  const labelOf = (isActive: boolean) =>
    isActive && node.isTest ? { label: LABEL, enforcing: 1 } : { label: NO_LABEL, enforcing: 0 };
  return {
    domainGetSecurityLabel: ({ dom }) => labelOf(domains.find(dom).guest !== undefined),
    domainGetSecurityLabelList({ dom }) {
      const label = labelOf(domains.find(dom).guest !== undefined);
      const labels = node.isTest ? [label] : [];
      return { labels, ret: labels.length };
    },
  } satisfies DriverHandlers;
}
