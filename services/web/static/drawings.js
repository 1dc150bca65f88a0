/** One way of drawing a decade; each takes a source of chance and three colours, and returns an SVG group. */

import { svg } from "./dom.js";

const group = (...marks) => svg("g", {}, marks);
const between = (random, low, high) => low + random() * (high - low);
const round = (value) => Math.round(value * 10) / 10;
const at = (colours, i) => colours[i % colours.length];
const times = (n, make) => Array.from({ length: n }, (_, i) => make(i));

/** Until 1949: the rays of a searchlight. */
function rays(random, colours) {
  const x = between(random, 40, 160);
  const y = between(random, 70, 150);
  const n = 8 + Math.floor(random() * 7);
  const turn = random() * Math.PI;
  const corner = (angle) => `${round(x + 330 * Math.cos(angle))},${round(y + 330 * Math.sin(angle))}`;
  const wedge = (i) => {
    const from = turn + (2 * Math.PI * i) / n;
    const points = `${round(x)},${round(y)} ${corner(from)} ${corner(from + Math.PI / n)}`;
    return svg("polygon", { points, fill: at(colours, i), opacity: 0.55 });
  };
  return group(times(n, wedge), svg("circle", { cx: x, cy: y, r: between(random, 22, 40), fill: colours[0] }));
}

/** The 1950s: overlapping discs. */
function discs(random, colours) {
  const disc = (i) =>
    svg("circle", {
      cx: between(random, 20, 180), cy: between(random, 20, 190), r: between(random, 22, 74), fill: at(colours, i), opacity: 0.62,
    });
  return group(times(4 + Math.floor(random() * 3), disc));
}

/** The 1960s: rings, as through a lens. */
function rings(random, colours) {
  const cx = between(random, 50, 150);
  const cy = between(random, 60, 150);
  const step = between(random, 13, 21);
  const ring = (i) => svg("circle", { cx, cy, r: round(step * (i + 0.6)), fill: "none", stroke: at(colours, i), "stroke-width": step * 0.55, opacity: 0.85 - i * 0.09 });
  return group(times(7, ring));
}

/** The 1970s: bands that sweep round a corner. */
function bands(random, colours) {
  const right = random() < 0.5;
  const width = between(random, 12, 20);
  const start = between(random, 40, 80);
  const band = (i) => {
    const r = start + i * width * 1.25;
    const d = right ? `M${200 - r} 0 V${r * 0.5} Q${200 - r} ${r + 60} 200 ${r + 60}` : `M${r} 0 V${r * 0.5} Q${r} ${r + 60} 0 ${r + 60}`;
    return svg("path", { d, fill: "none", stroke: at(colours, i), "stroke-width": width, opacity: 0.9 - i * 0.1 });
  };
  return group(times(5, band));
}

/** The 1980s: a sun going down over a grid. */
function sunset(random, colours) {
  const cx = between(random, 60, 140);
  const r = between(random, 44, 66);
  const cy = between(random, 85, 110);
  const slit = (i) => svg("rect", { x: 0, y: cy + r * 0.08 + i * r * 0.24, width: 200, height: 2 + i * 1.8, fill: "#0b0714", opacity: 0.85 });
  const spoke = (i) => svg("line", { x1: cx, y1: 150, x2: cx + (i - 5) * 70, y2: 300, stroke: colours[1], "stroke-width": 1.2, opacity: 0.6 });
  const level = (i) => svg("line", { x1: 0, x2: 200, y1: 176 + i * i * 9, y2: 176 + i * i * 9, stroke: colours[1], "stroke-width": 1.2, opacity: 0.6 });
  return group(svg("circle", { cx, cy, r, fill: colours[0] }), times(4, slit), times(11, spoke), times(4, level));
}

