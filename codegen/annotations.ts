/** What libvirt's comments tell a generator: `protocol/README.md` and libvirt src/rpc/gendispatch.pl. */

import { quote, type Report, type Span } from "./diagnostics.ts";
import type { Comment } from "./lexer.ts";
import type { Annotations } from "./model.ts";

type Rule = (text: string) => string | number | undefined;

const oneOf =
  (...values: string[]): Rule =>
  (text) =>
    values.includes(text) ? text : undefined;
const like =
  (pattern: RegExp): Rule =>
  (text) =>
    pattern.test(text) ? text : undefined;
/** The place of a parameter in the C function, from 1. */
const place: Rule = (text) => (/^[1-9][0-9]?$/.test(text) ? Number(text) : undefined);

const RULES: ReadonlyMap<string, Rule> = new Map([
  ["generate", oneOf("both", "client", "server", "none")],
  ["priority", oneOf("high", "low")],
  ["readstream", place],
  ["writestream", place],
  ["sparseflag", like(/^\w+$/)],
  // object:permission, object:permission:flags, object:permission:flags:parameter:value
  ["acl", like(/^(none|\w+:\w+(:[\w!|]*(:\w+:\w+)?)?)$/)],
  ["aclfilter", like(/^\w+:\w+$/)],
  ["stream", oneOf("read", "write", "both")],
  ["fds", oneOf("in", "out", "both")],
  ["since", like(/^\d+\.\d+\.\d+$/)],
]);

/**
 * Reads the `@name: value` lines of the comments before a procedure. `acl` and `aclfilter` may repeat.
 * A line with another name is a warning; a wrong value, or a second one, is an error.
 */
export function annotationsOf(comments: readonly Comment[], report: Report): Annotations {
  const found = { acl: [] as string[], aclfilter: [] as string[] };
  const seen = new Map<string, Span>();
  for (const { name, value, span } of comments.flatMap(annotationLines)) {
    const rule = RULES.get(name);
    const read = value === undefined ? undefined : rule?.(value);
    if (rule === undefined) {
      if (value !== undefined) report.warning(span, `unknown annotation ${quote(`@${name}`)}`);
    } else if (read === undefined) {
      report.error(
        span,
        value ? `${quote(value)} is no value for @${name}` : `@${name} needs a value: '@${name}: ...'`,
      );
    } else if (name === "acl" || name === "aclfilter") {
      found[name].push(String(read));
    } else if (seen.has(name)) {
      report.error(span, `duplicate annotation @${name}: first at line ${seen.get(name)!.line}`);
    } else {
      seen.set(name, span);
      Object.assign(found, { [name]: read });
    }
  }
  const sparse = seen.get("sparseflag");
  if (sparse !== undefined && !["readstream", "writestream", "stream"].some((name) => seen.has(name))) {
    report.error(sparse, "@sparseflag without a stream: it needs @readstream, @writestream or @stream");
  }
  return found;
}

/** `value` is undefined where no colon follows: prose, unless the name is one of ours. */
function annotationLines(comment: Comment): { name: string; value: string | undefined; span: Span }[] {
  if (!comment.text.includes("@")) return [];
  return comment.text.split("\n").flatMap((text, index) => {
    const start = text.search(/[^\s*]/);
    const parts = start === -1 ? null : /^@([A-Za-z]\w{0,40})(?:[ \t]*(:)|(?!\w))/.exec(text.slice(start, start + 100));
    if (parts === null) return [];
    const [all, name, colon] = parts;
    const column = (index === 0 ? comment.column + 2 : 1) + start;
    const value = colon === undefined ? undefined : text.slice(start + all.length).trim();
    return [
      { name: name!, value, span: { line: comment.line + index, column, length: text.trimEnd().length - start } },
    ];
  });
}

const NOTE = /^(insert@\d+|alloc@\d+@[\w ]+@\d+|call-by-reference|recurring|\([\w ]+\*+\s*\))$/;

/** Of the comments behind a member, those that mean something: gendispatch.pl's (`insert@1`, `(const char **)`) and our `recurring`. */
export function memberNotes(comments: readonly Comment[]): readonly string[] {
  return comments.map(({ text }) => (text.length > 200 ? "" : text.trim())).filter((text) => NOTE.test(text));
}
