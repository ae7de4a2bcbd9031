import { resolve } from "node:path";
import {
  VirDomainSaveRestoreFlags as Save,
  VirDomainJobOperation,
  VirDomainSaveImageXMLFlags,
  VirDomainShutoffReason,
} from "../../../generated/libvirt/index.ts";
import type { TypedParam } from "../../../generated/remote/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import type { Domain } from "../domain.ts";
import { checkAbiStability, type DomainDefinition, parseDomainXml, withoutPasswords } from "../domain-xml.ts";
import { checkFlags, invalidArgument, notRunning } from "../driver-errors.ts";
import { runJob } from "../guest-job.ts";
import type { Host } from "../host.ts";
import { checkParams } from "../typed-parameters.ts";
import { READ, readerOf, replaceWhole, withFile, writeWhole } from "./image-file.ts";
import { managedSave } from "./managed-save.ts";
import { restoreInto } from "./restore.ts";
import { CHOICE, checkChoice, chosen } from "./save-flags.ts";
import { blocksOf, encodeImage, ImageReader, loadBlocks } from "./save-image.ts";

/** There is no cache to bypass, and no NVRAM to reset. */
const SAVE_FLAGS = CHOICE | Save.VIR_DOMAIN_SAVE_BYPASS_CACHE;
const RESTORE_FLAGS = SAVE_FLAGS | Save.VIR_DOMAIN_SAVE_RESET_NVRAM;
const PARAMS = { file: "string", dxml: "string" } as const;

/**
 * Guests saved to files and restored from them.
 *
 * @source testDomainSave* and testDomainRestore*, libvirt src/test/test_driver.c; flags and changed XML, which that
 *   driver has not, as in src/qemu/qemu_driver.c.
 */
export function saveProcedures(host: Host) {
  const { domains } = host;

  const save = (domain: Domain, file: string, dxml: string | null, flags: number, api: string): Promise<void> => {
    checkChoice(flags);
    checkFlags(flags, SAVE_FLAGS, api);
    const path = resolve(file);
    const changed = dxml === null ? undefined : parseDomainXml(dxml);
    const { VIR_DOMAIN_JOB_OPERATION_SAVE } = VirDomainJobOperation;
    return runJob(host, domain, VIR_DOMAIN_JOB_OPERATION_SAVE, "domain save job", async (job) => {
      const { guest } = job;
      const { definition, memory } = guest;
      if (changed !== undefined) checkAbiStability(definition, changed);
      const running = chosen(flags) ?? guest.state === "running";
      const image = encodeImage(
        { definition: changed ?? definition, running, memorySize: memory.size },
        blocksOf(memory.bytes),
      );
      await writeWhole(path, `saving domain '${domain.name}' to '${path}'`, image, (bytes) => {
        job.job.moved(Math.min(bytes, job.job.total - job.job.processed));
        job.check();
      });
      if (domain.guest !== guest) throw notRunning();
      host.stop(domain, VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_SAVED);
    });
  };

  const restore = (file: string, dxml: string | null, flags: number, api: string): Promise<void> => {
    checkChoice(flags);
    checkFlags(flags, RESTORE_FLAGS, api);
    return opened(file, async (reader) => {
      const definition = changedBy(reader.header.definition, dxml);
      const domain = domains.claim(definition, "inactive");
      const running = chosen(flags) ?? reader.header.running;
      await restoreInto(host, domain, definition, running, (target) => loadBlocks(reader, target));
    });
  };

  return {
    domainSave: ({ dom, to }) => save(domains.find(dom), to, null, 0, "virDomainSave"),
    domainSaveFlags: ({ dom, to, dxml, flags }) => save(domains.find(dom), to, dxml, flags, "virDomainSaveFlags"),
    domainSaveParams({ dom, params, flags }) {
      const { file, dxml } = readParams(params);
      const domain = domains.find(dom);
      if (file !== undefined) return save(domain, file, dxml ?? null, flags, "virDomainSaveParams");
      checkFlags(flags, SAVE_FLAGS, "virDomainSaveParams");
      managedSave(host, domain, dxml === undefined ? undefined : parseDomainXml(dxml), flags);
    },
    domainRestore: ({ from }) => restore(from, null, 0, "virDomainRestore"),
    domainRestoreFlags: ({ from, dxml, flags }) => restore(from, dxml, flags, "virDomainRestoreFlags"),
    domainRestoreParams({ params, flags }) {
      const { file, dxml } = readParams(params);
      if (file === undefined) throw invalidArgument("missing path to restore from");
      return restore(file, dxml ?? null, flags, "virDomainRestoreParams");
    },

    domainSaveImageGetXmlDesc({ file, flags }) {
      checkFlags(flags, VirDomainSaveImageXMLFlags.VIR_DOMAIN_SAVE_IMAGE_XML_SECURE, "virDomainSaveImageGetXMLDesc");
      const shown = ({ xml }: DomainDefinition) => (flags === 0 ? withoutPasswords(xml) : xml);
      return opened(file, async ({ header }) => ({ xml: shown(header.definition) }));
    },
    domainSaveImageDefineXml({ file, dxml, flags }) {
      checkChoice(flags);
      checkFlags(flags, CHOICE, "virDomainSaveImageDefineXML");
      const path = resolve(file);
      return opened(file, (reader) => {
        const { header } = reader;
        const definition = changedBy(header.definition, dxml);
        const image = encodeImage({ ...header, definition, running: chosen(flags) ?? header.running }, reader.blocks());
        return replaceWhole(path, `saving domain '${definition.name}' to '${path}'`, image);
      });
    },
  } satisfies DriverHandlers;
}

function opened<T>(file: string, use: (reader: ImageReader) => Promise<T>): Promise<T> {
  const path = resolve(file);
  return withFile(path, READ, `cannot read domain image '${path}'`, async (handle) =>
    use(await ImageReader.open(path, readerOf(handle, path))),
  );
}

/** The definition that a guest goes on with: its own, or one that gives it the same hardware. */
function changedBy(definition: DomainDefinition, dxml: string | null): DomainDefinition {
  if (dxml === null) return definition;
  const changed = parseDomainXml(dxml);
  checkAbiStability(definition, changed);
  return changed;
}

function readParams(params: readonly TypedParam[]) {
  const values = checkParams(params, PARAMS);
  return { file: values.string("file"), dxml: values.string("dxml") };
}
