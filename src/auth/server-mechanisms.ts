import type { SaslMechanism, SaslServer, SaslServerContext } from "./sasl-server.ts";
import type { ScramHash } from "./scram.ts";
import type { UserStore } from "./users.ts";

interface ServerMechanism {
  /** Whether it can encrypt the connection afterwards. */
  readonly layer: boolean;
  /** Whether the client says the first thing. */
  readonly clientFirst: boolean;
  /** Whether it is offered only where an administrator names it. */
  readonly named?: boolean;
  /** Whether it can be done with what is known of users, and of this client by its transport. */
  readonly possible: (users: UserStore, external: string | undefined) => boolean;
  readonly server: (context: SaslServerContext) => Promise<SaslServer>;
}

const scram = (hash: ScramHash): ServerMechanism => ({
  layer: false,
  clientFirst: true,
  possible: (users) => (users.scram === undefined ? users.password !== undefined : hashesOf(users).includes(hash)),
  server: async (context) => new (await import("./scram-server.ts")).ScramServer(hash, context),
});

/** What a store has SCRAM keys for. */
export function hashesOf({ hashes = ["SHA-256"] }: UserStore): readonly ScramHash[] {
  return hashes;
}

/** In the order in which they are offered. Clients have an order of their own. */
export const serverMechanisms: Readonly<Record<SaslMechanism, ServerMechanism>> = {
  "SCRAM-SHA-512": scram("SHA-512"),
  "SCRAM-SHA-256": scram("SHA-256"),
  "SCRAM-SHA-1": scram("SHA-1"),
  "DIGEST-MD5": {
    layer: true,
    clientFirst: false,
    possible: ({ password }) => password !== undefined,
    server: async (context) => new (await import("./digest-md5-server.ts")).DigestMd5Server(context),
  },
  PLAIN: {
    layer: false,
    clientFirst: true,
    possible: ({ scram: keys, password }) => keys !== undefined || password !== undefined,
    server: async (context) => new (await import("./plain-server.ts")).PlainServer(context),
  },
  EXTERNAL: {
    layer: false,
    clientFirst: true,
    named: true,
    possible: (_users, external) => external !== undefined,
    server: async (context) => new (await import("./plain-server.ts")).ExternalServer(context),
  },
  ANONYMOUS: {
    layer: false,
    clientFirst: true,
    named: true,
    possible: () => true,
    server: async () => new (await import("./plain-server.ts")).AnonymousServer(),
  },
};
