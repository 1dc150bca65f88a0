/** The films that the viewer keeps for later: the newest first, to rate or to take off. */

import { h } from "./dom.js";
import { poster } from "./poster.js";
import { createRater, refuse } from "./rater.js";
import { createRows } from "./rows.js";
import { readable, WATCHLIST } from "./words.js";

export function createWatchlist(panel, session) {
  const heading = h("h2", { id: "watchlist-title", tabindex: "-1" }, WATCHLIST.title);
  const note = h("p", { class: "quiet" }, WATCHLIST.empty);
  const gone = h("div", { class: "gone" });
  const rows = createRows(heading);
  panel.append(heading, note, gone, rows.element);

  function sync() {
    const films = session.watchlist;
    rows.sync(films, rowOf);
    heading.textContent = WATCHLIST.counted(films.size);
    note.hidden = films.size > 0;
  }

  function rowOf(film) {
    const title = readable(film.title);
    const rater = createRater(film, session);
    const seen = h("span", { class: "tag" }, WATCHLIST.seen);
    const off = h("button", { type: "button", class: "button small", "aria-label": WATCHLIST.takeOffAloud(title), onclick: () => takeOff(film, rater.outcome) }, WATCHLIST.takeOff);
    const name = h("h3", {}, title, " ", film.year ? h("span", { class: "year" }, String(film.year)) : null, " ", seen);
    const element = h(
      "li",
      { class: "row listed", "data-movie": film.movie_id },
      h("div", { class: "poster tiny" }, poster(film)),
      h("div", { class: "row-words" }, name, h("p", { class: "kinds" }, film.genres.join(" · ")), rater.element, off),
    );
    const show = (now) => {
      rater.sync();
      seen.hidden = !now.seen && !session.ratings.has(film.movie_id);
    };
    return { element, show };
  }

  async function takeOff(film, outcome) {
    try {
      await session.unlist(film);
      const undo = h("button", { type: "button", class: "link", onclick: () => putBack(film) }, WATCHLIST.undo);
      gone.replaceChildren(WATCHLIST.tookOff(readable(film.title)), undo);
    } catch (error) {
      refuse(outcome, error, () => takeOff(film, outcome));
    }
  }

  async function putBack(film) {
    heading.focus();
    try {
      await session.list(film);
      gone.replaceChildren();
    } catch (error) {
      refuse(gone, error, () => putBack(film));
    }
  }

  return {
    sync,
    reset: () => {
      gone.replaceChildren();
      sync();
    },
  };
}
