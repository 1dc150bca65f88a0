/** Makes elements; the page has no templates and no inline styles, so that its security policy can be strict. */

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element: `h("button", {class: "x", onclick: f}, "text", child)`. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element, by the same rules as `h`. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

export const calm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Runs `task` once, when the calls have paused for `ms`. */
export function rested(task, ms) {
  let timer = 0;
  const run = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => task(...values), ms);
  };
  run.cancel = () => clearTimeout(timer);
  return run;
}

/** Calls `late(stage)` at each of `stages` (ms) for as long as `work` is unsettled. */
export async function whileWaiting(work, stages, late) {
  const timers = stages.map((ms) => setTimeout(() => late(ms), ms));
  try {
    return await work;
  } finally {
    timers.forEach(clearTimeout);
  }
}
