/** The genres as chips: real checkboxes, several at once. */

import { h, rested } from "./dom.js";
import { inks } from "./palette.js";

const REST_MS = 120;

export function createGenres(place, pick) {
  const boxes = [];
  const chosen = () => boxes.filter((box) => box.checked).map((box) => box.value);
  const clear = h("button", { type: "button", class: "link" }, "Clear");
  const settle = rested(() => pick(chosen()), REST_MS);
  const changed = () => {
    clear.hidden = chosen().length === 0;
    settle();
  };
  clear.hidden = true;
  clear.addEventListener("click", () => {
    boxes.forEach((box) => {
      box.checked = false;
    });
    boxes[0].focus();
    changed();
  });

  function chip({ name }) {
    const box = h("input", { type: "checkbox", name: "genre", value: name, onchange: changed });
    const dot = h("span", { class: "dot", "aria-hidden": "true" });
    dot.style.setProperty("--ink", inks(name).light);
    boxes.push(box);
    return h("label", { class: "chip" }, box, dot, h("span", {}, name));
  }

  return {
    show(items) {
      boxes.length = 0;
      const legend = h("legend", { class: "unseen" }, "Genres");
      place.replaceChildren(h("fieldset", { class: "chips" }, legend, items.map(chip), clear));
    },
    reset() {
      boxes.forEach((box) => {
        box.checked = false;
      });
      clear.hidden = true;
    },
  };
}
