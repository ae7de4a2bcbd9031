/**
 * Whether text matches a pattern in which `*` stands for any characters and `?` for one. In a time that grows with the
 * product of both lengths at most and without a copy of either, because names that clients make up are megabytes long.
 * @source g_pattern_match_simple, which libvirt compares names with
 */
export function matchesGlob(pattern: string, text: string): boolean {
  let p = 0;
  let star = -1;
  let starAt = 0;
  for (let t = 0; t < text.length; ) {
    if (pattern[p] === "*") {
      star = p++;
      starAt = t;
    } else if (pattern[p] === "?") {
      p++;
      t += (text.codePointAt(t) as number) > 0xffff ? 2 : 1;
    } else if (pattern[p] === text[t]) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1; // the star takes one more
      t = ++starAt;
    } else {
      return false;
    }
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}
