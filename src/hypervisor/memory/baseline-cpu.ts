import { VirErrorDomain, VirErrorNumber } from "../../generated/libvirt/index.ts";
import { type VirtError, virtError } from "../../rpc/index.ts";
import { child, children, descendant, type Element, escapeXml, parseXml, textOf } from "./xml.ts";

const cpuError = (code: number, detail: string): VirtError => virtError(code, VirErrorDomain.VIR_FROM_CPU, detail);

interface HostCpu {
  readonly arch: string | undefined;
  readonly model: string;
  readonly vendor: string | undefined;
  readonly features: ReadonlySet<string>;
}

/**
 * The processor that all of those have in them: their model and the features that each has. Models are not broken up
 * into their features, so all must be of one model.
 *
 * @param xmls `<cpu>` of hosts; or hosts' `<capabilities>` with one inside.
 * @throws {VirtError} where they are none, or differ in model, vendor or architecture.
 */
export function baselineCpu(xmls: readonly string[]): string {
  const all = xmls.map(readHostCpu);
  const [first] = all;
  if (first === undefined) throw cpuError(VirErrorNumber.VIR_ERR_INVALID_ARG, "No CPUs given");
  for (const cpu of all) {
    if (cpu.arch !== first.arch) {
      throw cpuError(VirErrorNumber.VIR_ERR_CONFIG_UNSUPPORTED, `CPUs have incompatible architectures`);
    }
    if (cpu.vendor !== first.vendor) {
      throw cpuError(VirErrorNumber.VIR_ERR_OPERATION_FAILED, "CPU vendors do not match");
    }
    if (cpu.model !== first.model) {
      throw cpuError(VirErrorNumber.VIR_ERR_OPERATION_FAILED, "CPUs are incompatible");
    }
  }
  const features = [...first.features].filter((name) => all.every((cpu) => cpu.features.has(name)));
  const lines = [
    `  <model fallback='forbid'>${escapeXml(first.model)}</model>`,
    ...(first.vendor === undefined ? [] : [`  <vendor>${escapeXml(first.vendor)}</vendor>`]),
    ...features.map((name) => `  <feature policy='require' name='${escapeXml(name)}'/>`),
  ];
  return `<cpu mode='custom' match='exact'>\n${lines.join("\n")}\n</cpu>\n`;
}

function readHostCpu(xml: string): HostCpu {
  const root = parseXml(xml, "CPU_definition");
  const cpu = root.tagName === "cpu" ? root : findCpu(root);
  if (cpu === undefined)
    throw cpuError(VirErrorNumber.VIR_ERR_XML_ERROR, "XML does not contain expected 'cpu' element");
  const model = textOf(cpu, "model");
  if (model === undefined || model === "") {
    throw cpuError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, "Missing CPU model name");
  }
  const features = children(cpu, "feature").map((feature) => feature.getAttribute("name") ?? "");
  if (features.includes("")) throw cpuError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, "Invalid CPU feature name");
  return { arch: textOf(cpu, "arch"), model, vendor: textOf(cpu, "vendor"), features: new Set(features) };
}

function findCpu(root: Element): Element | undefined {
  return child(root, "cpu") ?? descendant(root, "host", "cpu");
}
