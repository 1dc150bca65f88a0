/** The list of films: follows each answer, yet nothing jumps away under the pointer or the focus. */

import { createCard } from "./card.js";
import { calm, h } from "./dom.js";

const GLIDE = { duration: 420, easing: "cubic-bezier(.2,.8,.2,1)" };

export function createShelf(list, session) {
  let cards = [];
  list.setAttribute("role", "list");

  // Only the film acted on last keeps its place; earlier ones leave with the next list.
  const acted = (card) => cards.forEach((other) => other !== card && other.release());

  function show(answer, before) {
    const places = new Map(cards.map((card) => [card.item.movie_id, card]));
    const ranks = new Map((before?.items ?? []).map((item, rank) => [item.movie_id, rank]));
    const held = cards.map((card, place) => ({ card, place })).filter(({ card }) => card.held());
    const next = answer.items.map((item, rank) => {
      const card = places.get(item.movie_id) ?? createCard(item, session, acted);
      card.show(item, before ? moved(ranks.get(item.movie_id), rank) : undefined);
      return card;
    });
    arrange(keepPlaces(next, held), new Set(held.map(({ card }) => card)));
  }

  function arrange(next, kept) {
    const was = new Map(cards.map((card) => [card, card.element.getBoundingClientRect()]));
    for (const card of cards) if (!kept.has(card)) card.element.remove();
    list.querySelectorAll(".ghost").forEach((ghost) => ghost.remove());
    let after = list.firstChild;
    for (const card of next) {
      // A held card is never taken out of the page: that would lose its focus.
      if (kept.has(card)) after = card.element.nextSibling;
      else list.insertBefore(card.element, after);
    }
    cards = next;
    cards.forEach((card) => card.sync());
    if (!calm()) cards.forEach((card) => glide(card.element, was.get(card)));
  }

  return {
    show,
    sync: () => cards.forEach((card) => card.sync()),
    clear: () => {
      cards.forEach((card) => card.element.remove());
      cards = [];
    },
    release: () => cards.forEach((card) => card.release()),
    ghosts: (n) => {
      if (!cards.length && !list.firstChild) list.append(...Array.from({ length: n }, ghost));
    },
    empty: () => cards.length === 0,
  };
}

function keepPlaces(next, held) {
  const staying = new Set(held.map(({ card }) => card));
  const order = next.filter((card) => !staying.has(card));
  for (const { card, place } of held) {
    if (!next.includes(card)) card.stay();
    order.splice(Math.min(place, order.length), 0, card);
  }
  return order;
}

function moved(was, rank) {
  if (was === undefined) return { text: "New", aloud: "New in the list" };
  if (was === rank) return undefined;
  const places = Math.abs(was - rank);
  return was > rank ? { text: `▲ ${places}`, aloud: `Up by ${places}` } : { text: `▼ ${places}`, aloud: `Down by ${places}` };
}

function glide(element, from) {
  const to = element.getBoundingClientRect();
  if (!from) {
    element.animate([{ opacity: 0, transform: "translateY(10px)" }, { opacity: 1, transform: "none" }], GLIDE);
  } else if (from.left !== to.left || from.top !== to.top) {
    const shift = `translate(${from.left - to.left}px, ${from.top - to.top}px)`;
    element.animate([{ transform: shift }, { transform: "none" }], GLIDE);
  }
}

const ghost = () =>
  h("li", { class: "card ghost", "aria-hidden": "true" }, h("div", { class: "poster" }), h("div", { class: "card-words" }, h("div", { class: "bone" }), h("div", { class: "bone short" }), h("div", { class: "bone" })));
