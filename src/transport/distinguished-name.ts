import type { X509Certificate } from "node:crypto";

/** GnuTLS' words where they are not OpenSSL's. */
const WORDS: Readonly<Record<string, string>> = { emailAddress: "EMAIL", street: "STREET" };

/**
 * A certificate's name as libvirt writes and compares it: in the order of the certificate, without blanks between.
 * Empty where it has no parts.
 */
export function distinguishedName(cert: X509Certificate): string {
  const subject: string | undefined = cert.subject; // undefined for an empty name, whatever the declaration says
  return (subject ?? "")
    .split("\n")
    .map((part) => part.replace(/^[^=]+/, (word) => WORDS[word] ?? word))
    .join(",");
}

/** Whether a pattern with `*` (any characters) and `?` (one) fits a whole text. @source g_pattern_match_simple */
export function matches(pattern: string, text: string): boolean {
  // No regular expression: one made of stars would take its time with a hostile name.
  let at = 0;
  let from = 0;
  let star = -1;
  let back = 0;
  while (at < text.length) {
    const wanted = pattern[from];
    if (wanted === "*") {
      star = from++;
      back = at;
    } else if (wanted === "?" || wanted === text[at]) {
      from++;
      at++;
    } else if (star >= 0) {
      from = star + 1;
      at = ++back;
    } else return false;
  }
  while (pattern[from] === "*") from++;
  return from === pattern.length;
}
