import {
  VirConnectListAllSecretsFlags,
  VirErrorNumber,
  VirSecretDefineFlags,
} from "../../../generated/libvirt/index.ts";
import { REMOTE_SECRET_LIST_MAX } from "../../../generated/remote/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import { checkFlags } from "../driver-errors.ts";
import { checkListCount } from "../list-count.ts";
import { type FilterGroups, filtered, flagsOf, listAnswer } from "../object-list.ts";
import { formatUuid } from "../uuid.ts";
import { formatSecretXml, parseSecretXml, secretError } from "./secret-xml.ts";
import type { Secret, Secrets } from "./secrets.ts";

const F = VirConnectListAllSecretsFlags;
/** @source virSecretObjMatch, libvirt src/conf/virsecretobj.c. */
const filters: FilterGroups<Secret> = [
  [
    [F.VIR_CONNECT_LIST_SECRETS_EPHEMERAL, ({ definition }) => definition.ephemeral],
    [F.VIR_CONNECT_LIST_SECRETS_NO_EPHEMERAL, ({ definition }) => !definition.ephemeral],
  ],
  [
    [F.VIR_CONNECT_LIST_SECRETS_PRIVATE, ({ definition }) => definition.private],
    [F.VIR_CONNECT_LIST_SECRETS_NO_PRIVATE, ({ definition }) => !definition.private],
  ],
];
const NO_FLAGS = 0;

/** Secrets. A private one's value is for the hypervisor alone: no client is told. */
export function secretProcedures(secrets: Secrets) {
  return {
    connectNumOfSecrets: () => ({ num: [...secrets].length }),
    connectListSecrets({ maxuuids }) {
      checkListCount("maxuuids", maxuuids, "REMOTE_SECRET_LIST_MAX", REMOTE_SECRET_LIST_MAX);
      return { uuids: [...secrets].slice(0, maxuuids).map(({ definition }) => formatUuid(definition.uuid)) };
    },
    connectListAllSecrets({ needResults, flags }) {
      checkFlags(flags, flagsOf(filters), "virConnectListAllSecrets");
      const references = filtered(secrets, filters, flags).map(({ reference }) => reference);
      const { found, ret } = listAnswer(references, needResults);
      return { secrets: found, ret };
    },
    secretLookupByUuid: ({ uuid }) => ({ secret: secrets.find({ uuid }).reference }),
    secretLookupByUsage: ({ usageType, usageID }) => ({ secret: secrets.byUsage(usageType, usageID).reference }),
    secretDefineXml({ xml, flags }) {
      checkFlags(flags, VirSecretDefineFlags.VIR_SECRET_DEFINE_VALIDATE, "virSecretDefineXML");
      return { secret: secrets.define(parseSecretXml(xml)).reference };
    },
    secretGetXmlDesc({ secret, flags }) {
      checkFlags(flags, NO_FLAGS, "virSecretGetXMLDesc");
      return { xml: formatSecretXml(secrets.find(secret).definition) };
    },
    secretSetValue({ secret, value, flags }) {
      checkFlags(flags, NO_FLAGS, "virSecretSetValue");
      secrets.setValue(secrets.find(secret), value);
    },
    secretGetValue({ secret, flags }) {
      checkFlags(flags, NO_FLAGS, "virSecretGetValue");
      const { definition, value } = secrets.find(secret);
      if (definition.private) throw secretError(VirErrorNumber.VIR_ERR_INVALID_SECRET, "secret is private");
      if (value === undefined) {
        const detail = `secret '${formatUuid(definition.uuid)}' does not have a value`;
        throw secretError(VirErrorNumber.VIR_ERR_NO_SECRET, detail);
      }
      return { value: Uint8Array.from(value) };
    },
    secretUndefine: ({ secret }) => secrets.undefine(secrets.find(secret)),
    connectSecretEventRegisterAny: ({ eventID, secret }, { session }) => ({
      callbackID: secrets.registrations.register(
        session,
        eventID,
        secret === null ? undefined : formatUuid(secret.uuid),
      ),
    }),
    connectSecretEventDeregisterAny({ callbackID }, { session }) {
      secrets.registrations.deregister(session, callbackID);
    },
  } satisfies DriverHandlers;
}
