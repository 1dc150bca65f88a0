/** Two inks a genre, light and deep, for posters and chips. */

import { seeded } from "./chance.js";

const INKS = {
  Action: ["#ff6b3d", "#4a0d12"],
  Adventure: ["#ffb347", "#5a2a0a"],
  Animation: ["#5ee0e6", "#3b1466"],
  Children: ["#ffe066", "#12506b"],
  Comedy: ["#ffd23f", "#7a1f3d"],
  Crime: ["#e63946", "#14171f"],
  Documentary: ["#b7d3a8", "#1f3b37"],
  Drama: ["#e8a598", "#2a1e4a"],
  Fantasy: ["#c9a0ff", "#1d1457"],
  "Film-Noir": ["#e4e2da", "#0f0f12"],
  Horror: ["#ff4d4d", "#1a0508"],
  IMAX: ["#7cc6ff", "#062a52"],
  Musical: ["#ff8ad8", "#4b0a4f"],
  Mystery: ["#8fb8de", "#15202f"],
  Romance: ["#ff9aa8", "#6b1030"],
  "Sci-Fi": ["#5cf2d6", "#08263f"],
  Thriller: ["#f2c14e", "#10312f"],
  War: ["#d8c48f", "#2d3320"],
  Western: ["#f2a65a", "#4d1f12"],
};
const NONE = ["#c3c7d4", "#23262f"];

const KNOWN = new Map(Object.entries(INKS).map(([name, pair]) => [name.toLowerCase(), pair]));

/** `{light, deep}` of a genre; one that a catalogue of its own has gets two inks by its name. */
export function inks(genre) {
  const name = genre?.toLowerCase();
  const [light, deep] = name ? (KNOWN.get(name) ?? mixed(name)) : NONE;
  return { light, deep };
}

/** As bright and as dark as the others, so that words can be read on them; only the hue is free. */
function mixed(name) {
  const random = seeded(name);
  const hue = Math.round(random() * 360);
  const turned = Math.round(hue + 20 + random() * 40) % 360;
  return [`hsl(${hue} 88% 74%)`, `hsl(${turned} 55% 15%)`];
}
