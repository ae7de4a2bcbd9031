/** What read-only connections may not do, where the rights of the procedure's file do not say so. */
import { expect, test } from "vitest";
import { remoteDescription } from "../../src/generated/remote/index.ts";
import { checkReadOnly } from "../../src/server/index.ts";

const { procedures } = remoteDescription;

// Held against virCheckReadOnlyGoto of libvirt 9.0.0's src/libvirt-*.c, all functions.
test.each([
  ["virDomainSetSchedulerParameters", procedures.domainSetSchedulerParameters],
  ["virDomainGetLaunchSecurityInfo", procedures.domainGetLaunchSecurityInfo],
  ["virNodeGetSEVInfo", procedures.nodeGetSevInfo],
  ["virNodeDeviceGetAutostart", procedures.nodeDeviceGetAutostart],
])("%s is refused, although its procedure wants no more than the right to read", (api, procedure) => {
  expect(() => checkReadOnly(procedure, { flags: 0 })).toThrow(`read only access prevents ${api}`);
});
