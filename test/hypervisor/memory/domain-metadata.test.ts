import { describe, expect, test } from "vitest";
import { guestXml, TestHost, virt } from "../hosts.ts";

const DESCRIPTION = 0;
const TITLE = 1;
const ELEMENT = 2;

async function defined() {
  const host = new TestHost();
  const { remote } = await host.connect();
  const { dom } = await remote.domainDefineXml({ xml: guestXml() });
  return {
    remote,
    dom,
    get: async (type: number, uri: string | null = null) =>
      (await remote.domainGetMetadata({ dom, type, uri, flags: 0 })).metadata,
    set: (type: number, metadata: string | null, key: string | null = null, uri: string | null = null) =>
      remote.domainSetMetadata({ dom, type, metadata, key, uri, flags: 0 }),
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
}

test("title and description are set, told and taken away", async () => {
  await using domain = await defined();
  await expect(domain.get(TITLE)).rejects.toMatchObject(
    virt(80, "metadata not found: Requested metadata element is not present"),
  );
  await domain.set(TITLE, "a < b");
  await domain.set(DESCRIPTION, "two\nlines");
  expect(await domain.get(TITLE)).toBe("a < b");
  expect(await domain.get(DESCRIPTION)).toBe("two\nlines");
  expect((await domain.remote.domainGetXmlDesc({ dom: domain.dom, flags: 0 })).xml).toContain(
    "<title>a &lt; b</title>",
  );
  await domain.set(TITLE, "");
  await expect(domain.get(TITLE)).rejects.toMatchObject({ code: 80 });
  await expect(domain.set(TITLE, "two\nlines")).rejects.toMatchObject(virt(8, /can't contain newlines$/));
  await expect(domain.get(9)).rejects.toMatchObject(virt(8, "invalid argument: unknown metadata type '9'"));
});

describe("an application's element", () => {
  test("stands under its prefix, and comes back without", async () => {
    await using domain = await defined();
    await domain.set(ELEMENT, "<app x='1'>t<in/></app>", "my", "http://a");
    const { xml } = await domain.remote.domainGetXmlDesc({ dom: domain.dom, flags: 0 });
    expect(xml).toContain("<my:app x='1' xmlns:my='http://a'>t<my:in/></my:app>");
    expect(await domain.get(ELEMENT, "http://a")).toBe("<app x='1'>t<in/></app>");
  });

  test("there is one for each namespace", async () => {
    await using domain = await defined();
    await domain.set(ELEMENT, "<a/>", "p", "http://a");
    await domain.set(ELEMENT, "<b/>", "q", "http://b");
    await domain.set(ELEMENT, "<c/>", "r", "http://a");
    expect(await domain.get(ELEMENT, "http://a")).toBe("<c/>");
    expect(await domain.get(ELEMENT, "http://b")).toBe("<b/>");
    await domain.set(ELEMENT, null, null, "http://a");
    await expect(domain.get(ELEMENT, "http://a")).rejects.toMatchObject({ code: 80 });
    expect(await domain.get(ELEMENT, "http://b")).toBe("<b/>");
  });

  test("that was defined is found by its namespace", async () => {
    await using domain = await defined();
    const extra = "<metadata><z:i xmlns:z='http://z'><o xmlns='http://o'/></z:i></metadata>";
    await domain.remote.domainDefineXml({ xml: guestXml({ extra }) });
    expect(await domain.get(ELEMENT, "http://z")).toBe("<i><o xmlns='http://o'/></i>");
  });

  test.each([
    ["no XML", "<a", "p", 35],
    ["a DOCTYPE", "<!DOCTYPE a><a/>", "p", 27],
    ["no prefix", "<a/>", "1 ", 1],
  ])("is refused: %s", async (_what, xml, key, code) => {
    await using domain = await defined();
    await expect(domain.set(ELEMENT, xml, key, "http://a")).rejects.toMatchObject({ code });
  });
});
