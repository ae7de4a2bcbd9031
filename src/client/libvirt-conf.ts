import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { virtError } from "../rpc/index.ts";
import { ConfFile } from "./conf-file.ts";
import { type System, thisSystem, userConfigDirectory } from "./system.ts";
import { type ConnectUri, parseUri } from "./uri.ts";

/** MAX_CONFIG_FILE_SIZE, libvirt src/util/virconf.c: bytes */
const MAX_CONFIG = 10 << 20;

export interface ResolveOptions {
  /** Whether names from libvirt.conf's `uri_aliases` may stand for URIs. Default true; false is VIR_CONNECT_NO_ALIASES. */
  readonly aliases?: boolean | undefined;
  /** libvirt.conf. Default: read. */
  readonly conf?: ConfFile | undefined;
  /** Default: this machine. */
  readonly system?: System | undefined;
}

export interface ResolvedUri {
  readonly uri: ConnectUri;
  /** libvirt.conf, which also has a say in how it is dialled. */
  readonly conf: ConfFile;
}

/**
 * Finds the URI that is meant: the one given, or else LIBVIRT_DEFAULT_URI, or else libvirt.conf's `uri_default`, each
 * of which may be an alias; or none, so that the daemon on this machine chooses.
 *
 * Rejects with a VirtError for a wrong URI, alias or file.
 * @source virConnectOpenInternal, libvirt src/libvirt.c
 */
export async function resolveUri(given: string | undefined, options: ResolveOptions = {}): Promise<ResolvedUri> {
  const system = options.system ?? (await thisSystem());
  const conf = options.conf ?? (await libvirtConf(system));
  const text = given || system.env.LIBVIRT_DEFAULT_URI || conf.string("uri_default") || "";
  // `xen` is short for a URI before aliases have their turn.
  const direct = given?.toLowerCase() === "xen" || options.aliases === false;
  const meant = text === "" || direct ? text : (findAlias(conf, text) ?? text);
  return { uri: parseUri(meant), conf };
}

/**
 * Reads libvirt.conf: root's is in /etc, everybody else has their own. A file that is not there says nothing.
 * Rejects with a VirtError: VIR_ERR_CONF_SYNTAX with file and line, VIR_ERR_SYSTEM_ERROR if it cannot be read.
 */
export async function libvirtConf(system: System): Promise<ConfFile> {
  const path = `${system.uid === 0 ? "/etc/libvirt" : userConfigDirectory(system)}/libvirt.conf`;
  return new ConfFile(path, (await system.readText(path, MAX_CONFIG)) ?? "");
}

/** @source virURIFindAliasMatch, libvirt src/util/viruri.c: a malformed entry is an error if it comes before the match. */
function findAlias(conf: ConfFile, text: string): string | undefined {
  for (const entry of conf.strings("uri_aliases")) {
    const equals = entry.indexOf("=");
    const wrong =
      equals < 0
        ? "expected 'alias=uri://host/path'"
        : /[^A-Za-z0-9_-]/.test(entry.slice(0, equals))
          ? "aliases may only contain 'a-Z, 0-9, _, -'"
          : undefined;
    if (wrong !== undefined) {
      const detail = `${conf.where("uri_aliases")}: Malformed 'uri_aliases' config entry '${entry}', ${wrong}`;
      throw virtError(VirErrorNumber.VIR_ERR_CONF_SYNTAX, VirErrorDomain.VIR_FROM_URI, detail);
    }
    if (entry.slice(0, equals) === text) return entry.slice(equals + 1);
  }
  return undefined;
}
