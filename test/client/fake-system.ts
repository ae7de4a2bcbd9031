import type { System } from "../../src/client/system.ts";
import { VirErrorDomain } from "../../src/generated/libvirt/index.ts";
import { systemError } from "../../src/rpc/index.ts";

/** A machine of its own: files are texts by their path, programs are noted and not run. */
export interface FakeSystem extends System {
  readonly started: { program: string; args: readonly string[]; env: Readonly<Record<string, string>> }[];
  readonly made: string[];
}

export function fakeSystem(
  files: Readonly<Record<string, string>> = {},
  { uid = 0, home = "/home/me", env = {}, unreadable = [], onStart = async () => {} }: Partial<Overrides> = {},
): FakeSystem {
  const started: FakeSystem["started"] = [];
  const made: string[] = [];
  return {
    uid,
    home,
    env,
    started,
    made,
    access: async (path, how) => path in files && (how === "exists" || !unreadable.includes(path)),
    async readText(path, limit) {
      const text = files[path];
      if (unreadable.includes(path)) throw systemError(VirErrorDomain.VIR_FROM_NONE, 13, "EACCES", `Failed: ${path}`);
      if (text !== undefined && text.length > limit) throw new Error("more than the limit");
      return text;
    },
    makeDirectory: async (path) => {
      made.push(path);
    },
    startDaemon: async (program, args, environment) => {
      started.push({ program, args, env: environment });
      await onStart(program);
    },
  };
}

interface Overrides {
  uid: number;
  home: string;
  env: Readonly<Record<string, string>>;
  /** Files that are there, but that this user may not read. */
  unreadable: readonly string[];
  onStart: (program: string) => Promise<void>;
}
