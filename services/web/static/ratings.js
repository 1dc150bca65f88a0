/** Everything that the viewer has rated, to change or take back; and all that is known of them, to take along. */

import { exportAddress } from "./api.js";
import { h } from "./dom.js";
import { createRater, refuse } from "./rater.js";
import { createRows } from "./rows.js";
import { NO_RATING, NOTHING, readable } from "./words.js";

export function createRatings(panel, session) {
  const heading = h("h2", { id: "ratings-title", tabindex: "-1" }, "Your ratings");
  const note = h("p", { class: "quiet" });
  const rows = createRows(heading);
  const gone = h("p", { class: "gone" });
  const csv = h("a", { download: "" }, "for Letterboxd");
  const json = h("a", { download: "marquee.json" }, "all that is known of you");
  const away = h("p", { class: "quiet", hidden: true }, "Take them with you: ", csv, ", or ", json, ".");
  panel.append(heading, note, gone, rows.element, away);

  function sync() {
    const ratings = session.ratings;
    rows.sync(ratings, rowOf);
    heading.textContent = ratings.size ? `Your ratings (${ratings.size})` : "Your ratings";
    away.hidden = !session.known;
    csv.href = exportAddress(session.id, "letterboxd");
    json.href = exportAddress(session.id);
    note.textContent = ratings.size ? "" : session.known ? NO_RATING : NOTHING;
  }

  function rowOf(film) {
    const title = readable(film.title);
    const rater = createRater(film, session);
    const withdraw = h("button", { type: "button", class: "button small", "aria-label": `Take back ${title}`, onclick: () => takeBack(film, rater.outcome) }, "Take back");
    const element = h("li", { class: "row rated", "data-movie": film.movie_id }, h("div", { class: "row-words" }, h("h3", {}, title, " ", film.year ? h("span", { class: "year" }, String(film.year)) : null), rater.element), withdraw);
    return { element, show: rater.sync };
  }

  async function takeBack(film, outcome) {
    const rating = session.ratings.get(film.movie_id)?.rating;
    try {
      await session.unrate(film);
      const undo = h("button", { type: "button", class: "link", onclick: () => putBack(film, rating) }, "Undo");
      gone.replaceChildren(`Took back ${readable(film.title)}. `, undo);
    } catch (error) {
      refuse(outcome, error, () => takeBack(film, outcome));
    }
  }

  async function putBack(film, rating) {
    heading.focus();
    try {
      await session.rate(film, rating);
      gone.replaceChildren();
    } catch (error) {
      refuse(gone, error, () => putBack(film, rating));
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
