/** Rows of films to browse below the list: of what the viewer liked, of their genres, new ones, the watchlist. */

import { h } from "./dom.js";
import { createTile } from "./tile.js";
import { BROWSE, rowTitle } from "./words.js";

/** `inHand()` is the film that the viewer works on, `inPlace(change)` changes the page around it. */
export function createBrowse(section, session, { inHand, inPlace }) {
  const heading = h("h2", { id: "browse-title" }, BROWSE.title);
  const trouble = h("div", { class: "notice", hidden: true }, h("p", {}, BROWSE.failed), h("button", { type: "button", class: "button", onclick: () => ask() }, BROWSE.again));
  const place = h("div", { class: "bands" });
  let bands = new Map();
  let question = 0;
  let stale = false;
  section.append(h("div", { class: "section-head" }, heading, h("a", { class: "skip-rows", href: "#search" }, BROWSE.skip)), trouble, place);

  /** Rows stay as they are while the viewer works on one of their films. */
  function load() {
    stale = section.contains(inHand());
    if (!stale) ask();
  }

  async function ask() {
    if (!session.known) return clear();
    const mine = (question += 1);
    try {
      const rows = await session.shelves();
      if (mine !== question) return;
      if (section.contains(inHand())) stale = true;
      else inPlace(() => show(rows));
    } catch {
      if (mine === question) trouble.hidden = section.hidden = false;
    }
  }

  function show(rows) {
    const next = new Map(rows.map((row) => [keyOf(row), row]));
    for (const [key, band] of bands) if (!next.has(key)) band.element.remove();
    bands = new Map([...next].map(([key, row]) => [key, bands.get(key) ?? createBand(row, session)]));
    for (const [key, row] of next) bands.get(key).show(row);
    [...bands.values()].forEach(({ element }, at) => {
      if (place.children[at] !== element) place.insertBefore(element, place.children[at] ?? null);
    });
    trouble.hidden = true;
    section.hidden = !rows.length;
    session.foresee(rows.flatMap((row) => row.items));
  }

  function clear() {
    question += 1;
    stale = false;
    place.replaceChildren();
    bands = new Map();
    section.hidden = true;
  }

  return {
    load,
    clear,
    resume: () => stale && load(),
    sync: () => bands.forEach((band) => band.sync()),
  };
}

const keyOf = ({ kind, movie, genre, segment }) => [kind, movie?.movie_id, genre, segment].join("|");

function createBand(row, session) {
  const title = rowTitle(row);
  const id = `band-${keyOf(row).replace(/\W+/g, "-")}`;
  const list = h("ul", { class: "band-films", role: "list", "aria-labelledby": id });
  const element = h("section", { class: "band", "data-kind": row.kind, "aria-labelledby": id }, h("h3", { id }, title), list);
  let tiles = new Map();

  return {
    element,
    sync: () => tiles.forEach((tile) => tile.sync()),
    show({ items }) {
      const same = items.length === tiles.size && items.every((item, at) => [...tiles.keys()][at] === item.movie_id);
      tiles = new Map(items.map((item) => [item.movie_id, tiles.get(item.movie_id) ?? createTile(item, session)]));
      for (const item of items) tiles.get(item.movie_id).show(item, title);
      if (!same) list.replaceChildren(...[...tiles.values()].map((tile) => tile.element));
    },
  };
}
