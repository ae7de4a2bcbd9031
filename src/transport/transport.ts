import type { BufferPool, Lease } from "../buffer/index.ts";

/** The kind of pipe. */
export type TransportKind = "unix" | "tcp" | "tls" | "ssh" | "libssh" | "libssh2" | "ext" | "ws" | "wss" | "pair";

/** Who is at the other end, as far as the pipe knows. */
export interface PeerIdentity {
  readonly transport: TransportKind;
  /**
   * `unix:/run/x-sock`, `tcp://127.0.0.1:16509`, `tls://host:16514`, `ssh://user@host`, `ext:/usr/bin/program`,
   * `wss://host/path`, `pair:`. For an accepted connection, where it comes from.
   */
  readonly address: string;
  /**
   * Whether nobody on the way can read along, as libvirt counts: unix, tls and ssh do, tcp and ext do not. It decides
   * which SASL mechanisms may be used.
   */
  readonly secure: boolean;
  /** Whether the pipe itself leads to this machine. What a program (ssh, ext) makes of it is its own affair. */
  readonly local: boolean;
  readonly security: {
    /** Whether the pipe itself encrypts. */
    readonly encrypted: boolean;
    /** Bits of the cipher's key where they are known (TLS), else 0: SASL's external security strength. */
    readonly ssf: number;
  };
  /** What TLS agreed on, and the other side's certificate. */
  readonly tls?: TlsIdentity;
  /** The program behind the pipe and its arguments (ssh, ext), or the command at the far end (libssh). */
  readonly command?: readonly string[];
}

export interface TlsIdentity {
  /** `TLSv1.3` */
  readonly protocol: string;
  /** IANA's name: `TLS_AES_256_GCM_SHA384`. */
  readonly cipher: string;
  /** `CN=host, O=example`; undefined where the other side showed no certificate. */
  readonly subject: string | undefined;
  /** The subject as libvirt writes it, `O=example,CN=host`, in the order of the certificate. Of clients only. */
  readonly distinguishedName?: string;
  readonly issuer: string | undefined;
  /** SHA-256 of the certificate, hexadecimal with colons. */
  readonly fingerprint256: string | undefined;
  /** Whether the certificate was found good; false only where nobody asked for that. */
  readonly verified: boolean;
}

/** Makes bytes outlive the call that brought them. @param part a view of the chunk, or of a part of it */
export type Keep = (part: Uint8Array) => Lease;

/** Takes what a transport reads. Never called before `start` has returned, nor after `close`. */
export interface TransportSink {
  /**
   * Bytes in order, at least one, as a plain Uint8Array. They are valid during this call only: what is needed longer
   * is copied, or kept, which copies nothing as a rule: the lease is on the memory that the bytes were read into.
   * `keep` is only for this call, too; not every pipe has one.
   */
  bytes(chunk: Uint8Array, keep?: Keep): void;
  /** The pipe is no more: closed by the other side, or broken where there is an error. Called once, as the last. */
  end(error?: Error): void;
}

/** A connected, ordered, two-way byte pipe. It knows nothing about messages. */
export interface Transport {
  readonly peer: PeerIdentity;
  /** Starts reading. Once only. */
  start(sink: TransportSink): void;
  /** Stops reading, which is how back-pressure reaches the other side. A chunk on its way may still come. */
  pause(): void;
  resume(): void;
  /**
   * Sends the parts in order. Dropped when the pipe is closed.
   * @returns true when they have gone out or were copied, and there is room for more. False when the pipe is full: wait
   *   for `drained()` before the next write; the parts must not change before that.
   */
  write(parts: readonly Uint8Array[]): boolean;
  /** Resolves when there is room again, or when the pipe is no more. Never rejects. */
  drained(): Promise<void>;
  /**
   * Closes the pipe: after everything written has gone out, or at once where a reason is given.
   * Resolves when it is closed. Never rejects.
   */
  close(reason?: Error): Promise<void>;
}

export interface DialOptions extends PoolOptions {
  /** Gives up: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface PoolOptions {
  /** What is read goes into memory of this pool. Default: the one that all share. */
  readonly pool?: BufferPool | undefined;
}
