import type { AccessTarget } from "../server/index.ts";
import { attribute, child, parseXml, textOf } from "./memory/xml.ts";

/**
 * What a client's XML says of the object that it describes: for access policies, before the driver sees it. Read with the
 * drivers' own parser, because one that read it otherwise could be shown another object than the driver makes.
 * @throws {VirtError} as the parser does
 */
export function describeXml(object: string, xml: string): AccessTarget {
  const root = parseXml(xml, "definition");
  const name = textOf(root, "name");
  const uuid = canonical(textOf(root, "uuid"));
  switch (object) {
    case "interface":
    case "nwfilter": // its name is an attribute
      return { ...pick("name", attribute(root, "name")), ...pick("uuid", uuid) };
    case "nwfilter_binding": {
      const [port, filter] = [child(root, "portdev"), child(root, "filterref")];
      return {
        ...pick("name", port && attribute(port, "name")),
        ...pick("filter", filter && attribute(filter, "filter")),
      };
    }
    default:
      return { ...pick("name", name), ...pick("uuid", uuid) };
  }
}

function pick<Key extends string>(key: Key, value: string | undefined) {
  return value === undefined ? {} : ({ [key]: value } as Record<Key, string>);
}

/** A UUID as it is written in full, of the ways that libvirt reads: any case, hyphens anywhere, blanks around. */
function canonical(uuid: string | undefined): string | undefined {
  return uuid
    ?.replace(/[\s-]/g, "")
    .toLowerCase()
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
