/** A poster for any film: colours from its genres, the drawing from its decade, the variation from its number. */

import { seeded } from "./chance.js";
import { svg } from "./dom.js";
import { drawingOf } from "./drawings.js";
import { typeset } from "./lettering.js";
import { inks } from "./palette.js";
import { readable } from "./words.js";

const WIDTH = 200;
const MARGIN = 14;
let drawn = 0;

/** The same film always gets the same poster; it is decoration beside the title, so hidden from screen readers. */
export function poster(film) {
  const random = seeded(film.movie_id);
  const first = inks(film.genres[0]);
  const second = inks(film.genres[1] ?? film.genres[0]);
  const colours = [first.light, second.light, inks(film.genres[2] ?? film.genres[0]).light];
  const id = `ink-${(drawn += 1)}`;
  return svg(
    "svg",
    { viewBox: "0 0 200 300", class: "poster-art", "aria-hidden": "true", focusable: "false", preserveAspectRatio: "xMidYMax slice" },
    svg("defs", {}, ground(id, first.deep, second.deep, random), shade(id)),
    svg("rect", { width: 200, height: 300, fill: `url(#${id})` }),
    drawingOf(film.year, random)(random, colours),
    svg("rect", { y: 130, width: 200, height: 170, fill: `url(#${id}-shade)` }),
    lettering(film, colours[0]),
  );
}

function ground(id, from, to, random) {
  const turn = `rotate(${Math.round(random() * 90)} .5 .5)`;
  return svg(
    "linearGradient",
    { id, gradientTransform: turn, x1: 0, y1: 0, x2: 1, y2: 1 },
    svg("stop", { offset: "0.1", "stop-color": from }),
    svg("stop", { offset: "1", "stop-color": to }),
  );
}

function shade(id) {
  return svg(
    "linearGradient",
    { id: `${id}-shade`, x1: 0, y1: 0, x2: 0, y2: 1 },
    svg("stop", { offset: "0", "stop-color": "#000", "stop-opacity": 0 }),
    svg("stop", { offset: "0.62", "stop-color": "#000", "stop-opacity": 0.78 }),
    svg("stop", { offset: "1", "stop-color": "#000", "stop-opacity": 0.92 }),
  );
}

function lettering(film, accent) {
  const old = Boolean(film.year && film.year < 1970);
  const { lines, size } = typeset(readable(film.title).replace(/ \(.*\)$/, ""), old, WIDTH - 2 * MARGIN);
  const bottom = 268 - (lines.length - 1) * size;
  return svg(
    "g",
    { class: old ? "lettering serif" : "lettering" },
    svg("rect", { x: MARGIN, y: bottom - size * 0.95 - 8, width: 26, height: 3, fill: accent }),
    lines.map((line, at) => svg("text", { x: MARGIN, y: bottom + at * size, "font-size": size * 0.94, fill: "#fff" }, line)),
    svg("text", { x: MARGIN, y: 286, "font-size": 11, "letter-spacing": 1.5, fill: accent }, String(film.year ?? "")),
  );
}
