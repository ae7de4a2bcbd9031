import { type CpuSet, formatCpuSet, parseCpuSet } from "../cpu-map.ts";
import { ensure } from "../domain-edit.ts";
import { append, child, children, descendant, type Element, newElement } from "../xml.ts";

/** Where each virtual processor may run: `<vcpupin>`, else `<vcpu cpuset>`. */
export function vcpuPins(root: Element): (vcpu: number) => CpuSet | undefined {
  return pins(root, "vcpupin", "vcpu");
}

/** Where each I/O thread may run: `<iothreadpin>`, else `<vcpu cpuset>`. */
export function iothreadPins(root: Element): (iothread: number) => CpuSet | undefined {
  return pins(root, "iothreadpin", "iothread");
}

/** `<emulatorpin>`, else `<vcpu cpuset>`. */
export function emulatorPin(root: Element): CpuSet | undefined {
  return cpusetOf(descendant(root, "cputune", "emulatorpin")) ?? defaultPin(root);
}

export function pinVcpu(root: Element, vcpu: number, cpus: CpuSet): void {
  setPin(root, "vcpupin", "vcpu", vcpu, cpus);
}

export function pinEmulator(root: Element, cpus: CpuSet): void {
  const cputune = ensure(root, "cputune");
  let element = child(cputune, "emulatorpin");
  if (element === undefined) {
    element = newElement(root, "emulatorpin");
    append(cputune, element);
  }
  element.setAttribute("cpuset", formatCpuSet(cpus));
}

export function pinIothread(root: Element, iothread: number, cpus: CpuSet): void {
  setPin(root, "iothreadpin", "iothread", iothread, cpus);
}

/** Of an I/O thread that goes. */
export function unpinIothread(root: Element, iothread: number): void {
  const element = pinElement(root, "iothreadpin", "iothread", iothread);
  element?.parentNode?.removeChild(element);
}

function defaultPin(root: Element): CpuSet | undefined {
  return cpusetOf(child(root, "vcpu"));
}

/** The elements are found once: there may be as many as ids to look for. Of what they say, one is kept at a time. */
function pins(root: Element, name: string, key: string): (id: number) => CpuSet | undefined {
  const cputune = child(root, "cputune");
  const elements = cputune === undefined ? [] : children(cputune, name);
  const byId = new Map(elements.reverse().map((element) => [element.getAttribute(key), element])); // the first counts
  const otherwise = defaultPin(root);
  return (id) => cpusetOf(byId.get(`${id}`)) ?? otherwise;
}

function cpusetOf(element: Element | undefined): CpuSet | undefined {
  const text = element?.getAttribute("cpuset") ?? "";
  return text === "" ? undefined : parseCpuSet(text);
}

function pinElement(root: Element, name: string, key: string, id: number): Element | undefined {
  const cputune = child(root, "cputune");
  return cputune && children(cputune, name).find((each) => each.getAttribute(key) === `${id}`);
}

function setPin(root: Element, name: string, key: string, id: number, cpus: CpuSet): void {
  let element = pinElement(root, name, key, id);
  if (element === undefined) {
    element = newElement(root, name);
    element.setAttribute(key, `${id}`);
    append(ensure(root, "cputune"), element);
  }
  element.setAttribute("cpuset", formatCpuSet(cpus));
}