/** The 1990s: slanted bars. */
function bars(random, colours) {
  const lean = between(random, -55, 55);
  const n = 5 + Math.floor(random() * 4);
  const bar = (i) => {
    const width = between(random, 6, 26);
    const x = (i + 0.2) * (240 / n) - 20;
    const top = between(random, -20, 60);
    const points = `${round(x + lean)},${round(top)} ${round(x + width + lean)},${round(top)} ${round(x + width)},${round(between(random, 150, 250))} ${round(x)},${round(between(random, 150, 250))}`;
    return svg("polygon", { points, fill: at(colours, i), opacity: between(random, 0.5, 0.92) });
  };
  return group(times(n, bar));
}

/** The 2000s: waves. */
function waves(random, colours) {
  const moon = svg("circle", { cx: between(random, 40, 160), cy: between(random, 45, 80), r: between(random, 16, 34), fill: colours[0] });
  const wave = (i) => {
    const y = 80 + i * 26;
    const swing = between(random, 14, 46) * (i % 2 ? 1 : -1);
    const d = `M-10 ${y} C 50 ${round(y - swing)} 110 ${round(y + swing)} 210 ${round(y - swing / 2)} V300 H-10 Z`;
    return svg("path", { d, fill: at(colours, i + 1), opacity: 0.3 + i * 0.07 });
  };
  return group(moon, times(5, wave));
}

/** From 2010 on: facets. */
function facets(random, colours) {
  const size = 50;
  const marks = [];
  for (let row = 0; row < 5; row += 1) {
    for (let column = 0; column < 4; column += 1) {
      const [x, y] = [column * size, row * size];
      const halves = random() < 0.5
        ? [`${x},${y} ${x + size},${y} ${x},${y + size}`, `${x + size},${y} ${x + size},${y + size} ${x},${y + size}`]
        : [`${x},${y} ${x + size},${y} ${x + size},${y + size}`, `${x},${y} ${x + size},${y + size} ${x},${y + size}`];
      for (const points of halves) {
        marks.push(svg("polygon", { points, fill: at(colours, Math.floor(random() * 3)), opacity: round(random() ** 2 * 0.9) }));
      }
    }
  }
  return group(marks);
}

/** Also for the 1990s and 2000s: a city at night. */
function skyline(random, colours) {
  const moon = svg("circle", { cx: between(random, 40, 160), cy: between(random, 80, 105), r: between(random, 14, 26), fill: colours[0] });
  const house = (i) => {
    const width = between(random, 20, 34);
    const top = between(random, 90, 175);
    const x = i * 25 - 6;
    const window = (n) => svg("rect", { x: x + 5 + (n % 2) * 9, y: top + 9 + Math.floor(n / 2) * 15, width: 4, height: 7, fill: colours[2], opacity: random() < 0.5 ? 0.9 : 0.15 });
    return [svg("rect", { x, y: top, width, height: 220, fill: at(colours, i), opacity: 0.35 }), times(8, window)];
  };
  return group(moon, times(9, house));
}

/** Also for any decade from 1970 on: a target, cut in quarters. */
function quarters(random, colours) {
  const [cx, cy] = [between(random, 70, 130), between(random, 105, 130)];
  const quarter = (i) => {
    const r = between(random, 30, 88);
    const [x, y] = [Math.cos((i * Math.PI) / 2), Math.sin((i * Math.PI) / 2)];
    const d = `M${round(cx)} ${round(cy)} l${round(r * x)} ${round(r * y)} a${round(r)} ${round(r)} 0 0 1 ${round(r * (-y - x))} ${round(r * (x - y))} Z`;
    return svg("path", { d, fill: at(colours, i), opacity: between(random, 0.55, 0.95) });
  };
  return group(times(4, quarter));
}

const DECADES = [
  [1950, [rays, discs]],
  [1960, [discs, rings]],
  [1970, [rings, discs, bands]],
  [1980, [bands, rings, quarters]],
  [1990, [sunset, bands, quarters]],
  [2000, [bars, skyline, quarters]],
  [2010, [waves, skyline, quarters]],
];
const NEWEST = [facets, waves, quarters];

/** The drawing for a film of that year, one of its decade's; unknown years are drawn as the newest. */
export function drawingOf(year, random) {
  const styles = DECADES.find(([before]) => year && year < before)?.[1] ?? NEWEST;
  return styles[Math.floor(random() * styles.length)];
}
