import { describe, expect, test } from "vitest";
import { type SecurityLayer, SecurityLayerTransport } from "../../src/auth/security-layer.ts";
import {
  connectListAllDomains,
  connectListAllDomainsRecords,
  domainEventLifecycle,
  domainLookupByUuid,
  domainSuspend,
  remoteDescription,
} from "../../src/generated/remote/index.ts";
import { Peer, virtError } from "../../src/rpc/index.ts";
import { createServer, serve } from "../../src/server/index.ts";
import { pair } from "../../src/transport/index.ts";
import { reusedBuffer } from "./reused-buffer.ts";

const domains = Array.from({ length: 40 }, (_, n) => ({
  name: `guest-${n}`,
  uuid: Uint8Array.from({ length: 16 }, (_, i) => n + i),
  id: n,
}));
const [first] = domains as [(typeof domains)[0]];

/** Both ends of a pipe between a client and a server, each of which reads in a buffer of its own. */
function connected(most: number, wrap: (transport: SecurityLayerTransport) => void) {
  const ends = pair().map((end) => {
    const layer = new SecurityLayerTransport(reusedBuffer(end, most));
    wrap(layer);
    return layer;
  });
  const [near, far] = ends as [SecurityLayerTransport, SecurityLayerTransport];
  const asked: Uint8Array[] = [];
  const server = createServer({
    programs: [
      serve(remoteDescription, {
        async domainLookupByUuid({ uuid }: { uuid: Uint8Array }) {
          asked.push(uuid);
          await Promise.resolve(); // the chunk is gone
          return { dom: { ...first, uuid } };
        },
        connectListAllDomains: () => ({ domains, ret: domains.length }),
        domainSuspend() {
          throw virtError(42, 20, "no such guest");
        },
      }),
    ],
  });
  const session = server.accept(far);
  if (session === undefined) throw new Error("not accepted");
  return { client: new Peer(near), server, session, asked };
}

/** Tokens that are what they carry: a decoder may hand out the token itself. */
const layer: SecurityLayer = { ssf: 56, maxPlain: 1000, maxToken: 1000, encode: (p) => p, decode: (token) => token };

describe.each<[string, (transport: SecurityLayerTransport) => void]>([
  ["plain", () => {}],
  ["behind a security layer", (transport) => transport.secure(layer)],
])("%s: the buffer that a transport reads in is used again", (_, wrap) => {
  test.each([1, 3, 27, 28, 29, 61, 1000, 65_536])("reused-buffer/kept: pieces of %i bytes", async (most) => {
    const { client, server, session, asked } = connected(most, wrap);
    const heard: unknown[] = [];
    client.on(domainEventLifecycle, (message) => heard.push(message));
    const uuids = domains.map(({ uuid }) => uuid);
    const found = uuids.map((uuid) => client.call(domainLookupByUuid, { uuid }));
    const refused = client.call(domainSuspend, { dom: first }).catch((error: unknown) => error);
    const list = client.call(connectListAllDomains, { needResults: 1, flags: 0 });
    const records = client.call(connectListAllDomainsRecords, { needResults: 1, flags: 0 });
    const events = domains.map((dom, event) => ({ dom, event, detail: 0 }));
    for (const event of events) session.send(domainEventLifecycle, event);
    expect(await Promise.all(found)).toEqual(uuids.map((uuid) => ({ dom: { ...first, uuid } })));
    expect(asked).toEqual(uuids);
    expect(await refused).toMatchObject({ code: 42, message: "Domain not found: no such guest" });
    expect((await list).domains).toEqual(domains);
    expect([...(await records).domains]).toEqual(domains);
    expect(heard).toEqual(events);
    await client.close();
    await server.close();
  });
});
