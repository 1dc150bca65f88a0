/** Chance that is the same for the same id or name, in every browser. */

/** An id as a number: its own, or by FNV-1a where it is a string. */
function number(id) {
  if (typeof id === "number") return id;
  let hash = 0x811c9dc5;
  for (const letter of id) hash = Math.imul(hash ^ letter.codePointAt(0), 0x01000193);
  return hash;
}

/** mulberry32: small, quick, and the same in every browser. */
export function seeded(id) {
  let state = Math.imul(number(id) ^ 0x9e3779b9, 0x85ebca6b);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
