import type { BenchResult } from "../harness/result.ts";

/** Behind the name of a peer whose decoded value was made to own its memory. */
export const OWNED = "-owned";

export interface Ratios {
  /** Of the peers, in the order in which they come. */
  readonly names: string[];
  readonly rows: { readonly label: string; readonly ratios: Record<string, number> }[];
}

/** `stats.decode/c` to the row `stats.decode` and the peer `c`. */
export function ratiosByRow({ ratios }: BenchResult): Ratios {
  const rows = new Map<string, Record<string, number>>();
  const names = new Set<string>();
  for (const [key, ratio] of Object.entries(ratios)) {
    const slash = key.lastIndexOf("/");
    const name = key.slice(slash + 1);
    const label = key.slice(0, slash);
    names.add(name);
    rows.set(label, { ...rows.get(label), [name]: ratio });
  }
  return { names: [...names], rows: [...rows].map(([label, ratios]) => ({ label, ratios })) };
}
