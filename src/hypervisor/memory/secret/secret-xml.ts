import { VirErrorDomain, VirErrorNumber, VirSecretUsageType } from "../../../generated/libvirt/index.ts";
import { type VirtError, virtError } from "../../../rpc/index.ts";
import { formatUuid, newUuid, parseUuid } from "../uuid.ts";
import { attribute, checkXml, child, type Element, escapeXml, parseXml, textOf } from "../xml.ts";

/** What a secret is for; its value is not in it. */
export interface SecretDefinition {
  readonly uuid: Uint8Array;
  readonly ephemeral: boolean;
  readonly private: boolean;
  readonly description: string | undefined;
  /** virSecretUsageType */
  readonly usageType: number;
  /** "" where there is no usage, as on the wire. */
  readonly usageID: string;
}

const T = VirSecretUsageType;
/** By the name in XML: the type, the element that names what it is for, and what errors say is missing. */
const usages = new Map<string, readonly [type: number, element: string, title: string, what: string]>([
  ["none", [T.VIR_SECRET_USAGE_TYPE_NONE, "", "", ""]],
  ["volume", [T.VIR_SECRET_USAGE_TYPE_VOLUME, "volume", "volume", "volume path"]],
  ["ceph", [T.VIR_SECRET_USAGE_TYPE_CEPH, "name", "Ceph", "name"]],
  ["iscsi", [T.VIR_SECRET_USAGE_TYPE_ISCSI, "target", "iSCSI", "target"]],
  ["tls", [T.VIR_SECRET_USAGE_TYPE_TLS, "name", "TLS", "name"]],
  ["vtpm", [T.VIR_SECRET_USAGE_TYPE_VTPM, "name", "vTPM", "name"]],
]);

/** An error of libvirt's secret driver. */
export function secretError(code: (typeof VirErrorNumber)[keyof typeof VirErrorNumber], detail: string): VirtError {
  return virtError(code, VirErrorDomain.VIR_FROM_SECRET, detail);
}

/**
 * Reads a secret's XML.
 *
 * @throws {VirtError} in libvirt's words.
 * @source virSecretParseXML, libvirt src/conf/secret_conf.c.
 */
export function parseSecretXml(xml: string): SecretDefinition {
  const root = parseXml(xml, "definition_of_secret", "secret");
  const [ephemeral, isPrivate] = (["ephemeral", "private"] as const).map((name) => {
    const value = attribute(root, name);
    if (value === undefined || value === "yes" || value === "no") return value === "yes";
    throw secretError(VirErrorNumber.VIR_ERR_XML_ERROR, `invalid value of '${name}'`);
  }) as [boolean, boolean];
  const uuidText = textOf(root, "uuid");
  const uuid = uuidText === undefined ? newUuid() : parseUuid(uuidText);
  if (uuid === undefined) throw secretError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, "malformed uuid element");
  const usage = child(root, "usage");
  const none = { usageType: T.VIR_SECRET_USAGE_TYPE_NONE, usageID: "" };
  const description = textOf(root, "description");
  const used = usage === undefined ? none : readUsage(usage);
  const definition = { uuid, ephemeral, private: isPrivate, description, ...used };
  checkXml(formatSecretXml(definition));
  return definition;
}

function readUsage(usage: Element): { usageType: number; usageID: string } {
  const name = attribute(usage, "type");
  if (name === undefined) throw secretError(VirErrorNumber.VIR_ERR_XML_ERROR, "unknown secret usage type");
  const known = usages.get(name);
  if (known === undefined) {
    throw secretError(VirErrorNumber.VIR_ERR_CONFIG_UNSUPPORTED, `unknown secret usage type ${name}`);
  }
  const [usageType, element, title, what] = known;
  const usageID = element === "" ? "" : textOf(usage, element);
  if (usageID === undefined) {
    const detail = `${title} usage specified, but ${what} is missing`;
    throw secretError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, detail);
  }
  return { usageType, usageID };
}

/** @source virSecretDefFormat, libvirt src/conf/secret_conf.c. */
export function formatSecretXml(definition: SecretDefinition): string {
  const { uuid, description, usageType, usageID } = definition;
  const yesNo = (value: boolean) => (value ? "yes" : "no");
  const lines = [
    `<secret ephemeral='${yesNo(definition.ephemeral)}' private='${yesNo(definition.private)}'>`,
    `  <uuid>${formatUuid(uuid)}</uuid>`,
  ];
  if (description !== undefined) lines.push(`  <description>${escapeXml(description)}</description>`);
  const [name, [, element] = []] = [...usages].find(([, [type]]) => type === usageType) ?? [];
  if (usageType !== T.VIR_SECRET_USAGE_TYPE_NONE) {
    lines.push(`  <usage type='${name}'>`, `    <${element}>${escapeXml(usageID)}</${element}>`, "  </usage>");
  }
  return `${[...lines, "</secret>"].join("\n")}\n`;
}
