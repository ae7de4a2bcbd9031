import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { systemError, virtError } from "../rpc/index.ts";
import { parseKeyFile } from "./key-file.ts";
import { type System, thisSystem, userConfigDirectory } from "./system.ts";
import type { ConnectUri } from "./uri.ts";

/** Bytes. GLib sets no limit; a file of passwords has no reason to be larger. */
const MAX_AUTH = 1 << 20;

/** What auth.conf says about one service on one host. */
export interface Credentials {
  /** Whom to act as. */
  readonly username?: string;
  /** Who logs in. */
  readonly authname?: string;
  readonly password?: string;
  readonly realm?: string;
}

/**
 * Looks up credentials.
 * @param service `libvirt` for SASL, `ssh` for ssh's passwords
 * @param host as the URI has it. Default localhost
 *
 * Rejects with a VirtError: VIR_ERR_CONF_SYNTAX for what is malformed, VIR_ERR_SYSTEM_ERROR for a file that cannot be
 * read.
 */
export type CredentialLookup = (service: string, host: string | undefined) => Promise<Credentials | undefined>;

/**
 * The auth.conf that belongs to a URI: LIBVIRT_AUTH_FILE, or its `authfile`, or the user's own, or the system's,
 * whichever comes first. It is read when credentials are first wanted, and then once.
 * @source virAuthGetConfigFilePathURI, libvirt src/util/virauth.c; virAuthConfigLookup, libvirt src/util/virauthconfig.c
 */
export function authConf(uri: ConnectUri, system?: System): CredentialLookup {
  let reading: Promise<AuthFile | undefined> | undefined;
  return async (service, host = "localhost") => {
    reading ??= (async () => readAuthFile(uri, system ?? (await thisSystem())))();
    const file = await reading;
    return file === undefined ? undefined : find(file, service, host);
  };
}

interface AuthFile {
  readonly path: string;
  readonly groups: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

async function readAuthFile(uri: ConnectUri, system: System): Promise<AuthFile | undefined> {
  const path = await authFilePath(uri, system);
  if (path === undefined) return undefined;
  const text = await system.readText(path, MAX_AUTH);
  const ENOENT = 2;
  if (text === undefined) {
    throw systemError(
      VirErrorDomain.VIR_FROM_AUTH,
      ENOENT,
      "No such file or directory",
      `Failed to read file '${path}'`,
    );
  }
  return { path, groups: parseKeyFile(path, text) };
}

async function authFilePath(uri: ConnectUri, system: System): Promise<string | undefined> {
  const named = system.env.LIBVIRT_AUTH_FILE ?? uri.parameters.get("authfile");
  if (named !== undefined) return named;
  for (const path of [`${userConfigDirectory(system)}/auth.conf`, "/etc/libvirt/auth.conf"]) {
    if (await system.access(path, "read")) return path;
  }
  return undefined;
}

function find({ path, groups }: AuthFile, service: string, host: string): Credentials | undefined {
  const name = [`auth-${service}-${host}`, `auth-${service}-default`].find((group) => groups.has(group));
  if (name === undefined) return undefined;
  const wanted = groups.get(name)?.get("credentials");
  if (wanted === undefined) throw malformed(`Missing item 'credentials' in group '${name}' in '${path}'`);
  const group = groups.get(`credentials-${wanted}`);
  if (group === undefined) {
    throw malformed(`Missing group 'credentials-${wanted}' referenced from group '${name}' in '${path}'`);
  }
  const keys = ["username", "authname", "password", "realm"] as const;
  return Object.fromEntries(
    keys.flatMap((key) => {
      const value = group.get(key);
      return value === undefined ? [] : [[key, value]];
    }),
  );
}

function malformed(detail: string) {
  return virtError(VirErrorNumber.VIR_ERR_CONF_SYNTAX, VirErrorDomain.VIR_FROM_NONE, detail);
}
