import { VirErrorLevel, VirErrorNumber } from "../generated/libvirt/index.ts";
import type { VirNetMessageDomain, VirNetMessageError, VirNetMessageNetwork } from "../generated/netmessage/index.ts";
import { errorTemplates } from "./error-templates.ts";

/** What an error carries beside its code: virNetMessageError without code, domain, message and level. */
export interface VirtErrorExtra {
  /** For ordinary errors, the template of the message. */
  readonly str1?: string | null;
  /** For ordinary errors, the detail that was put in. */
  readonly str2?: string | null;
  readonly str3?: string | null;
  /** For VIR_ERR_SYSTEM_ERROR, errno. -1 for ordinary errors. */
  readonly int1?: number;
  readonly int2?: number;
  /** The guest that it is about. No daemon of today says so. */
  readonly dom?: VirNetMessageDomain;
  /** The network that it is about, likewise. */
  readonly net?: VirNetMessageNetwork;
}

/**
 * What a daemon answered, or what we answer in its words. The numbers are libvirt's (virErrorNumber,
 * virErrorDomain, virErrorLevel), kept even where this version does not know them. The connection goes on.
 */
export class VirtError extends Error {
  override readonly name = "VirtError";
  /** virErrorNumber. Compare this, never the text. */
  readonly code: number;
  /** virErrorDomain: which part of libvirt speaks. */
  readonly domain: number;
  /** virErrorLevel. */
  readonly level: number;
  readonly str1: string | null;
  readonly str2: string | null;
  readonly str3: string | null;
  readonly int1: number;
  readonly int2: number;
  readonly dom: VirNetMessageDomain;
  readonly net: VirNetMessageNetwork;

  constructor(
    message: string,
    code: number,
    domain: number,
    level: number = VirErrorLevel.VIR_ERR_ERROR,
    extra: VirtErrorExtra = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.domain = domain;
    this.level = level;
    this.str1 = extra.str1 ?? null;
    this.str2 = extra.str2 ?? null;
    this.str3 = extra.str3 ?? null;
    this.int1 = extra.int1 ?? -1;
    this.int2 = extra.int2 ?? -1;
    this.dom = extra.dom ?? null;
    this.net = extra.net ?? null;
  }

  /**
   * Reads an error reply. The numbers stay what the daemon said. libvirt's client makes VIR_ERR_NO_SUPPORT of a text
   * that begins with `unknown procedure`; here a connection compares releases instead, without looking at texts.
   */
  static fromMessage(error: VirNetMessageError): VirtError {
    const { code, domain, level, message } = error;
    return new VirtError(message ?? "Unknown error", code, domain, level, error);
  }

  toMessage(): VirNetMessageError {
    const { code, domain, message, level, dom, str1, str2, str3, int1, int2, net } = this;
    return { code, domain, message, level, dom, str1, str2, str3, int1, int2, net };
  }
}

/**
 * An error in libvirt's words: the template of the code, with the detail put in.
 * `virtError(VirErrorNumber.VIR_ERR_NO_DOMAIN, VirErrorDomain.VIR_FROM_QEMU, "no domain with matching name 'x'")`
 * says `Domain not found: no domain with matching name 'x'`.
 * @source virRaiseErrorFull and virErrorMsg, libvirt src/util/virerror.c
 */
export function virtError(code: number, domain: number, detail?: string, options?: ErrorOptions): VirtError {
  const templates = errorTemplates[code];
  const template = detail === undefined ? templates?.[0] : templates?.[1];
  const message =
    template === undefined ? (detail ?? "Unknown error") : template.replace(/%1\$s|%s/, () => detail ?? "");
  const extra = { str1: template ?? null, str2: detail ?? null };
  return new VirtError(message, code, domain, VirErrorLevel.VIR_ERR_ERROR, extra, options);
}

/**
 * VIR_ERR_SYSTEM_ERROR: a detail, the system's text for it and errno.
 * @source virReportSystemErrorFull, libvirt src/util/virerror.c
 */
export function systemError(domain: number, errno: number, text: string, detail?: string): VirtError {
  const message = detail === undefined ? text : `${detail}: ${text}`;
  const extra = { str1: "%s", str2: message, int1: errno };
  return new VirtError(message, VirErrorNumber.VIR_ERR_SYSTEM_ERROR, domain, VirErrorLevel.VIR_ERR_ERROR, extra);
}
