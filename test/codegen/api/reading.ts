import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Api, planApi } from "../../../codegen/api/plan.ts";
import { type ApiFile, parseApi } from "../../../codegen/api/prototypes.ts";
import { type Loaded, loadModule } from "../../../codegen/loader.ts";

export const root = join(import.meta.dirname, "../../..");

/** `protocol/libvirt.api`, as `npm run generate` reads it. */
export function libvirtApi(): ApiFile {
  return parseApi(readFileSync(join(root, "protocol/libvirt.api"), "utf8"), "protocol/libvirt.api");
}

/** And what becomes of it. */
export function plannedApi(): Api {
  const cache = new Map<string, Loaded>();
  const modules = ["libvirt", "remote", "qemu", "lxc"].map(
    (name) => loadModule(join(root, `protocol/${name}.x`), { cache }).module,
  );
  return planApi(libvirtApi(), modules);
}
