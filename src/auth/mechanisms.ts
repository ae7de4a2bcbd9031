import type { SaslClient, SaslContext } from "./mechanism.ts";

export interface Mechanism {
  readonly name: string;
  /** Whether it can encrypt the connection afterwards. One that cannot is for transports that do. */
  readonly layer: boolean;
  /** Whether it is used only by who asks for it by name. */
  readonly byName?: boolean;
  /** Loads what it needs, and begins a login. */
  readonly client: (context: SaslContext) => Promise<SaslClient>;
}

const scram = (hash: "SHA-1" | "SHA-256" | "SHA-512"): Mechanism => ({
  name: `SCRAM-${hash}`,
  layer: false,
  client: async (context) => new (await import("./scram.ts")).ScramClient(hash, context),
});

/**
 * The most trusted first. Each is loaded when it is used: MD5 and DES come from Node. libvirt's client takes GSSAPI
 * before SCRAM; here it comes after, because to find out that there is no ticket can take a while.
 */
export const mechanisms: readonly Mechanism[] = [
  scram("SHA-512"),
  scram("SHA-256"),
  scram("SHA-1"),
  {
    name: "GSSAPI",
    layer: false,
    client: async (context) => {
      const { GssapiClient, loadKerberos } = await import("./gssapi.ts");
      return new GssapiClient(context, await loadKerberos());
    },
  },
  {
    name: "DIGEST-MD5",
    layer: true,
    client: async (context) => new (await import("./digest-md5.ts")).DigestMd5Client(context),
  },
  {
    name: "CRAM-MD5",
    layer: false,
    client: async (context) => new (await import("./cram-md5.ts")).CramMd5Client(context),
  },
  {
    name: "PLAIN",
    layer: false,
    client: async (context) => (await import("./plain.ts")).plain(context),
  },
  {
    name: "EXTERNAL",
    layer: false,
    byName: true,
    client: async (context) => (await import("./plain.ts")).external(context),
  },
  {
    name: "ANONYMOUS",
    layer: false,
    client: async () => (await import("./plain.ts")).anonymous(),
  },
];
