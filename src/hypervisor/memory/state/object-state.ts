import type { Host } from "../host.ts";
import { parseInterfaceXml } from "../interface/interface-xml.ts";
import { formatNetworkXml, parseNetworkXml } from "../network/network-xml.ts";
import { parseBindingXml, parseFilterXml } from "../nwfilter/nwfilter-xml.ts";
import { formatSecretXml, parseSecretXml } from "../secret/secret-xml.ts";
import { formatUuid } from "../uuid.ts";
import { formatOnce } from "./format-once.ts";
import type { StateSource } from "./store.ts";

const networkXml = formatOnce(formatNetworkXml);
const secretXml = formatOnce(formatSecretXml);

/** What is kept of a host beside its domains and its storage: what stays when it is shut down. */
export function objectStates({ networks, interfaces, secrets, nwfilters }: Host): StateSource[] {
  const { list } = networks;
  return [
    {
      kind: "networks",
      objects: () =>
        [...list].flatMap(({ uuid, config, autostart }) =>
          config === undefined ? [] : [{ key: formatUuid(uuid), xml: networkXml(config), extra: { autostart } }],
        ),
      restore({ xml, extra }) {
        const definition = parseNetworkXml(xml);
        const network = list.claim(definition, "any");
        network.config = definition;
        network.autostart = extra.autostart === true;
        if (network.autostart) network.run(definition);
        list.add(network);
      },
    },
    {
      kind: "interfaces",
      objects: () =>
        [...interfaces].map(({ definition: { name, xml }, active }) => ({ key: name, xml, extra: { active } })),
      restore({ xml, extra }) {
        const { name } = interfaces.define(parseInterfaceXml(xml));
        if (extra.active === true) interfaces.setActive(name, true);
      },
    },
    {
      kind: "secrets",
      objects: () =>
        [...secrets].flatMap(({ definition, value }) => {
          if (definition.ephemeral) return [];
          const extra = { value: value === undefined ? null : Buffer.from(value).toString("base64") };
          return [{ key: formatUuid(definition.uuid), xml: secretXml(definition), extra }];
        }),
      restore({ xml, extra }) {
        const secret = secrets.define(parseSecretXml(xml));
        if (typeof extra.value === "string") secret.value = Buffer.from(extra.value, "base64");
      },
    },
    {
      kind: "nwfilters",
      objects: () => [...nwfilters.filters].map(({ uuid, xml }) => ({ key: formatUuid(uuid), xml, extra: {} })),
      restore: ({ xml }) => nwfilters.filters.add(parseFilterXml(xml)),
    },
    {
      kind: "nwfilter-bindings",
      objects: () => [...nwfilters.bindings.values()].map(({ portDev, xml }) => ({ key: portDev, xml, extra: {} })),
      restore({ key, xml }) {
        nwfilters.bindings.set(key, parseBindingXml(xml));
      },
    },
  ];
}
