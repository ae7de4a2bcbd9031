import { VirDomainSaveRestoreFlags as Save, VirDomainSaveImageXMLFlags } from "../../../generated/libvirt/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import type { Domain } from "../domain.ts";
import { checkAbiStability, parseDomainXml, withoutPasswords } from "../domain-xml.ts";
import { checkFlags, operationInvalid } from "../driver-errors.ts";
import type { Host } from "../host.ts";
import { dropManagedSave, managedSave } from "./managed-save.ts";
import { CHOICE, checkChoice, chosen } from "./save-flags.ts";
import type { SavedGuest } from "./saved-guest.ts";

const NO_FLAGS = 0;

/** Guests that are stopped and go on at the next start. @source libvirt src/test/test_driver.c and src/qemu/qemu_driver.c */
export function managedSaveProcedures(host: Host) {
  const { domains } = host;
  return {
    domainManagedSave({ dom, flags }) {
      checkChoice(flags);
      checkFlags(flags, CHOICE | Save.VIR_DOMAIN_SAVE_BYPASS_CACHE, "virDomainManagedSave");
      managedSave(host, domains.find(dom), undefined, flags);
    },
    domainHasManagedSaveImage({ dom, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainHasManagedSaveImage");
      return { result: domains.find(dom).managedSave === undefined ? 0 : 1 };
    },
    domainManagedSaveRemove({ dom, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainManagedSaveRemove");
      dropManagedSave(domains.find(dom));
    },
    domainManagedSaveGetXmlDesc({ dom, flags }) {
      checkFlags(flags, VirDomainSaveImageXMLFlags.VIR_DOMAIN_SAVE_IMAGE_XML_SECURE, "virDomainManagedSaveGetXMLDesc");
      const { xml } = kept(domains.find(dom)).definition;
      return { xml: flags === 0 ? withoutPasswords(xml) : xml };
    },
    domainManagedSaveDefineXml({ dom, dxml, flags }) {
      checkChoice(flags);
      checkFlags(flags, CHOICE, "virDomainManagedSaveDefineXML");
      const domain = domains.find(dom);
      const saved = kept(domain);
      const definition = dxml === null ? saved.definition : parseDomainXml(dxml);
      checkAbiStability(saved.definition, definition);
      domain.managedSave = { ...saved, definition, running: chosen(flags) ?? saved.running };
    },
  } satisfies DriverHandlers;
}

function kept({ managedSave }: Domain): SavedGuest {
  if (managedSave === undefined) throw operationInvalid("domain does not have managed save image");
  return managedSave;
}
