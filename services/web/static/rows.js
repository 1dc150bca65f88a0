/** The rows of a panel, one for each of its films: the newest first. When the row with the focus leaves, its neighbour has it. */

import { h } from "./dom.js";

/** `{element, sync(films, make)}`; `make(film)` gives a new row: `{element, show(film)}`. */
export function createRows(heading) {
  const element = h("ul", { class: "rows", role: "list", "aria-labelledby": heading.id });
  const rows = new Map();

  function sync(films, make) {
    for (const [id, row] of rows) if (!films.has(id)) remove(id, row);
    for (const [id, film] of films) if (!rows.has(id)) add(id, make(film));
    for (const [id, row] of rows) row.show(films.get(id));
  }

  function add(id, row) {
    rows.set(id, row);
    element.prepend(row.element);
  }

  function remove(id, row) {
    const neighbour = row.element.nextElementSibling ?? row.element.previousElementSibling;
    const focused = row.element.contains(document.activeElement);
    row.element.remove();
    rows.delete(id);
    if (focused) (neighbour?.querySelector("button.button") ?? heading).focus();
  }

  return { element, sync };
}
