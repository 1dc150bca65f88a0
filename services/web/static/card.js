/** One film of the list. */

import { h } from "./dom.js";
import { poster } from "./poster.js";
import { createRater, refuse } from "./rater.js";
import { createWatchToggle } from "./watch_toggle.js";
import { readable, STAYS, why } from "./words.js";

const UNMARKED = { text: "", aloud: "" };

/** `{element, show(item, mark), held(), release()}`; a held card keeps its place while the list around it changes. */
export function createCard(item, session, acted) {
  const title = readable(item.title);
  const heading = `film-${item.movie_id}`;
  const reason = h("p", { class: "why" });
  const mark = h("span", { class: "mark", role: "img" });
  const featured = h("span", { class: "featured" }, "Featured");
  let touched = false;
  const touch = () => {
    touched = true;
    acted(card);
  };
  const rater = createRater(item, session, { acted: touch });
  const watch = createWatchToggle(item, session, rater.outcome);
  const element = h(
    "li",
    { class: "card", "data-movie": item.movie_id, "aria-labelledby": heading },
    h("div", { class: "poster" }, poster(item), mark, featured),
    h(
      "div",
      { class: "card-words" },
      h("h3", { id: heading }, title, " ", item.year ? h("span", { class: "year" }, String(item.year)) : null),
      h("p", { class: "kinds" }, item.genres.join(" · ") || "No genre listed"),
      reason,
      rater.element,
      h("div", { class: "acts" }, seenButton(), dismissButton(), watch.element),
    ),
  );

  function seenButton() {
    const button = toggle("Seen it", title, async () => {
      if (pressed(button)) return;
      await attempt(button, () => session.see(item));
      button.setAttribute("aria-disabled", "true");
    });
    return button;
  }

  function dismissButton() {
    const button = toggle("Not for me", title, async () => {
      await attempt(button, () => (pressed(button) ? session.restore(item) : session.dismiss(item)));
      element.classList.toggle("dismissed", pressed(button));
    });
    return button;
  }

  async function attempt(button, write) {
    touch();
    const before = pressed(button);
    try {
      const work = write();
      button.setAttribute("aria-pressed", String(!before));
      await work;
      rater.outcome.querySelector(".refused")?.parentElement.replaceChildren();
    } catch (error) {
      button.setAttribute("aria-pressed", String(before));
      refuse(rater.outcome, error, () => button.click());
      throw error;
    }
  }

  const card = {
    element,
    item,
    sync: () => {
      rater.sync();
      watch.sync();
    },
    held: () => touched || rater.stars.staged() || element.contains(document.activeElement),
    release: () => {
      touched = false;
    },
    show(next, words = UNMARKED) {
      reason.textContent = why(next, session.chosen);
      element.dataset.reason = next.reason;
      featured.hidden = !next.promoted;
      mark.textContent = words.text;
      mark.setAttribute("aria-label", words.aloud);
      mark.hidden = !words.text;
    },
  };
  card.stay = () => {
    card.show(item, STAYS);
    reason.textContent = STAYS.why;
  };
  card.show(item);
  return card;
}

const pressed = (button) => button.getAttribute("aria-pressed") === "true";

function toggle(text, title, press) {
  const button = h("button", { type: "button", class: "button small", "aria-pressed": "false", "aria-label": `${text}: ${title}` }, text);
  button.addEventListener("click", () => press().catch(() => {}));
  return button;
}
