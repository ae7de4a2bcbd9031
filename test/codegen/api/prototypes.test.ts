import { expect, test } from "vitest";
import { connection, kindOf, lowerFirst, methodName } from "../../../codegen/api/names.ts";
import { parseApi } from "../../../codegen/api/prototypes.ts";
import { CodegenError } from "../../../codegen/diagnostics.ts";

test("api/parse: a prototype, what its parameters are to a caller, and what is noted", () => {
  const { functions, fields } = parseApi(
    [
      "/*",
      " * Prose.",
      " */",
      "/* ---- libvirt-domain.h ---- */",
      "/** @procedure: qemu DOMAIN_X @since: 1.2.3 @enum: flags=virA, type=virB @optional: a, b @id: gone @about: In KiB. */",
      "const char *virDomainX(virDomainPtr domain, out char ** const names, size int maxnames, const unsigned char *uuid);",
      "/** @since: 0.1.0 @by: process */",
      "int virInitialize(void);",
      "/** @type: int, uint @since: 1.0.0 */",
      '#define VIR_X "x.y"',
    ].join("\n"),
    "x.api",
  );
  expect(functions[0]).toEqual({
    name: "virDomainX",
    returns: "const char *",
    header: "libvirt-domain.h",
    at: { file: "x.api", line: 6, column: 1 },
    since: "1.2.3",
    procedure: { program: "qemu", name: "DOMAIN_X" },
    parameters: [
      { name: "domain", type: "virDomainPtr", role: "in" },
      { name: "names", type: "char ** const", role: "out" },
      { name: "maxnames", type: "int", role: "size" },
      { name: "uuid", type: "const unsigned char *", role: "in" },
    ],
    enums: new Map([
      ["flags", "virA"],
      ["type", "virB"],
    ]),
    strings: false,
    optional: ["a", "b"],
    id: "gone",
    about: "In KiB.",
  });
  expect(functions[1]).toMatchObject({ name: "virInitialize", parameters: [], by: "process" });
  expect(fields).toEqual([{ name: "VIR_X", value: "x.y", types: ["int", "uint"], since: "1.0.0" }]);
});

test.each([
  ["a release is missing", "int virX(void);"],
  ["a release is missing", "/** @since: 1 */\nint virX(void);"],
  ["a prototype, a #define or a comment is expected", "/** @since: 1.0.0 */\nint virX(void)"],
  ["a prototype, a #define or a comment is expected", "/** @since: 1.0.0 */\nint virX(int);"],
  ["unknown annotation @sinse", "/** @sinse: 1.0.0 @since: 1.0.0 */\nint virX(void);"],
  ["@by: nobody is not known", "/** @since: 1.0.0 @by: nobody */\nint virX(void);"],
  ["@by: toString is not known", "/** @since: 1.0.0 @by: toString */\nint virX(void);"],
  ["@id is gone or returned", "/** @since: 1.0.0 @id: kept */\nint virX(void);"],
  ["no type of a typed parameter: float", '/** @since: 1.0.0 @type: float */\n#define X "x"'],
])("api/parse: refused: %s", (why, text) => {
  expect(() => parseApi(text, "x.api")).toThrow(CodegenError);
  expect(() => parseApi(text, "x.api")).toThrow(why);
});

test("api/parse: every mistake at once", () => {
  const diagnostics = (() => {
    try {
      parseApi("int virA(void);\nint virB(void);", "x.api");
    } catch (error) {
      return (error as CodegenError).diagnostics;
    }
    return [];
  })();
  expect(diagnostics.map(({ at }) => at.line)).toEqual([1, 2]);
});

test.each([
  ["virDomainGetInfo", "int", "virDomainPtr", "getInfo"],
  ["virDomainFSTrim", "int", "virDomainPtr", "fsTrim"],
  ["virDomainPMWakeup", "int", "virDomainPtr", "pmWakeup"],
  ["virConnectListAllDomains", "int", "virConnectPtr", "listAllDomains"],
  ["virNodeGetInfo", "int", "virConnectPtr", "nodeGetInfo"],
  ["virDomainRestore", "int", "virConnectPtr", "domainRestore"],
  ["virDomainLookupByName", "virDomainPtr", "virConnectPtr", "lookupDomainByName"],
  ["virDomainDefineXMLFlags", "virDomainPtr", "virConnectPtr", "defineXMLFlags"],
  ["virDomainCreateXML", "virDomainPtr", "virConnectPtr", "createXML"],
  ["virNetworkDefineXML", "virNetworkPtr", "virConnectPtr", "defineNetworkXML"],
  ["virNWFilterBindingLookupByPortDev", "virNWFilterBindingPtr", "virConnectPtr", "lookupNWFilterBindingByPortDev"],
  ["virNodeDeviceLookupSCSIHostByWWN", "virNodeDevicePtr", "virConnectPtr", "lookupNodeDeviceSCSIHostByWWN"],
  ["virStorageVolCreateXMLFrom", "virStorageVolPtr", "virStoragePoolPtr", "createStorageVolXMLFrom"],
  ["virStoragePoolLookupByVolume", "virStoragePoolPtr", "virStorageVolPtr", "lookupStoragePoolByVolume"],
  ["virDomainSnapshotLookupByName", "virDomainSnapshotPtr", "virDomainPtr", "lookupSnapshotByName"],
  ["virDomainSnapshotCurrent", "virDomainSnapshotPtr", "virDomainPtr", "snapshotCurrent"],
  ["virDomainSnapshotGetParent", "virDomainSnapshotPtr", "virDomainSnapshotPtr", "getParent"],
  ["virDomainRevertToSnapshot", "int", "virDomainSnapshotPtr", "revertToSnapshot"],
  ["virNetworkPortLookupByUUID", "virNetworkPortPtr", "virNetworkPtr", "lookupPortByUUID"],
  ["virDomainSaveImageDefineXML", "int", "virConnectPtr", "domainSaveImageDefineXML"],
  ["virNodeDeviceCreate", "int", "virNodeDevicePtr", "create"],
])("api/names: %s", (name, returns, handle, method) => {
  expect(methodName(name, returns, kindOf(handle) ?? connection)).toBe(method);
});

test.each([
  ["GetInfo", "getInfo"],
  ["ID", "id"],
  ["XMLDesc", "xmlDesc"],
  ["a", "a"],
  ["", ""],
])("api/names: %j begins small", (name, small) => {
  expect(lowerFirst(name)).toBe(small);
});
