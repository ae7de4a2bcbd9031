import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { runProcess } from "../lab/lab.ts";

const run = promisify(execFile);
const polkitd = "/usr/lib/polkit-1/polkitd";

/** Installs polkit and the bus that it needs, where they are missing. */
export async function setupPolkit(): Promise<void> {
  if ([polkitd, "/usr/bin/pkcheck", "/usr/bin/dbus-daemon"].every((file) => existsSync(file))) return;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const get = (...args: string[]) =>
    run("apt-get", ["-q", "-y", "-o", "DPkg::Lock::Timeout=600", ...args], { env, timeout: 600_000 });
  const install = () => get("install", "--no-install-recommends", "polkitd", "dbus-daemon");
  await install().catch(async () => {
    await get("update");
    await install();
  });
}

const doctype = (name: string, about: string, url: string) =>
  `<!DOCTYPE ${name} PUBLIC "-//freedesktop//DTD ${about} 1.0//EN" "http://www.freedesktop.org/standards/${url}.dtd">`;

/** A real polkitd with rules of its own, on a bus of its own, in a namespace where the system's actions are not seen. */
export class Polkit implements AsyncDisposable {
  /** Like pkcheck, for this polkitd. */
  readonly command: string;
  readonly #process: ChildProcess;

  private constructor(command: string, process: ChildProcess) {
    this.command = command;
    this.#process = process;
  }

  /**
   * @param dir a new folder for it
   * @param actions what may be asked, and who may without a rule: `no`, `yes`, `auth_admin`
   * @param rules JavaScript, polkit(8)
   */
  static async start(dir: string, actions: Readonly<Record<string, string>>, rules: string): Promise<Polkit> {
    const [actionDir, ruleDir] = [join(dir, "actions"), join(dir, "rules")];
    for (const folder of [dir, actionDir, ruleDir]) {
      await mkdir(folder, { recursive: true });
      await chmod(folder, 0o755);
    }
    const written = Object.entries(actions).map(
      ([id, who]) =>
        `<action id="${id}"><description>test</description><message>test</message><defaults>` +
        ["any", "inactive", "active"].map((session) => `<allow_${session}>${who}</allow_${session}>`).join("") +
        "</defaults></action>",
    );
    const policyType = doctype("policyconfig", "PolicyKit Policy Configuration", "PolicyKit/1/policyconfig");
    const policy = `<?xml version="1.0"?>\n${policyType}\n<policyconfig>\n${written.join("\n")}\n</policyconfig>\n`;
    await writeFile(join(actionDir, "org.libvirt.policy"), policy, { mode: 0o644 });
    await writeFile(join(ruleDir, "10.rules"), rules, { mode: 0o644 });
    const address = `unix:path=${join(dir, "bus")}`;
    const bus = `${doctype("busconfig", "D-Bus Bus Configuration", "dbus/1.0/busconfig")}
<busconfig><type>system</type><listen>${address}</listen><auth>EXTERNAL</auth><policy context="default">
<allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>\n`;
    await writeFile(join(dir, "bus.conf"), bus, { mode: 0o644 });
    const command = join(dir, "pkcheck");
    const script = `#!/bin/sh\nexport DBUS_SYSTEM_BUS_ADDRESS=${address}\nexec /usr/bin/pkcheck "$@"\n`;
    await writeFile(command, script, { mode: 0o755 });
    const inside = `set -e
mount --bind ${actionDir} /usr/share/polkit-1/actions
mount --bind ${ruleDir} /etc/polkit-1/rules.d
export DBUS_SYSTEM_BUS_ADDRESS=${address}
bus=$(dbus-daemon --config-file=${join(dir, "bus.conf")} --fork --print-pid=1 --nopidfile)
${polkitd} --no-debug &
polkit=$!
trap 'kill $polkit $bus' TERM
wait`;
    const child = spawn("unshare", ["--mount", "sh", "-c", inside], { stdio: "ignore" });
    const polkit = new Polkit(command, child);
    const [action = ""] = Object.keys(actions);
    for (;;) {
      const self = await runProcess(command, ["--process", String(process.pid), "--action-id", action]);
      if (self.code !== 127) return polkit;
      if (child.exitCode !== null) throw new Error(`polkitd did not start: ${self.stderr}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const gone = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    await gone;
  }
}
