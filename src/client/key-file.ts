import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { virtError } from "../rpc/index.ts";

/**
 * An INI file as GLib reads it: `[group]`, `key=value`, `#` comments on lines of their own. A group that comes again
 * goes on, of a key that comes again the last counts.
 *
 * @param path for errors, which never quote a line: it may hold a password
 * @returns groups, each with its keys; values with their escapes undone
 * @throws {VirtError} VIR_ERR_CONF_SYNTAX with file and line
 * @source g_key_file_load_from_data, glib/gkeyfile.c
 */
export function parseKeyFile(path: string, text: string): Map<string, Map<string, string>> {
  const groups = new Map<string, Map<string, string>>();
  let group: Map<string, string> | undefined;
  const fail = (line: number, what: string): never => {
    throw virtError(VirErrorNumber.VIR_ERR_CONF_SYNTAX, VirErrorDomain.VIR_FROM_NONE, `${path}:${line}: ${what}`);
  };
  for (const [index, whole] of text.split("\n").entries()) {
    const line = whole.replace(/\r$/, "").replace(/^[ \t\n\v\f\r]+/, "");
    if (line === "" || line.startsWith("#")) continue;
    const name = /^\[([^\]]*)\][ \t]*$/.exec(line)?.[1];
    if (name !== undefined) {
      if (name === "" || /[[\p{Cc}]/u.test(name)) fail(index + 1, "not a name for a group");
      group = groups.get(name) ?? new Map();
      groups.set(name, group);
      continue;
    }
    const equals = line.indexOf("=");
    if (equals < 1) fail(index + 1, "expecting a group, 'key=value' or a comment");
    const key = line.slice(0, equals).trimEnd();
    if (!/^[^[\]]+(\[[\w.@-]*\])?$/.test(key)) fail(index + 1, "not a name for a key");
    if (group === undefined) return fail(index + 1, "a key before the first group");
    group.set(key, unescaped(line.slice(equals + 1).replace(/^[ \t\n\v\f\r]+/, "")));
  }
  return groups;
}

const escapes: Readonly<Record<string, string>> = { s: " ", n: "\n", t: "\t", r: "\r", "\\": "\\", "": "" };

/** Escapes that GLib does not know stay as they are: libvirt ignores its complaint and takes the text. */
function unescaped(value: string): string {
  return value.replace(/\\([\s\S]?)/g, (all, what: string) => escapes[what] ?? all);
}
