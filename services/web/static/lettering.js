/** Sets the title of a poster: in lines that fit, by the widths that the fonts of this machine have. */

const SIZES = [[9, 40], [18, 31], [34, 25], [Infinity, 20]];
const LEAST_WHOLE = 16;
const MOST_BROKEN = 20;
const LEAST = 13;
const LINES = 5;
const MEASURED = 100;
const UNSPACED = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]/u;
const VOWEL = /^[AEIOUYÀ-ÆÈ-ÏÒ-ÖØ-ÝАЕЁИОУЫЭЮЯІЇЄΑΕΗΙΟΥΩ]$/u;
const canvas = document.createElement("canvas").getContext("2d");
const segments = new Intl.Segmenter(undefined, { granularity: "word" });

/** `{lines, size}`: the largest size at which a title fits a width, in five lines at most. */
export function typeset(title, serif, room) {
  const words = wordsOf(title.normalize("NFC").toUpperCase());
  const width = measure(serif);
  const largest = SIZES.find(([letters]) => title.length <= letters)[1];
  for (let size = largest; size >= LEAST_WHOLE; size -= 1) {
    const lines = wrapped(words, room / size, width);
    if (lines.length <= LINES && lines.every((line) => width(line) * size <= room)) return { lines, size };
  }
  for (let size = Math.min(largest, MOST_BROKEN); size >= LEAST; size -= 1) {
    const lines = wrapped(broken(words, room / size, width), room / size, width);
    if (lines.length <= LINES) return { lines, size };
  }
  return { lines: shortened(wrapped(broken(words, room / LEAST, width), room / LEAST, width)), size: LEAST };
}

/** The width of a text in ems. */
function measure(serif) {
  const style = getComputedStyle(document.documentElement);
  const family = style.getPropertyValue(serif ? "--serif" : "--display");
  canvas.font = `${serif ? 700 : 800} ${MEASURED}px ${family}`;
  return (text) => canvas.measureText(text).width / MEASURED;
}

/** `{text, joint}`: what may stand on a line of its own, and what joins it to the words before it. */
function wordsOf(title) {
  return title.split(/\s+/).filter(Boolean).flatMap((text) => (UNSPACED.test(text) ? unspaced(text) : hyphened(text)));
}

/** A word may go on in the next line after each of its own hyphens. */
function hyphened(text) {
  return text.split(/(?<=[-–—/])(?=.)/u).map((part, at) => ({ text: part, joint: at ? "" : " " }));
}

/** The words of a script that has no spaces; a sign stays with the word before it. */
function unspaced(text) {
  const words = [];
  for (const { segment, isWordLike } of segments.segment(text)) {
    if (isWordLike || !words.length) words.push({ text: segment, joint: words.length ? "" : " " });
    else words.at(-1).text += segment;
  }
  return words;
}

function wrapped(words, room, width) {
  const lines = [];
  for (const { text, joint } of words) {
    const longer = lines.length ? lines.at(-1) + joint + text : "";
    if (longer && joint !== "\n" && width(longer) <= room) lines[lines.length - 1] = longer;
    else lines.push(text);
  }
  return lines;
}

function broken(words, room, width) {
  return words.flatMap((word) => (width(word.text) <= room ? [word] : parts(word, room, width)));
}

/** A word in parts of about one length, with hyphens where its script has them. */
function parts({ text, joint }, room, width) {
  const hyphen = UNSPACED.test(text) || text === text.toLowerCase() ? "" : "-";
  const letters = [...text];
  const found = [];
  while (width(letters.join("")) > room && letters.length > 1) {
    const n = Math.ceil(width(letters.join("")) / room);
    let cut = Math.ceil(letters.length / n);
    while (cut > 1 && width(letters.slice(0, cut).join("") + hyphen) > room) cut -= 1;
    found.push(letters.splice(0, syllable(letters, cut)).join("") + hyphen);
  }
  return [...found, letters.join("")].map((part, at) => ({ text: part, joint: at ? "\n" : joint }));
}

/** The last place up to `cut`, within four letters, at which a consonant before a vowel begins a syllable. */
function syllable(letters, cut) {
  for (let at = cut; at > Math.max(1, cut - 4); at -= 1) {
    if (!VOWEL.test(letters[at]) && VOWEL.test(letters[at + 1])) return at;
  }
  return cut;
}

function shortened(lines) {
  const shown = lines.slice(0, LINES);
  return [...shown.slice(0, -1), `${shown.at(-1).replace(/.-?$/u, "")}…`];
}
