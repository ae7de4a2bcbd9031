/** Which folder may import from which: the order of the layers as data, held against every import in the tree. */
import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join, normalize, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What each folder of src uses, besides what those use in turn. */
const uses = {
  xdr: [],
  generated: ["xdr"],
  buffer: [],
  transport: ["buffer"],
  rpc: ["generated", "transport"],
  stream: ["rpc"],
  auth: ["rpc"],
  client: ["auth"],
  api: ["client"],
  server: ["auth"],
  hypervisor: ["server"],
  migration: ["api"],
  cli: ["migration", "hypervisor", "stream", "codegen"],
  codegen: [],
} as const satisfies Record<string, readonly string[]>;
type Layer = keyof typeof uses;

function below(layer: Layer): Layer[] {
  return uses[layer].flatMap((next) => [next, ...below(next)]);
}

interface Import {
  /** Of the importing file, from the root. */
  file: string;
  from: Layer;
  specifier: string;
  /** What a relative import names, from the root; undefined for packages and built-ins. */
  target: string | undefined;
  /** Whether loading the file loads the import too: not a type, not an `import()`. */
  eager: boolean;
}

/** `import … from "x"`, `export … from "x"`, `import "x"` and `import("x")`. */
const pattern =
  /^(?:import|export)\b(\s+type\b)?[^;"'`]*?\bfrom\s*"([^"]+)"|^import\s*"([^"]+)"|\bimport\("([^"]+)"\)/gm;

function layerOf(path: string): string {
  const [top = "", folder = ""] = path.split("/");
  return top === "src" ? folder : top;
}

const imports: Import[] = ["src", "codegen"].flatMap((top) =>
  readdirSync(join(root, top), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .flatMap((name) => {
      const file = `${top}/${name.split(sep).join("/")}`;
      const text = readFileSync(join(root, file), "utf8").replace(/^\s*(\/\/|\*|\/\*).*$/gm, "");
      return [...text.matchAll(pattern)].map(([, type, from, bare, later]) => {
        const specifier = from ?? bare ?? later ?? "";
        const path = relative(root, normalize(join(root, file, "..", specifier.replace(/\.js$/, ".ts"))));
        return {
          file,
          from: layerOf(file) as Layer,
          specifier,
          target: specifier.startsWith(".") ? path.split(sep).join("/") : undefined,
          eager: type === undefined && later === undefined,
        };
      });
    }),
);

/** The imports that break a rule, readably. */
function offenders(rule: (edge: Import) => boolean): string[] {
  return imports.filter((edge) => !rule(edge)).map(({ file, specifier }) => `${file} imports ${specifier}`);
}

test("the tree was read", () => {
  expect(imports.length).toBeGreaterThan(100);
});

test("every folder of src has its place in the table, and a front door", () => {
  const folders = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of folders) {
    expect(Object.keys(uses), `src/${name}`).toContain(name);
    if (name !== "cli") expect(readdirSync(join(root, "src", name)), `src/${name}`).toContain("index.ts");
  }
});

test("every import stays in its layer or goes to one below", () => {
  const allowed = Object.fromEntries(Object.keys(uses).map((name) => [name, [name, ...below(name as Layer)]]));
  expect(
    offenders(({ from, target }) => target === undefined || (allowed[from] ?? []).includes(layerOf(target))),
  ).toEqual([]);
});

test("another folder is imported through its index.ts alone, or what it has for servers through auth/server.ts", () => {
  expect(
    offenders(({ from, target }) => {
      if (target === undefined || layerOf(target) === from) return true;
      return (
        /^src\/generated\/(\w+\/)?index\.ts$/.test(target) ||
        /^(src\/\w+\/index|src\/auth\/server|codegen\/index)\.ts$/.test(target)
      );
    }),
  ).toEqual([]);
});

test("generated code needs src/xdr and itself, nothing else", () => {
  expect(
    offenders(
      ({ from, target }) =>
        from !== "generated" || target === "src/xdr/index.ts" || target?.startsWith("src/generated/") === true,
    ),
  ).toEqual([]);
});

test("xdr and generated code run in a browser too: no built-in module, no package", () => {
  expect(offenders(({ from, target }) => (from !== "xdr" && from !== "generated") || target !== undefined)).toEqual([]);
});

test.each(["src/api", "src/client", "src/auth", "src/rpc", "src/buffer", "src/stream", "src/xdr", "src/generated"])(
  "%s loads in a browser: no built-in module on the way",
  (folder) => {
    const seen = new Set([`${folder}/index.ts`]);
    for (const file of seen) {
      for (const edge of imports) {
        if (edge.file !== file || !edge.eager) continue;
        if (edge.target !== undefined) seen.add(edge.target);
        else expect.fail(`${file} imports ${edge.specifier}`);
      }
    }
    expect(seen.size).toBeGreaterThan(3);
  },
);

test("no layer below the commands uses a package that only they need", () => {
  expect(offenders(({ from, specifier }) => from === "cli" || !/^(commander|cli-progress)$/.test(specifier))).toEqual(
    [],
  );
});

describe("package.json", () => {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
    peerDependencies: Record<string, string>;
    exports: Record<string, string | { types: string; default: string }>;
  };
  const isBuiltin = (name: string): boolean => name.startsWith("node:") || builtinModules.includes(name);
  const packageOf = (specifier: string): string => specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");

  test("every package imported is a dependency, and the other way round", () => {
    const used = imports.filter(({ target, specifier }) => target === undefined && !isBuiltin(specifier));
    // Imported by a name that bundlers do not follow: src/auth/gssapi.ts.
    const names = new Set([...used.map(({ specifier }) => packageOf(specifier)), "kerberos"]);
    expect([...names].sort()).toEqual(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }).sort());
  });

  test("built-in modules are named with node:", () => {
    expect(offenders(({ specifier }) => !builtinModules.includes(specifier))).toEqual([]);
  });

  test("every export is a front door of the tree", () => {
    for (const [path, entry] of Object.entries(manifest.exports)) {
      if (typeof entry === "string") continue;
      const source = entry.default.replace(/^\.\/dist\//, "").replace(/\.js$/, ".ts");
      expect(entry.types, path).toBe(entry.default.replace(/\.js$/, ".d.ts"));
      const names = source.includes("*") ? readdirSync(join(root, "src/generated"), { withFileTypes: true }) : [];
      const sources = source.includes("*")
        ? names.filter((n) => n.isDirectory()).map((n) => source.replace("*", n.name))
        : [source];
      for (const file of sources) expect(() => readFileSync(join(root, file)), `${path}: ${file}`).not.toThrow();
    }
  });
});
