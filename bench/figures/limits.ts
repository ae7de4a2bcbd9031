const ms = { name: "ms", size: 1 };
const kB = { name: "kB", size: 1000 };

/** What issue 3 asks for: each figure stays below its limit. */
export const limits: readonly {
  /** In the result's figures. */
  readonly key: string;
  readonly label: string;
  /** In `unit`. */
  readonly limit: number;
  readonly unit: typeof ms;
}[] = [
  { key: "generate.10000.ms", label: "generate 10,000 structs", limit: 5000, unit: ms },
  { key: "import.client.ms", label: 'import "virtwire"', limit: 80, unit: ms },
  { key: "import.remote.ms", label: 'import "virtwire/protocol/remote"', limit: 25, unit: ms },
  { key: "import.qemu.ms", label: 'import "virtwire/protocol/qemu"', limit: 25, unit: ms },
  { key: "import.netmessage.ms", label: 'import "virtwire/protocol/netmessage"', limit: 25, unit: ms },
  { key: "bundle.connect.gzip.bytes", label: "browser bundle: connect", limit: 25, unit: kB },
  { key: "bundle.connectTransport.gzip.bytes", label: "browser bundle: connectTransport", limit: 25, unit: kB },
  { key: "bundle.Peer.gzip.bytes", label: "browser bundle: Peer", limit: 25, unit: kB },
];
