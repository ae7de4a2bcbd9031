/** `protocol/libvirt.api` against the facts, the classes against `protocol/libvirt.api`, and the table against both. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { emitCoverage, type Results } from "../../../codegen/api/coverage.ts";
import { connection } from "../../../codegen/api/names.ts";
import { elsewhere } from "../../../codegen/api/prototypes.ts";
import * as api from "../../../src/api/generated/index.ts";
import { Connection } from "../../../src/api/index.ts";
import { libvirtApi, plannedApi, root } from "./reading.ts";

interface FunctionFact {
  readonly name: string;
  readonly header: string;
  readonly returns: string;
  readonly params: readonly { readonly name: string; readonly type: string }[];
  readonly since: string;
}
interface ProgramFacts {
  readonly procedures: readonly { readonly name: string; readonly api?: string | null }[];
}
interface HeaderFacts {
  readonly constants: readonly {
    readonly name: string;
    readonly type: string;
    readonly value: string | number;
    readonly paramType?: string | readonly string[];
    readonly since: string;
  }[];
}

const facts = <T>(name: string): T => JSON.parse(readFileSync(join(root, "test/facts", `${name}.json`), "utf8")) as T;
const functionFacts = facts<FunctionFact[]>("functions");
const programs = ["remote", "qemu", "lxc", "admin"];
const procedureFacts = programs.flatMap((program) =>
  facts<ProgramFacts>(program).procedures.flatMap(({ name, api }) => (api ? [{ program, name, api }] : [])),
);
const { functions, fields } = libvirtApi();

describe("api/facts", () => {
  test("every function of libvirt's headers, with its types, its parameters in order and its release", () => {
    expect(
      functions.map(({ name, header, returns, parameters, since }) => {
        return { name, header, returns, params: parameters.map(({ name, type }) => ({ name, type })), since };
      }),
    ).toEqual(
      functionFacts.map(({ name, header, returns, params, since }) => ({ name, header, returns, params, since })),
    );
  });

  test("every procedure that has a function, 401 of them", () => {
    const known = functions.flatMap(({ name, procedure }) => (procedure ? [{ ...procedure, api: name }] : []));
    const shared = known.filter(({ api }) => api === "virDomainListGetStats"); // the procedure of virConnectGetAllDomainStats
    const order = (list: readonly { program: string; name: string; api: string }[]) =>
      list.map(({ program, name, api }) => `${program} ${name} ${api}`).toSorted();
    expect(order(known.filter((each) => !shared.includes(each)))).toEqual(order(procedureFacts));
    expect(procedureFacts).toHaveLength(401);
  });

  test("every name of a typed parameter, with its types", () => {
    const { headers } = facts<{ readonly headers: Readonly<Record<string, HeaderFacts>> }>("public-api");
    const named = Object.entries(headers).flatMap(([header, { constants }]) =>
      header === "libvirt-admin.h" ? [] : constants.filter(({ type }) => type === "string"),
    );
    expect(fields).toEqual(
      named.map(({ name, value, paramType = [], since }) => ({ name, value, types: [paramType].flat(), since })),
    );
  });
});

describe("api/methods", () => {
  const planned = plannedApi();
  const classes = new Map<string, { readonly prototype: object }>([
    ...Object.entries(api).flatMap(([name, value]) => (typeof value === "function" ? [[name, value] as const] : [])),
    [connection.name, Connection],
  ]);

  test("every function is a method, or something says what is instead", () => {
    for (const { fn, place } of planned.functions) {
      if (place === undefined) expect(Object.keys(elsewhere), fn.name).toContain(fn.by);
      else
        expect((classes.get(place.kind.name)!.prototype as Record<string, unknown>)[place.method], fn.name).toBeTypeOf(
          "function",
        );
    }
  });

  test("of those that call a procedure, what is left out is events, opening and administration", () => {
    const counts: Record<string, number> = {};
    for (const { fn, place } of planned.functions) {
      if (fn.procedure !== undefined && place === undefined) counts[fn.by!] = (counts[fn.by!] ?? 0) + 1;
    }
    expect(counts).toEqual({ events: 16, connect: 1, admin: 20 });
  });

  test("no two functions are the same method", () => {
    const methods = planned.functions.flatMap(({ place }) => (place ? [`${place.kind.name}.${place.method}`] : []));
    expect(methods.filter((name, index) => methods.indexOf(name) !== index)).toEqual([]);
  });

  test("parameters are the C function's, in its order, and options last", () => {
    for (const { kind, methods } of planned.classes) {
      for (const { fn, name, parameters } of methods) {
        const given = fn.parameters.slice(1).filter(({ role, type }) => role === "in" && type !== "virStreamPtr");
        const camel = (text: string) => text.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
        expect(
          parameters.map((each) => each.name),
          fn.name,
        ).toEqual(given.map((each) => camel(each.name)));
        const text = readFileSync(join(root, `src/api/generated/${kind.file}.ts`), "utf8");
        const head = new RegExp(`^  (?:async )?${name}\\(([\\s\\S]*?)\\): Promise<`, "m").exec(text)?.[1] ?? "";
        expect(head, fn.name).toMatch(/options\?: CallOptions,?\s*\]?$/);
      }
    }
  });

  test("what follows a parameter with a default has one too: nobody has to pass undefined", () => {
    for (const { methods } of planned.classes) {
      for (const { fn, parameters } of methods) {
        const first = parameters.findIndex(({ initial }) => initial !== undefined);
        if (first >= 0)
          expect(
            parameters.slice(first).every(({ initial }) => initial !== undefined),
            fn.name,
          ).toBe(true);
        const flags = parameters.find(({ name }) => name === "flags");
        if (flags !== undefined) expect(flags.initial, fn.name).toBe("0");
      }
    }
  });
});

test("api/coverage: docs/api-coverage.md is what `npm run coverage` writes", () => {
  const path = join(root, "test/interop/api-results.json");
  const results = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Results) : {};
  expect(readFileSync(join(root, "docs/api-coverage.md"), "utf8")).toBe(emitCoverage(plannedApi(), results));
});
