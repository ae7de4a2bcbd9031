import { ensure } from "../domain-edit.ts";
import { child, children, type Element, newElement, remove, setText, textOf } from "../xml.ts";

/** As many as an answer holds: REMOTE_IOTHREAD_INFO_MAX. */
export const MOST_IOTHREADS = 16384;

/** `<iothreads>` says how many; those that `<iothreadids>` does not name get the lowest numbers that are free. */
export function iothreadIds(root: Element): number[] {
  const list = child(root, "iothreadids");
  const named = (list === undefined ? [] : children(list, "iothread")).flatMap((each) => idOf(each) ?? []);
  const count = textOf(root, "iothreads")?.trim() ?? "";
  const wanted = /^[0-9]{1,9}$/.test(count) ? Math.min(Number(count), MOST_IOTHREADS) : 0;
  const ids = new Set(named.slice(0, MOST_IOTHREADS));
  for (let id = 1; ids.size < wanted; id++) ids.add(id);
  return [...ids];
}

/** Makes those the I/O threads of a domain. What is said of one that stays is kept. */
export function writeIothreadIds(root: Element, ids: readonly number[]): void {
  const old = child(root, "iothreadids");
  if (ids.length === 0) {
    for (const element of [child(root, "iothreads"), old]) if (element !== undefined) remove(element);
    return;
  }
  setText(ensure(root, "iothreads"), `${ids.length}`);
  const known = new Map((old === undefined ? [] : children(old, "iothread")).map((each) => [idOf(each), each]));
  const list = newElement(root, "iothreadids");
  // A list of its own, filled from its start to its end: putting one into another's midst takes as long as that is.
  for (const id of ids) {
    const element = known.get(id)?.cloneNode(true) ?? newElement(root, "iothread");
    (element as Element).setAttribute("id", `${id}`);
    list.appendChild(root.ownerDocument!.createTextNode("\n    "));
    list.appendChild(element);
  }
  list.appendChild(root.ownerDocument!.createTextNode("\n  "));
  root.replaceChild(list, ensure(root, "iothreadids"));
}

function idOf(element: Element): number | undefined {
  const text = element.getAttribute("id") ?? "";
  const id = /^[0-9]{1,10}$/.test(text) ? Number(text) : 0;
  return id > 0 && id <= 0xffff_ffff ? id : undefined;
}
