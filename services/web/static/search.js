/** Search of the whole catalogue, to rate any film. */

import * as api from "./api.js";
import { h, rested, whileWaiting } from "./dom.js";
import { poster } from "./poster.js";
import { createRater } from "./rater.js";
import { createWatchToggle } from "./watch_toggle.js";
import { readable } from "./words.js";

const REST_MS = 220;
const SLOW_MS = 400;

export function createSearch(panel, session) {
  const box = h("input", { type: "search", id: "search-box", autocomplete: "off", spellcheck: "false", placeholder: "A film’s title" });
  const note = h("p", { class: "quiet small-text", role: "status" });
  const list = h("ul", { class: "rows", role: "list", "aria-label": "Films found" });
  const more = h("button", { type: "button", class: "button" }, "More films");
  let question = 0;
  let parts = [];
  let cursor = null;
  more.hidden = true;

  const look = async (next) => {
    const mine = (question += 1);
    const query = box.value.trim();
    if (!query) return clear();
    try {
      const work = api.films(query, next);
      const answer = await whileWaiting(work, [SLOW_MS], () => (note.textContent = "Looking…"));
      if (mine === question) show(answer, query, Boolean(next));
    } catch (error) {
      if (mine === question) note.replaceChildren(error.message, " ", h("button", { type: "button", class: "link", onclick: () => look(next) }, "Try again"));
    }
  };
  const lookSoon = rested(look, REST_MS);

  function clear() {
    list.replaceChildren();
    parts = [];
    note.textContent = "";
    more.hidden = true;
  }

  function show(answer, query, further) {
    if (!further) clear();
    const rows = answer.items.map(rowOf);
    list.append(...rows);
    // The button that was pressed may vanish with the last page, so the focus goes on to what it brought.
    if (further) rows[0]?.querySelector("input").focus();
    cursor = answer.next_cursor;
    more.hidden = !cursor;
    note.textContent = list.childElementCount ? `${list.childElementCount}${cursor ? " or more" : ""} found for “${query}”` : `No film is called “${query}”. Part of a title is enough.`;
    session.foresee(answer.items);
  }

  function rowOf(film) {
    const rater = createRater(film, session);
    const watch = createWatchToggle(film, session, rater.outcome);
    parts.push(rater, watch);
    const facts = [film.year, ...film.genres].filter(Boolean).join(" · ");
    return h("li", { class: "row", "data-movie": film.movie_id }, h("div", { class: "poster tiny" }, poster(film)), h("div", { class: "row-words" }, h("h3", {}, readable(film.title)), h("p", { class: "kinds" }, facts), rater.element, watch.element));
  }

  box.addEventListener("input", () => lookSoon());
  more.addEventListener("click", () => look(cursor));
  const form = h("form", { role: "search", class: "search" }, h("label", { for: "search-box" }, "Seen something that is not in the list?"), box);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    lookSoon.cancel();
    look();
  });
  panel.append(form, note, list, more);

  return {
    sync: () => parts.forEach((part) => part.sync()),
    reset: () => {
      box.value = "";
      clear();
    },
  };
}
