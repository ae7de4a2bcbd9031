import { describe, expect, test } from "vitest";
import { formatDomainXml, parseDomainXml, renamed } from "../../../src/hypervisor/memory/domain-xml.ts";
import { toKib } from "../../../src/hypervisor/memory/memory-size.ts";
import { formatUuid } from "../../../src/hypervisor/memory/uuid.ts";
import { guestXml, UUID, virt } from "../hosts.ts";

/** Parses, and gives back the error. */
function refusal(xml: string): unknown {
  try {
    parseDomainXml(xml);
  } catch (error) {
    return error;
  }
  throw new Error("was taken");
}

test("what was defined comes back as it was, with the UUID added and the id of a running guest", () => {
  const xml = `<domain type='kvm' id='9' xmlns:x='urn:x'>
  <!-- kept -->
  <name>a&amp;b</name>
  <memory unit='MiB'>1</memory>
  <x:own attr="1 &lt; 2"><![CDATA[<raw>]]></x:own>
</domain>`;
  const definition = parseDomainXml(xml);
  expect(definition).toMatchObject({ name: "a&b", memoryKib: 1024n, currentMemoryKib: 1024n, vcpus: 1, osType: "hvm" });
  expect(definition.xml).toContain(`<name>a&amp;b</name>\n  <uuid>${formatUuid(definition.uuid)}</uuid>\n  <memory`);
  expect(definition.xml).toContain("<!-- kept -->");
  expect(definition.xml).toContain("<![CDATA[<raw>]]>");
  expect(definition.xml).toContain("attr='1 &lt; 2'");
  expect(definition.xml).not.toMatch(/\bid=/);
  expect(formatDomainXml(definition, 3)).toMatch(/^<domain type='kvm' id='3'/);
  expect(parseDomainXml(definition.xml)).toEqual(definition);
  expect(renamed(definition, "c<d").xml).toContain("<name>c&lt;d</name>");
});

test("the id stands in the root element, whatever its attributes are", () => {
  for (const attributes of ["type='a'", "type='a > b' x='id=\"7\"'", "xmlns:q='u' q:k=\"'\" type='$&amp;'"]) {
    const definition = parseDomainXml(guestXml().replace("type='virtwire'", () => attributes));
    const active = formatDomainXml(definition, 12);
    expect(parseDomainXml(active)).toEqual(definition);
    expect(active.replace(" id='12'", "")).toBe(definition.xml);
    expect(active).toMatch(/^<domain [^\n]* id='12'[^\n]*>\n/);
  }
});

test("a byte order mark is no content, and a carriage return by number stays one", () => {
  const definition = parseDomainXml(`\ufeff${guestXml({ extra: "<title>a&#13;b</title>" })}`);
  expect(definition.xml).toContain("<title>a&#13;b</title>");
  expect(parseDomainXml(definition.xml)).toEqual(definition);
});

describe("what libvirt refuses is refused in its words", () => {
  test.each([
    ["no type", guestXml().replace("type='virtwire'", ""), 1, "internal error: missing domain type attribute"],
    ["no name", guestXml().replace(/<name>.*<\/name>/, ""), 21, "missing name information"],
    ["empty name", guestXml({ name: "" }), 21, "missing name information"],
    ["slash", guestXml({ name: "a/b" }), 27, "XML error: name a/b cannot contain '/'"],
    ["bad uuid", guestXml({ uuid: "zz" }), 1, "internal error: malformed uuid element"],
    [
      "no memory",
      guestXml({ memory: "<currentMemory>1</currentMemory>" }),
      27,
      "XML error: Memory size must be specified via <memory> or in the <numa> configuration",
    ],
    ["no number", guestXml({ memory: "<memory>-1</memory>" }), 27, /Invalid value '-1' for element or attribute/],
    [
      "bad unit",
      guestXml({ memory: "<memory unit='Furlong'>1</memory>" }),
      8,
      "invalid argument: unknown suffix 'Furlong'",
    ],
    [
      "overflow",
      guestXml({ memory: "<memory unit='EiB'>99</memory>" }),
      82,
      "numerical overflow: value too large: 99EiB",
    ],
    ["vcpus", guestXml().replace("<vcpu>2", "<vcpu>x"), 27, "XML error: maximum vcpus count must be an integer"],
    ["root", "<network/>", 27, "XML error: expecting root element of 'domain', not 'network'"],
    ["cut", "<domain", 35, /^\(domain_definition\):1: .+\n<domain\n\^$/],
    ["nothing", "", 35, /^\(domain_definition\):1: .+\n\n\^$/],
    ["mismatch", "<domain>\n\t<a></b>", 35, /^\(domain_definition\):2: .+\n\t<a><\/b>\n\t-*\^$/],
    ["doctype", `<!DOCTYPE domain>${guestXml()}`, 27, "XML error: a document type declaration is not allowed"],
    ["doctype after a comment", `<!-- a --><?p?>\n<!DOCTYPE d [<!ENTITY a "b">]>${guestXml()}`, 27, /document type/],
    [
      "a control character",
      guestXml({ extra: "<title>\u0001</title>" }),
      27,
      "XML error: character U+0001 is not allowed",
    ],
    ["NUL by number", guestXml({ extra: "<title a='&#0;'/>" }), 27, "XML error: character U+0000 is not allowed"],
    ["half a character", guestXml({ name: "a&#xD800;b" }), 27, "XML error: character U+D800 is not allowed"],
    ["a number that is too big", guestXml({ name: "&#x110000;" }), 27, /character U\+DC00 is not allowed/],
    ["size", guestXml({ extra: `<!--${"x".repeat(256 << 10)}-->` }), 27, /262144 at most$/],
    ["depth", guestXml({ extra: "<a>".repeat(300) + "</a>".repeat(300) }), 27, /nested more than 256 deep$/],
  ])("%s", (_what, xml, code, message) => {
    expect(refusal(xml)).toMatchObject(virt(code, message));
  });

  test("ten thousand levels are refused without recursion", () => {
    expect(refusal(guestXml({ extra: "<a>".repeat(10_000) + "</a>".repeat(10_000) }))).toMatchObject({ code: 27 });
  });
});

test("vcpus and current memory: what is on now, and at most", () => {
  const memory = "<memory>4096</memory><currentMemory unit='MiB'>2</currentMemory>";
  const xml = guestXml({ memory }).replace("<vcpu>2", "<vcpu current='1'>2");
  const definition = parseDomainXml(xml);
  expect(definition).toMatchObject({ memoryKib: 4096n, currentMemoryKib: 2048n, vcpus: 1, maxVcpus: 2 });
  expect(formatUuid(definition.uuid)).toBe(UUID);
});

test.each([
  ["b", 1024n, 1n],
  ["bytes", 1n, 1n],
  ["k", 7n, 7n],
  ["KB", 1000n, 977n],
  ["KiB", 7n, 7n],
  ["kib", 7n, 7n],
  ["M", 1n, 1024n],
  ["MB", 1n, 977n],
  ["GiB", 2n, 2097152n],
  ["TiB", 1n, 1n << 30n],
  ["TB", 1n, 976562500n],
  ["PiB", 1n, 1n << 40n],
  ["EiB", 15n, 15n << 50n],
])("a size in %s", (unit, value, kib) => {
  expect(toKib(String(value), unit)).toBe(kib);
});
