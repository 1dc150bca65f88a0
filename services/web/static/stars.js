/**
 * A rating in half stars: a native range input, drawn as stars.
 *
 * Moving it only stages a value; Enter, leaving it, or a rest of 800 ms sends. So arrow keys do not write one rating a step.
 */

import { h, rested, svg } from "./dom.js";
import { half, starsAloud } from "./words.js";

const REST_MS = 800;
const MIDDLE = 3;
const STAR = "M12 2.6l2.9 6 6.6.9-4.8 4.6 1.2 6.5L12 17.5l-5.9 3.1 1.2-6.5L2.5 9.5l6.6-.9z";
const FORWARD = ["ArrowRight", "ArrowUp"];
const BACK = ["ArrowLeft", "ArrowDown"];

const row = (kind) =>
  svg(
    "svg",
    { class: `stars-row ${kind}`, viewBox: "0 0 120 24", "aria-hidden": "true", focusable: "false" },
    [0, 1, 2, 3, 4].map((i) => svg("path", { d: STAR, transform: `translate(${i * 24} 0)` })),
  );

/** `{element, show(value), staged()}`; `send(value)` is called once a value is meant. */
export function createStars({ label, value = null, send }) {
  let sent = value;
  let shown = value;
  const input = h("input", { type: "range", min: 0.5, max: 5, step: 0.5, value: value ?? MIDDLE, "aria-label": label });
  const figure = h("span", { class: "stars-figure", "aria-hidden": "true" });
  const element = h("div", { class: "stars" }, h("div", { class: "stars-face" }, row("empty"), row("full"), input), figure);

  const draw = () => {
    input.value = shown ?? MIDDLE;
    input.setAttribute("aria-valuetext", starsAloud(shown));
    element.style.setProperty("--stars", shown ?? 0);
    element.dataset.state = shown === null ? "unrated" : shown === sent ? "sent" : "staged";
    figure.textContent = shown === null ? "" : half(shown);
  };
  const commit = () => {
    rest.cancel();
    if (shown === null || shown === sent) return;
    sent = shown;
    draw();
    send(sent);
  };
  const rest = rested(commit, REST_MS);
  const stage = (next) => {
    shown = Math.min(5, Math.max(0.5, next));
    draw();
    rest();
  };
  const revert = () => {
    rest.cancel();
    shown = sent;
    draw();
  };

  input.addEventListener("input", () => stage(Number(input.value)));
  input.addEventListener("blur", commit);
  input.addEventListener("keydown", (event) => {
    const staged = shown !== sent;
    const next = valueAfter(event.key, shown);
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (next !== undefined) stage(next);
    else if (event.key === "Enter") commit();
    else if (event.key === "Escape" && staged) revert();
    else return;
    event.preventDefault();
  });
  // A click on the place where an unrated range already stands changes nothing for the browser, but means that value here.
  input.addEventListener("click", () => {
    stage(Number(input.value));
    commit();
  });
  previewUnderPointer(input, element);
  draw();

  return {
    element,
    input,
    staged: () => shown !== sent,
    show(next) {
      if (shown !== sent && document.activeElement === input) return;
      sent = next;
      revert();
    },
  };
}

/** The value that a key leads to, or undefined where the key means something else. */
function valueAfter(key, shown) {
  if (/^[1-5]$/.test(key)) return Number(key);
  if (FORWARD.includes(key) || key === "+") return shown === null ? MIDDLE : shown + 0.5;
  if (BACK.includes(key) || key === "-") return shown === null ? MIDDLE : shown - 0.5;
  if (key === ".") return shown === null ? 0.5 : Math.floor(shown) + 0.5;
  if (key === "Home") return 0.5;
  if (key === "End") return 5;
  return undefined;
}

function previewUnderPointer(input, element) {
  input.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "mouse" || event.buttons) return;
    const box = input.getBoundingClientRect();
    const halves = Math.ceil(((event.clientX - box.left) / box.width) * 10);
    element.style.setProperty("--hover", Math.min(10, Math.max(1, halves)) / 2);
    element.classList.add("hovered");
  });
  for (const end of ["pointerleave", "pointerdown"]) {
    input.addEventListener(end, () => element.classList.remove("hovered"));
  }
}
