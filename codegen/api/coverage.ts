/** The table of what became of each public function: `docs/api-coverage.md`. */

import { camelCase } from "../emit/names.ts";
import type { Api, Placed } from "./plan.ts";
import { type Elsewhere, elsewhere } from "./prototypes.ts";

/** What a test with real libvirt says of a function, by its C name, as it shall stand in the table. */
export type Results = Readonly<Record<string, string>>;

/** The whole document. Functions stand in the order of libvirt's headers. */
export function emitCoverage(api: Api, results: Results): string {
  const called = api.functions.filter(({ fn }) => fn.procedure !== undefined);
  const others = api.functions.filter(({ fn }) => fn.procedure === undefined);
  const blocked = new Set(
    api.classes.flatMap(({ methods }) => methods.flatMap(({ fn, body }) => (body.kind === "descriptors" ? [fn] : []))),
  );
  const placed = called.filter(({ fn, place }) => place !== undefined && !blocked.has(fn));
  const rest = called.filter(({ place }) => place === undefined);
  const tested = called.flatMap(({ fn }) => results[fn.name] ?? []);
  const told = (verdict: string) => tested.filter((result) => result.includes(verdict)).length;
  const counts = new Map<Elsewhere, number>();
  for (const { fn } of rest) if (fn.by !== undefined) counts.set(fn.by, (counts.get(fn.by) ?? 0) + 1);
  return `${[
    "<!-- Generated from protocol/libvirt.api by `npm run coverage`. Do not edit. -->",
    "# The API, function by function",
    "",
    "Every public function of libvirt 11.3.0, what it is called here, which procedure it calls, and against what its result",
    "was compared. Where the daemon is too old for a function, it rejects with VIR_ERR_NO_SUPPORT and says which release has it.",
    "",
    "## In short",
    "",
    `* ${called.length} functions call a procedure.`,
    `* ${placed.length} of them are methods that do what the function does.`,
    `* ${blocked.size} are methods that reject with VIR_ERR_NO_SUPPORT: they pass file descriptors, and Node cannot without native code.`,
    ...[...counts].map(([by, count]) => `* ${count}: ${elsewhere[by]}.`),
    "  Administration is a program of its own on sockets of its own, which no `Connection` opens. Its procedures have stubs:",
    "  `AdminClient` of `virtwire/protocol/admin`.",
    `* ${others.length} functions call no procedure: the second table.`,
    `* ${tested.length} were called of real libvirt, here and by its own binding, see the last column: ${told("same value")} gave the same`,
    `  value, ${told("same effect")} had the same effect, ${told("same events")} are about the same events, ${told("same error")} were refused with the same error,`,
    `  and of ${told("both succeed")} nothing can be compared but that both succeed.`,
    "",
    "## Names",
    "",
    "1. `vir` and the kind of the object that a function is called on go: `virDomainGetInfo` is `domain.getInfo`,",
    "   `virConnectListAllDomains` is `conn.listAllDomains`. `virNodeGetInfo`, which is about no kind of object, is `conn.nodeGetInfo`.",
    "   A leading abbreviation becomes small as a whole: `virDomainFSTrim` is `domain.fsTrim`.",
    "2. What returns an object by looking it up, defining or creating it has the verb first: `virNetworkLookupByName` is",
    "   `conn.lookupNetworkByName`, `virStorageVolCreateXML` is `pool.createStorageVolXML`. Guests are what a connection is",
    "   about, so defining and creating one does not name it:",
    "",
    "   | function | method |",
    "   |---|---|",
    ...["virDomainDefineXML", "virDomainDefineXMLFlags", "virDomainCreateXML", "virDomainCreateXMLWithFiles"].map(
      (name) =>
        `   | \`${name}\` | \`conn.${name.replace(/^virDomain(.)/, (_, first: string) => first.toLowerCase())}\` |`,
    ),
    "",
    "## Shapes",
    "",
    "* Parameters are C's in C's order, without the object, sizes and results. `flags` is 0 where it is left out, what may be",
    "  NULL is null. The last one is always `options`, with a `signal`. Where C has a `long long`, bigint and number will do.",
    "* An int that only says success becomes nothing. One result is returned as it is, several as an object.",
    "  What a function calls `Is…` or `Has…`, and `autostart`, is a boolean. Lists are arrays, of objects where C has handles.",
    "* Typed parameters are records, `{ cpu_shares: 1024n }`; a field that came several times has an array, and `inOrder` is the key",
    "  of the list as it came. To send one whose type its field does not tell, say it: `{ weight: typed.uint(1) }`.",
    "* A stream that C takes as a parameter is returned. Sizes that C asks for with a call of their own are asked for inside.",
    "* Paths are sent as they are: libvirt's client makes them absolute first, which means the client's folders.",
    "",
    "## Functions that call a procedure",
    "",
    "The last column is what `test/interop/api-results.json` says, which the test of the API against real libvirt writes.",
    "",
    "| function | since | method | procedure | tested against |",
    "|---|---|---|---|---|",
    ...called.map((each) => row(each, blocked.has(each.fn), results)),
    "",
    "## Functions that call none",
    "",
    "| function | since | instead |",
    "|---|---|---|",
    ...others.map((each) => `| \`${each.fn.name}\` | ${each.fn.since} | ${instead(each)} |`),
  ].join("\n")}\n`;
}

function row({ fn, place }: Placed, blocked: boolean, results: Results): string {
  const { program, name } = fn.procedure!;
  const procedure = program === "remote" ? name : `${program} ${name}`;
  const stub = fn.by === "admin" ? `; stub \`AdminClient.${camelCase(name)}\`` : "";
  const note = blocked ? "; rejects: file descriptors" : "";
  const method = place === undefined ? `${elsewhere[fn.by!]}${stub}` : `${called({ fn, place })}${note}`;
  return `| \`${fn.name}\` | ${fn.since} | ${method} | ${procedure} | ${results[fn.name] ?? ""} |`;
}

function instead(placed: Placed): string {
  const { fn, place } = placed;
  if (place === undefined) return elsewhere[fn.by!];
  return fn.name.endsWith("GetConnect") ? `${called(placed)}, \`connection\`` : called(placed);
}

function called({ place }: Placed): string {
  const name = place!.kind.name === "ConnectMethods" ? "Connection" : place!.kind.name;
  return `\`${name}.${place!.method}\``;
}
