/** The stars of one film with what came of them: the guess, undo, or why it was not saved. */

import { h } from "./dom.js";
import { createStars } from "./stars.js";
import { half, readable, starCount } from "./words.js";

/** `{element, stars, acting()}`; writes through the session. */
export function createRater(film, session, { acted = () => {} } = {}) {
  const outcome = h("div", { class: "outcome" });
  const stars = createStars({
    label: `Your rating of ${readable(film.title)}`,
    value: session.ratings.get(film.movie_id)?.rating ?? null,
    send,
  });

  async function send(value) {
    acted();
    outcome.replaceChildren();
    try {
      const { previous, guess } = await session.rate(film, value);
      const guessed = guess === null ? "" : ` We guessed ${half(guess)}.`;
      outcome.replaceChildren(h("span", {}, `You gave ${starCount(value)}.${guessed}`), " ", undo(previous));
    } catch (error) {
      refuse(outcome, error, () => send(value));
    }
  }

  const undo = (previous) =>
    h("button", { type: "button", class: "link", "aria-label": `Undo the rating of ${readable(film.title)}`, onclick: () => takeBack(previous) }, "Undo");

  async function takeBack(previous) {
    stars.input.focus();
    try {
      await (previous === null ? session.unrate(film) : session.rate(film, previous));
      outcome.replaceChildren();
    } catch (error) {
      refuse(outcome, error, () => takeBack(previous));
    }
  }

  return {
    element: h("div", { class: "rater" }, stars.element, outcome),
    outcome,
    stars,
    sync: () => {
      const rating = session.ratings.get(film.movie_id)?.rating ?? null;
      stars.show(rating);
      if (rating === null && !outcome.querySelector(".refused")) outcome.replaceChildren();
    },
  };
}

/** Says in place that something was not saved, and offers it again. */
export function refuse(place, error, again) {
  const retry = h("button", { type: "button", class: "link", onclick: () => again() }, "Try again");
  place.replaceChildren(h("span", { class: "refused", role: "alert" }, `Not saved. ${error.message}`), " ", retry);
}
