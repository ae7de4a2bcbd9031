import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Debian's own Python: libvirt's binding is a package of it. */
export const python = "/usr/bin/python3";

/** Installs libvirt's Python binding where it is missing. */
export async function setupPython(): Promise<void> {
  if (existsSync(python) && (await run(python, ["-c", "import libvirt, libvirt_qemu"]).then(known, unknown))) return;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const get = async (...args: string[]) => {
    await run("apt-get", ["-q", "-y", "-o", "DPkg::Lock::Timeout=600", ...args], { env, timeout: 600_000 });
  };
  const install = () => get("install", "--no-install-recommends", "python3-libvirt");
  // Package lists may be absent or too old: they are renewed only then.
  await install().catch(async () => {
    await get("update");
    await install();
  });
}

const known = (): boolean => true;
const unknown = (): boolean => false;
