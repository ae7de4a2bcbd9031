// What the transports want to know. Types alone, so that naming them loads nothing.

/** A file's path, or its contents: bytes, or a text with a PEM header in it. */
export type PemSource = string | Uint8Array;

export interface TlsOptions {
  /** A name or an address, IPv6 without brackets. The server's certificate must be for it. */
  readonly host: string;
  readonly port: number;
  /** The CA's certificate, or several. Wanted unless `verify` is false. */
  readonly ca?: PemSource;
  /**
   * The client's certificate, its issuers behind it, and its key. Files that do not exist count as not given, as a
   * pair: whether the server asks for a certificate is its affair.
   */
  readonly cert?: PemSource;
  readonly key?: PemSource;
  /** Revoked certificates. A file that does not exist counts as not given. */
  readonly crl?: PemSource;
  /** Whether the server's certificate must be good. Default true; the URI's `no_verify`. */
  readonly verify?: boolean;
  /** Whether our own certificate files are looked through first. Default true; the URI's `no_sanity`. */
  readonly sanity?: boolean;
  /** GnuTLS' priority string, the URI's `tls_priority`. Default NORMAL. */
  readonly priority?: string;
}

/** The server's side of TLS. */
export interface TlsServerOptions {
  /** The server's certificate, its issuers behind it, and its key. */
  readonly cert: PemSource;
  readonly key: PemSource;
  /** The CA that clients' certificates come from, or several. Wanted unless `verify` is false. */
  readonly ca?: PemSource;
  /** Revoked certificates of clients. A file that does not exist counts as not given. */
  readonly crl?: PemSource;
  /** Whether clients need a good certificate. Default true; false is libvirtd's `tls_no_verify_certificate`. */
  readonly verify?: boolean;
  /**
   * Who is let in, of those with a good certificate: patterns with `*` and `?` for its distinguished name as libvirt
   * writes it, `C=GB,O=example,CN=*`. Default everybody; an empty list is nobody. libvirtd's `tls_allowed_dn_list`.
   */
  readonly allowedNames?: readonly string[];
  /**
   * Likewise for its subjectAltName, of which one name has to fit: `*.example.org`, `192.0.2.*`. Default: none is
   * looked at, as in libvirt.
   */
  readonly allowedAltNames?: readonly string[];
  /** Whether our own certificate files are looked through first. Default true; libvirtd's `tls_no_sanity_certificate`. */
  readonly sanity?: boolean;
  /** GnuTLS' priority string. Default NORMAL. */
  readonly priority?: string;
  /** Milliseconds for the handshake. Default 10000. */
  readonly handshakeTimeout?: number;
}

/** What runs on a host that ssh leads to, and makes the way to the daemon's socket. */
export interface RemoteCommand {
  /** Default auto, which a given `netcat` makes netcat. */
  readonly proxy?: "auto" | "netcat" | "native";
  /** The remote `nc`, default `nc`. */
  readonly netcat?: string;
  /** The daemon's socket, for `nc`. */
  readonly socket: string;
  /** The driver's URI, for virt-ssh-helper: without transport and host, with `mode` and `socket`. */
  readonly uri: string;
  readonly readOnly?: boolean;
}

export interface SshOptions {
  readonly host: string;
  readonly port?: number;
  readonly user?: string;
  readonly keyfile?: string;
  /** Asks nothing on a terminal: `BatchMode=yes`. Default false. */
  readonly noTty?: boolean;
  /** Takes any host key: `StrictHostKeyChecking=no`. Default false. */
  readonly noVerify?: boolean;
  /** Our own ssh program, the URI's `command`. Default `ssh`. */
  readonly command?: string;
  readonly remote: RemoteCommand;
}

export interface ExtOptions {
  /** A program that takes no arguments; its input and output are the pipe. */
  readonly command: string;
}

export type SshMethod = "agent" | "privkey" | "password" | "keyboard-interactive";

/** Something that only the user knows. */
export interface SshQuestion {
  /** `host-key` wants `y` for an answer; `prompt` comes from the host. */
  readonly kind: "password" | "passphrase" | "prompt" | "host-key";
  /** What to show. */
  readonly prompt: string;
  /** Whether the answer may be shown as it is typed. */
  readonly echo: boolean;
  readonly user: string;
  readonly host: string;
  /** 0, then one more each time the answer was wrong. */
  readonly attempt: number;
}

export interface LibsshOptions {
  /** Which of libvirt's two names this goes by; they do the same here. Default libssh. */
  readonly transport?: "libssh" | "libssh2";
  readonly host: string;
  /** Default 22. */
  readonly port?: number;
  /** Default root. */
  readonly user?: string;
  /** Default: the first of identity, id_dsa, id_ecdsa, id_ed25519 and id_rsa in ~/.ssh that exists. */
  readonly keyfile?: string;
  /** The file of known hosts, which new keys are added to. Default: none are known. */
  readonly knownHosts?: string;
  /** What becomes of an unknown host: asked about, taken, or not even looked up. Default normal. */
  readonly knownHostsVerify?: "normal" | "auto" | "ignore";
  /** Ways to log in, in this order. Default agent, privkey (where there is a key), password, keyboard-interactive. */
  readonly methods?: readonly SshMethod[];
  /** The agent's socket. Default SSH_AUTH_SOCK. */
  readonly agent?: string;
  /** Answers a question; undefined gives up this way of logging in. Default: no question has an answer. */
  readonly ask?: (question: SshQuestion, signal: AbortSignal) => Promise<string | undefined>;
  readonly remote: RemoteCommand;
}

export interface WebSocketOptions {
  /** `ws:` or `wss:`. */
  readonly url: string;
  /** Subprotocols to offer. Default none. */
  readonly protocols?: readonly string[];
  /** Bytes in the largest message taken. Default 33554436, libvirt's largest packet. */
  readonly maxMessage?: number;
  /**
   * Bytes that may wait unread, each message counted with 256 more, before the connection is given up. A browser's
   * websocket cannot be told to wait; in Node reading stops instead. Default 67108864.
   */
  readonly maxUnread?: number;
  /** Only in Node: headers of the request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Only in Node, for `wss:`: PEM contents. Default: the CAs that Node trusts. */
  readonly ca?: string | Uint8Array;
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  /** Only in Node: false takes any certificate. Default true. */
  readonly verify?: boolean;
}
