import { child, type Element, insertAfter, newElement, remove, setText } from "./xml.ts";

/** The order in which libvirt writes what is in a domain. */
const ORDER = [
  "name",
  "uuid",
  "genid",
  "title",
  "description",
  "metadata",
  "maxMemory",
  "memory",
  "currentMemory",
  "blkiotune",
  "memtune",
  "memoryBacking",
  "vcpu",
  "vcpus",
  "iothreads",
  "iothreadids",
  "cputune",
  "numatune",
  "resource",
  "sysinfo",
  "bootloader",
  "os",
  "features",
  "cpu",
  "clock",
  "on_poweroff",
  "on_reboot",
  "on_crash",
  "pm",
  "perf",
  "devices",
  "seclabel",
];

/** The child element of a domain, made in its place where there is none. */
export function ensure(root: Element, name: string): Element {
  const there = child(root, name);
  if (there !== undefined) return there;
  const made = newElement(root, name);
  const before = ORDER.slice(0, ORDER.indexOf(name)).reverse();
  const place = before.map((each) => child(root, each)).find((each) => each !== undefined);
  insertAfter(place ?? child(root, "name")!, made);
  return made;
}

/** Sets the text of a child element of a domain, or takes the element out. */
export function setChild(root: Element, name: string, text: string | undefined): void {
  if (text !== undefined) setText(ensure(root, name), text);
  else {
    const there = child(root, name);
    if (there !== undefined) remove(there);
  }
}

/** Sets a size in KiB. */
export function setKib(root: Element, name: string, kib: bigint): void {
  const element = ensure(root, name);
  setText(element, kib.toString());
  element.setAttribute("unit", "KiB");
}
