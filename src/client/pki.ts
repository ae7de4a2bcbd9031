import type { System } from "./system.ts";

/** Where the files for TLS are. All but the CA's need not exist. */
export interface PkiFiles {
  readonly ca: string;
  readonly crl: string;
  readonly cert: string;
  readonly key: string;
}

const systemFiles: PkiFiles = {
  ca: "/etc/pki/CA/cacert.pem",
  crl: "/etc/pki/CA/cacrl.pem",
  cert: "/etc/pki/libvirt/clientcert.pem",
  key: "/etc/pki/libvirt/private/clientkey.pem",
};

/**
 * Finds a client's files for TLS: all in `pkipath` where one is given. Else each in the user's ~/.pki/libvirt if it is
 * there, certificate and key as a pair, or in the system's /etc/pki. Root has the system's only.
 * @source virNetTLSContextLocateCredentials, libvirt src/rpc/virnettlscontext.c
 */
export async function pkiFiles(pkipath: string | undefined, system: System): Promise<PkiFiles> {
  const flat = (dir: string): PkiFiles => ({
    ca: `${dir}/cacert.pem`,
    crl: `${dir}/cacrl.pem`,
    cert: `${dir}/clientcert.pem`,
    key: `${dir}/clientkey.pem`,
  });
  if (pkipath !== undefined) return flat(pkipath);
  if (system.uid === 0) return systemFiles;
  const user = flat(`${system.home}/.pki/libvirt`);
  const has = (path: string) => system.access(path, "exists");
  const [ca, crl, cert, key] = await Promise.all([has(user.ca), has(user.crl), has(user.cert), has(user.key)]);
  const { cert: userCert, key: userKey } = cert && key ? user : systemFiles;
  return { ca: (ca ? user : systemFiles).ca, crl: (crl ? user : systemFiles).crl, cert: userCert, key: userKey };
}
