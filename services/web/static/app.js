/** Puts the page together: who listens to whom. */

import * as api from "./api.js";
import { createBrowse } from "./browse.js";
import { byId, h } from "./dom.js";
import { createGenres } from "./genres.js";
import { createRatings } from "./ratings.js";
import { createSearch } from "./search.js";
import { Session } from "./session.js";
import { createShelf } from "./shelf.js";
import { createStrip, difference } from "./strip.js";
import { createWatchlist } from "./watchlist.js";
import { deed, effect, listTitle, route, SLOW, SLOW_LIST } from "./words.js";

const SKELETON_MS = 400;
const SLOW_MS = 2000;
const TOAST_MS = 6000;

const session = new Session();
const shelf = createShelf(byId("shelf"), session);
const strip = createStrip(byId("strip"));
const search = createSearch(byId("search"), session);
const ratings = createRatings(byId("ratings"), session);
const watchlist = createWatchlist(byId("watchlist"), session);
const browse = createBrowse(byId("browse"), session, { inHand, inPlace: (change) => keepingInPlace(inFocus(), change) });
const genres = createGenres(byId("genres"), (chosen) => {
  shelf.release();
  session.pick(chosen);
});
const films = byId("films");
const notice = byId("films-notice");
let timers = [];
let fading = 0;
let pointed = null;

/** Announces politely, and shows the same words for a moment. */
function say(words) {
  const toast = byId("status");
  clearTimeout(fading);
  toast.textContent = words;
  toast.classList.add("shown");
  fading = setTimeout(() => toast.classList.remove("shown"), TOAST_MS);
}

function settled() {
  timers.forEach(clearTimeout);
  films.removeAttribute("aria-busy");
  notice.replaceChildren();
}

function trouble(place, words, again) {
  const retry = h("button", { type: "button", class: "button", onclick: again }, "Try again");
  place.replaceChildren(h("div", { class: "notice", role: "alert" }, h("p", {}, words), retry));
}

/** The film that the viewer works on: where the focus is, or where the pointer last went down. */
function inHand() {
  return document.activeElement?.closest("[data-movie]") ?? pointed;
}

/** What must not move while rows above it come or go. */
function inFocus() {
  return inHand() ?? document.activeElement?.closest("input, button, a");
}

function keepingInPlace(element, change) {
  const from = element?.getBoundingClientRect().top;
  change();
  if (!element?.isConnected) return;
  const shift = element.getBoundingClientRect().top - from;
  if (Math.abs(shift) >= 1) window.scrollBy({ top: shift, behavior: "instant" });
}

for (const taken of ["pointerdown", "focusin"]) {
  document.addEventListener(taken, (event) => {
    pointed = event.target.closest("[data-movie]");
    browse.resume();
  });
}

session.addEventListener("asking", () => {
  timers.forEach(clearTimeout);
  timers = [
    setTimeout(() => {
      films.setAttribute("aria-busy", "true");
      shelf.ghosts(5);
    }, SKELETON_MS),
    setTimeout(() => {
      notice.replaceChildren(h("p", { class: "notice" }, shelf.empty() ? SLOW : SLOW_LIST));
    }, SLOW_MS),
  ];
});

session.addEventListener("answer", ({ detail }) => {
  const { answer, before, cause, ms, behind } = detail;
  keepingInPlace(inHand(), () => {
    settled();
    shelf.show(answer, before);
    strip.show(detail);
    byId("films-title").textContent = listTitle(answer, session.chosen);
    byId("films-note").textContent = answer.items.length ? "" : "No film is left for this choice. Pick another genre.";
  });
  if (!behind) browse.load();
  if (!before) return;
  const turned = before.route === answer.route ? "" : ` Now answering: ${route(answer.route).title}.`;
  if (behind) say(`${deed[cause.kind]?.(cause.film, cause.value) ?? ""} The list is still catching up.`);
  else if (cause.film) say(`${deed[cause.kind](cause.film, cause.value)} ${effect(difference(answer, before, cause.film), ms)}${turned}`);
  else say(`${listTitle(answer, session.chosen)}.`);
});

session.addEventListener("failed", ({ detail: { error, again } }) => {
  settled();
  byId("shelf").querySelectorAll(".ghost").forEach((ghost) => ghost.remove());
  trouble(notice, `${error.message}${shelf.empty() ? "" : " The list below is the last one that came."}`, () => again());
});

for (const noted of ["rated", "listed"]) {
  session.addEventListener(noted, () => [shelf, search, ratings, watchlist, browse].forEach((part) => part.sync()));
}

session.addEventListener("listed", ({ detail: { cause } }) => {
  if (!cause) return;
  say(deed[cause.kind](cause.film));
  browse.load();
});

session.addEventListener("known", () => ratings.sync());

session.addEventListener("restart", () => {
  byId("viewer-id").textContent = String(session.id);
  shelf.clear();
  search.reset();
  ratings.reset();
  watchlist.reset();
  browse.clear();
});

byId("start-over").addEventListener("click", () => {
  session.chosen = [];
  genres.reset();
  session.restart();
  say("You are a new viewer now. Nothing is known about you.");
});
byId("keys-open").addEventListener("click", () => byId("keys").showModal());

async function loadGenres() {
  try {
    genres.show((await api.genres()).items);
  } catch (error) {
    trouble(byId("genres"), error.message, loadGenres);
  }
}

loadGenres();
session.start();
