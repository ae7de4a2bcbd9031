import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { emitCoverage } from "../../../codegen/api/coverage.ts";
import { emitApi } from "../../../codegen/api/emit.ts";
import { planApi } from "../../../codegen/api/plan.ts";
import { parseApi } from "../../../codegen/api/prototypes.ts";
import { CodegenError } from "../../../codegen/diagnostics.ts";
import { parseModule } from "../../../codegen/loader.ts";

const here = join(import.meta.dirname, "fixtures");
const source = readFileSync(join(here, "mini.x"), "utf8");
const { module } = parseModule(source, { file: "mini.x" });
const planned = (text: string) => planApi(parseApi(text, "mini.api"), [module]);
const mini = readFileSync(join(here, "mini.api"), "utf8");

/**
 * The output is committed beside the input, so that a change to the generator shows. It ends in `.txt` because it is
 * read, not compiled: its imports lead nowhere from here. `npx vitest run test/codegen/api -u` writes it anew.
 */
test.each(["connect-methods.ts", "domain.ts", "domain-snapshot.ts", "typed-fields.ts", "field-types.ts", "index.ts"])(
  "api/emit: %s is as committed",
  async (name) => {
    const text = emitApi(planned(mini), "mini.api").get(name);
    await expect(text).toMatchFileSnapshot(join(here, "expected", `${name}.txt`));
  },
);

test("api/emit: the table too", async () => {
  const table = emitCoverage(planned(mini), { virDomainGetState: "virsh" });
  await expect(table).toMatchFileSnapshot(join(here, "expected", "coverage.md.txt"));
});

test("api/emit/deterministic: the same input gives the same bytes", () => {
  const once = () => JSON.stringify([...emitApi(planned(mini), "mini.api")]);
  expect(once()).toBe(once());
});

describe("api/plan: what does not fit is refused, at the function", () => {
  const one = (annotations: string, prototype: string) => () =>
    planned(`/** @since: 1.0.0 ${annotations} */\n${prototype}`);

  test.each([
    ["there is no program xen", "@procedure: xen DOMAIN_DESTROY", "int virDomainDestroy(virDomainPtr domain);"],
    ["there is no procedure DOMAIN_FLY", "@procedure: DOMAIN_FLY", "int virDomainFly(virDomainPtr domain);"],
    [
      "parameters xml, flags against members flags",
      "@procedure: DOMAIN_GET_XML_DESC",
      "char *virDomainGetXMLDesc(virDomainPtr domain, const char *xml, unsigned int flags);",
    ],
    [
      "parameter wings against member flags",
      "@procedure: DOMAIN_GET_XML_DESC",
      "char *virDomainGetXMLDesc(virDomainPtr domain, unsigned int wings);",
    ],
    [
      "there is no enumeration virBirds",
      "@procedure: DOMAIN_GET_XML_DESC @enum: flags=virBirds",
      "char *virDomainGetXMLDesc(virDomainPtr domain, unsigned int flags);",
    ],
    [
      "there is no constant VIR_DOMAIN_XML_TOP",
      "@procedure: DOMAIN_GET_XML_DESC @enum: flags=virDomainXMLFlags|VIR_DOMAIN_XML_TOP",
      "char *virDomainGetXMLDesc(virDomainPtr domain, unsigned int flags);",
    ],
    [
      "@fields is missing for params",
      "@procedure: DOMAIN_SET_MEMORY_PARAMETERS",
      "int virDomainSetMemoryParameters(virDomainPtr domain, virTypedParameterPtr params, size int nparams, unsigned int flags);",
    ],
    [
      "argument dom does not say which Network",
      "@procedure: DOMAIN_DESTROY",
      "int virNetworkDestroy(virNetworkPtr network);",
    ],
    ["nothing says what stands for it", "", "int virDomainRef(virDomainPtr domain);"],
  ])("%s", (why, annotations, prototype) => {
    const act = one(annotations, prototype);
    expect(act).toThrow(CodegenError);
    expect(act).toThrow(why);
    expect(act).toThrow(/mini\.api:2:1/);
  });
});
