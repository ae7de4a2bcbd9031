import { channel } from "node:diagnostics_channel";
import { harmless } from "../rpc/index.ts";
import type { ClientIdentity, Session } from "./session.ts";

interface AboutClient {
  /** Of the server's session. */
  readonly session: number;
  /** Where the client comes from: `unix:/run/x-sock`, `tls://[::1]:40312`. */
  readonly address: string;
  /** As far as it was known then. All of an event can be written as JSON. */
  readonly identity: Omit<ClientIdentity, "unixProcessTime">;
}

/** What somebody who answers for a host wants to know later. Nothing in it is a secret. */
export type AuditEvent =
  | (AboutClient & {
      readonly type: "login";
      /** `none`, `polkit`, or the SASL mechanism. */
      readonly mechanism: string;
    })
  | (AboutClient & {
      readonly type: "login-failed";
      readonly mechanism: string;
      /** Whom the client said to be; as long as it likes, up to 256 characters. */
      readonly user?: string;
      /** Why, which the client does not learn. */
      readonly reason: string;
    })
  | (AboutClient & {
      readonly type: "denied" | "allowed";
      /** `DOMAIN_SUSPEND`. What lists and events leave out is not told. */
      readonly procedure: string;
      /** `domain:suspend` */
      readonly right: string;
      /** What it is about: a name, a UUID, or what stands for it. */
      readonly object?: string;
    })
  | (AboutClient & {
      readonly type: "disconnect";
      /** `admin`: an administrator ended the connection. `login`: it failed to log in too often. */
      readonly by: "admin" | "login";
    });

export interface AuditOptions {
  /** Learns of logins and refusals. Must not take long. */
  readonly onAudit?: (event: AuditEvent) => void;
  /** Tells also of every call that was allowed. Default false: that is a lot. */
  readonly auditAllowed?: boolean;
}

/** What every event says of its client. */
export function aboutClient({ id, identity, client }: Session): AboutClient {
  const { unixProcessTime: _ticks, ...rest } = client;
  return { session: id, address: identity.address, identity: rest };
}

const audits = channel("virtwire:audit");

/** Tells whoever listens: the channel `virtwire:audit`, and the server's own listener. */
export function audit({ onAudit }: AuditOptions, event: AuditEvent): void {
  if (audits.hasSubscribers) audits.publish(event);
  harmless(() => onAudit?.(event));
}
