const ms = { name: "ms", size: 1 };
const kB = { name: "kB", size: 1000 };

interface Figure {
  /** In the result's figures. */
  readonly key: string;
  readonly label: string;
  readonly unit: typeof ms;
}

/** Figures that have to stay below a limit, which is in their unit. */
export const limits: readonly (Figure & { readonly limit: number })[] = [
  { key: "generate.10000.ms", label: "generate 10,000 structs", limit: 5000, unit: ms },
  { key: "import.client.ms", label: 'import "virtwire"', limit: 80, unit: ms },
  { key: "import.remote.ms", label: 'import "virtwire/protocol/remote"', limit: 25, unit: ms },
  { key: "import.qemu.ms", label: 'import "virtwire/protocol/qemu"', limit: 25, unit: ms },
  { key: "import.netmessage.ms", label: 'import "virtwire/protocol/netmessage"', limit: 25, unit: ms },
  { key: "bundle.connect.gzip.bytes", label: "browser bundle: connect", limit: 25, unit: kB },
  { key: "bundle.connectTransport.gzip.bytes", label: "browser bundle: connectTransport", limit: 25, unit: kB },
  { key: "bundle.Peer.gzip.bytes", label: "browser bundle: Peer", limit: 25, unit: kB },
  { key: "heap.lazy.bytes", label: "heap for iterating over 32 MiB of stats", limit: 1000, unit: kB },
];

/** Figures to compare those with. */
export const others: readonly Figure[] = [
  { key: "bundle.whole.gzip.bytes", label: "browser bundle: all of virtwire", unit: kB },
  { key: "heap.eager.bytes", label: "heap for 32 MiB of stats decoded at once", unit: kB },
];
