/** JSON whose ids stay what they are. */

const LONG = /(?<![\d.])\d{16}/;
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/**
 * The value of a JSON text. Integers that a number cannot hold, as ids may be, become strings of their digits: the API
 * takes an id in either form.
 */
export function parseJson(text: string): unknown {
  return JSON.parse(LONG.test(text) ? text.replace(TOKEN, (token) => (isTooLong(token) ? `"${token}"` : token)) : text);
}

function isTooLong(token: string): boolean {
  return /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token));
}
