import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** The mirror that this machine's own apt reads Debian's main archive from. */
async function mirror(): Promise<string> {
  const format = "$(REPO_URI) $(RELEASE) $(COMPONENT)";
  const { stdout } = await run("apt-get", ["indextargets", "--format", format, "Created-By: Packages"]);
  const targets = stdout.split("\n").map((line) => line.split(" "));
  const main = targets.find(([, release, component]) => component === "main" && /^[a-z]+$/.test(release ?? ""));
  if (main?.[0] === undefined) throw new Error("this machine's apt has no Debian release among its sources");
  return main[0];
}

/** Why Debian's source packages cannot be read here, or undefined. */
export function aptObstacle(): string | undefined {
  if (!existsSync("/usr/bin/apt-get")) return "there is no apt-get";
  if (!existsSync("/usr/bin/xz")) return "there is no xz: apt-get install xz-utils";
  if (!existsSync(keyring)) return `there is no ${keyring}`;
  return undefined;
}

/** One suite of Debian, with package lists and cache in a folder of its own: nothing of the machine's apt is touched. */
export class DebianSuite implements AsyncDisposable {
  readonly #dir: string;
  readonly #options: readonly string[];

  private constructor(dir: string) {
    this.#dir = dir;
    const settings = {
      "Dir::Etc::SourceList": join(dir, "sources.list"),
      "Dir::Etc::SourceParts": "-",
      "Dir::Etc::Preferences": "-",
      "Dir::Etc::PreferencesParts": "-",
      "Dir::State::Lists": join(dir, "lists"),
      "Dir::Cache": join(dir, "cache"),
      "APT::Sandbox::User": "root",
      "Acquire::Retries": "3",
      "Acquire::Languages": "none",
    };
    this.#options = ["-q", ...Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`])];
  }

  /** @param kind whether to read the list of source packages or of binary ones */
  static async open(suite: string, kind: "deb" | "deb-src" = "deb-src"): Promise<DebianSuite> {
    const dir = await mkdtemp(join(tmpdir(), "debian-"));
    const opened = new DebianSuite(dir);
    try {
      for (const folder of ["lists/partial", "cache/archives/partial", "work"]) {
        await mkdir(join(dir, folder), { recursive: true });
      }
      await writeFile(join(dir, "sources.list"), `${kind} [signed-by=${keyring}] ${await mirror()} ${suite} main\n`);
      await opened.#apt("update");
    } catch (error) {
      await opened[Symbol.asyncDispose]();
      throw error;
    }
    return opened;
  }

  /**
   * Fetches the source of a package, unpacks the `.x` files of its tarball, and returns where they are and what its
   * version is. apt checks the tarball against the signed list.
   */
  async protocolFiles(source: string): Promise<{ root: string; version: string; patched: string[] }> {
    // The two tarballs only: the .dsc says nothing that the signed list does not say too.
    await this.#apt("source", "--download-only", "--tar-only", source);
    await this.#apt("source", "--download-only", "--diff-only", source);
    const work = join(this.#dir, "work");
    const files = await readdir(work);
    const tarball = files.find((name) => name.includes(".orig.tar."));
    const packaging = files.find((name) => name.includes(".debian.tar."));
    if (tarball === undefined || packaging === undefined) throw new Error(`no source of ${source}: ${files.join(" ")}`);
    await run("tar", ["xf", tarball, "--wildcards", "*.x"], { cwd: work });
    const { stdout: patches } = await run("tar", ["xOf", packaging, "--wildcards", "debian/patches/*"], {
      cwd: work,
      maxBuffer: 1 << 26,
    });
    const folder = (await readdir(work, { withFileTypes: true })).find((entry) => entry.isDirectory());
    if (folder === undefined) throw new Error(`nothing in ${tarball}`);
    return {
      root: join(work, folder.name),
      version: tarball.replace(/^[^_]+_/, "").replace(/\.orig\.tar\..*$/, ""),
      patched: [...patches.matchAll(/^\+\+\+ (.*\.x)$/gm)].map(([, name = ""]) => name),
    };
  }

  /** Fetches a binary package and unpacks it, without installing it. */
  async unpacked(name: string): Promise<string> {
    const work = join(this.#dir, "work");
    await this.#apt("download", name);
    const file = (await readdir(work)).find((entry) => entry.startsWith(`${name}_`) && entry.endsWith(".deb"));
    if (file === undefined) throw new Error(`no package ${name}`);
    await run("dpkg-deb", ["-x", file, join(work, name)], { cwd: work });
    return join(work, name);
  }

  async #apt(...args: string[]): Promise<void> {
    await run("apt-get", [...this.#options, ...args], {
      cwd: join(this.#dir, "work"),
      timeout: 300_000,
      maxBuffer: 1 << 26,
      env: { ...process.env, LC_ALL: "C.UTF-8" },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#dir, { recursive: true, force: true });
  }
}
