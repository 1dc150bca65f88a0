/** One film of a row to browse: its poster with the toggle of the watchlist, why it is there, and the stars. */

import { h } from "./dom.js";
import { poster } from "./poster.js";
import { createRater } from "./rater.js";
import { createWatchToggle } from "./watch_toggle.js";
import { readable, why } from "./words.js";

/** `{element, sync(), show(item, title)}`; what the row's title says already is not said again. */
export function createTile(item, session) {
  const heading = `tile-${item.movie_id}`;
  const reason = h("p", { class: "tile-why" });
  const rater = createRater(item, session);
  const watch = createWatchToggle(item, session, rater.outcome, { bare: true });
  const element = h(
    "li",
    { class: "tile", "data-movie": item.movie_id, "aria-labelledby": heading },
    h("div", { class: "poster" }, poster(item), watch.element),
    h("h4", { id: heading }, readable(item.title), " ", item.year ? h("span", { class: "year" }, String(item.year)) : null),
    reason,
    rater.element,
  );
  return {
    element,
    sync: () => {
      rater.sync();
      watch.sync();
    },
    show(next, title) {
      const words = why(next, session.chosen);
      element.dataset.reason = next.reason;
      reason.textContent = words === title ? "" : words;
    },
  };
}
