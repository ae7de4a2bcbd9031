// Generated from recursive.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { inField, plain, type XdrReader, type XdrWriter } from "../../../../../src/xdr/index.js";

/** list */
export type List = Entry | null;

export function encodeList(w: XdrWriter, v: List, at?: string): void {
  if (w.present(v)) encodeEntry(w, v, at);
}

export function decodeList(r: XdrReader, at?: string): List {
  return r.present(at) ? decodeEntry(r, at) : null;
}

/** entry */
export interface Entry {
  item: string;
  next: Entry | null;
}

const PlainEntry = /* @__PURE__ */ plain(function (this: Entry, item: string, next: Entry | null) {
  this.item = item;
  this.next = next;
});

export function encodeEntry(w: XdrWriter, v: Entry, at?: string): void {
  w.enter(at);
  try {
    w.string(v.item, 4294967295, "item");
    if (w.present(v.next)) encodeEntry(w, v.next, "next");
  } catch (error) {
    throw inField(error, at, w.offset);
  } finally {
    w.leave();
  }
}

export function decodeEntry(r: XdrReader, at?: string): Entry {
  r.enter(at);
  try {
    return new PlainEntry(r.string(4294967295, "item"), r.present("next") ? decodeEntry(r, "next") : null);
  } catch (error) {
    throw inField(error, at);
  } finally {
    r.leave();
  }
}

/** tree */
export type Tree =
  | { leaf: 1; value: number } // value
  | { leaf: 0; value: Tree[] }; // branches: at most 2

const PlainTree = /* @__PURE__ */ plain(function (
  this: { leaf: number; value: unknown },
  leaf: number,
  value: unknown,
) {
  this.leaf = leaf;
  this.value = value;
});

export function encodeTree(w: XdrWriter, v: Tree, at?: string): void {
  w.enter(at);
  try {
    w.int32(v.leaf, "leaf");
    switch (v.leaf) {
      case 1:
        w.int32(v.value, "value");
        break;
      case 0:
        encodeEachTree(w, v.value, 2, "value");
        break;
      default:
        w.noArm((v as Tree).leaf, "leaf");
    }
  } catch (error) {
    throw inField(error, at, w.offset);
  } finally {
    w.leave();
  }
}

export function decodeTree(r: XdrReader, at?: string): Tree {
  r.enter(at);
  try {
    const tag = r.int32("leaf");
    switch (tag) {
      case 1:
        return new PlainTree(1, r.int32("value")) as Tree;
      case 0:
        return new PlainTree(0, decodeEachTree(r, 2, "value")) as Tree;
      default:
        return r.noArm(tag, "leaf");
    }
  } catch (error) {
    throw inField(error, at);
  } finally {
    r.leave();
  }
}

function encodeEachTree(w: XdrWriter, v: readonly Tree[], max: number, at = ""): void {
  w.count(v, max, at);
  let i = 0;
  try {
    for (; i < v.length; i++) encodeTree(w, v[i] as Tree);
  } catch (error) {
    throw inField(error, `${at}[${i}]`, w.offset);
  }
}

function decodeEachTree(r: XdrReader, max: number, at = ""): Tree[] {
  const length = r.count(max, 8, at);
  const items: Tree[] = [];
  try {
    while (items.length < length) items.push(decodeTree(r));
  } catch (error) {
    throw inField(error, `${at}[${items.length}]`);
  }
  return items;
}
