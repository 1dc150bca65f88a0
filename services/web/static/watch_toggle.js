/** The toggle of one film that puts it on the viewer's watchlist and takes it off. */

import { h, svg } from "./dom.js";
import { refuse } from "./rater.js";
import { readable, WATCHLIST } from "./words.js";

const RIBBON = "M3 1.5h8v11L7 9.4l-4 3.1z";

/** `{element, sync()}`; `outcome` is where a refusal is said. A bare one shows its sign alone. */
export function createWatchToggle(film, session, outcome, { bare = false } = {}) {
  const sign = svg("svg", { class: "ribbon", viewBox: "0 0 14 14", "aria-hidden": "true", focusable: "false" }, svg("path", { d: RIBBON }));
  const element = h(
    "button",
    { type: "button", class: bare ? "watch bare" : "button small watch", "aria-pressed": "false", "aria-label": WATCHLIST.toggleAloud(readable(film.title)) },
    sign,
    bare ? null : WATCHLIST.toggle,
  );
  let sending = false;

  const show = (pressed) => element.setAttribute("aria-pressed", String(pressed));
  const sync = () => sending || show(session.watchlist.has(film.movie_id));

  async function press() {
    if (sending) return;
    const listed = session.watchlist.has(film.movie_id);
    sending = true;
    show(!listed);
    try {
      await (listed ? session.unlist(film) : session.list(film));
      outcome.querySelector(".refused")?.parentElement.replaceChildren();
    } catch (error) {
      refuse(outcome, error, press);
    } finally {
      sending = false;
      sync();
    }
  }

  element.addEventListener("click", press);
  sync();
  return { element, sync };
}
