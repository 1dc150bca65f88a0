/** The elements of a list, which follow it film by film: what stays keeps its element, and so the focus. */

import type { RecommendationDocument, RecommendationsDocument } from "../schema.js";
import { element } from "./dom.js";
import { Stars } from "./stars.js";
import type { Words } from "./words.js";

/** A film as it is shown. */
interface Shown {
  film: RecommendationDocument;
  element: HTMLElement;
  reason: HTMLElement;
  stars: Stars;
}

/** The list as elements. */
export class View {
  readonly element: HTMLElement;
  readonly #heading = element("div", { class: "heading", part: "heading", role: "heading", "aria-level": 2, id: "heading" });
  readonly #notice = element("p", { class: "notice", part: "notice", role: "status" });
  readonly #films = element("ol", { part: "films", role: "list", "aria-labelledby": "heading", "aria-busy": "true" });
  readonly #said = element("span", { role: "status", part: "status" });
  readonly #button = element("button", { type: "button", part: "button" });
  readonly #shown = new Map<string, Shown>();
  #waiting: RecommendationsDocument | null = null;
  #act: (() => void) | null = null;

  /** @param send Called with a rating that the viewer means, and the list that showed the film. */
  constructor(
    readonly words: Words,
    readonly send: (film: RecommendationDocument, value: number) => void,
  ) {
    this.#button.hidden = true;
    this.#button.addEventListener("click", () => this.#act?.());
    const outcome = element("div", { class: "outcome" }, this.#said, this.#button);
    this.element = element("section", { part: "list", "aria-labelledby": "heading" }, this.#heading, this.#notice, this.#films, outcome);
    this.notice(words.loading);
  }

  /** Set the heading and its level. */
  head(text: string, level: string): void {
    this.#heading.textContent = text;
    this.#heading.setAttribute("aria-level", level);
  }

  /** Say how the list is, or nothing. */
  notice(text: string): void {
    if (this.#notice.textContent !== text) this.#notice.textContent = text;
  }

  /** Say what became of a write, and offer what may be done about it. */
  say(text: string, label?: string, act?: () => void): void {
    const hadFocus = rootOf(this.element).activeElement === this.#button;
    this.#said.textContent = text;
    this.#act = act ?? null;
    this.#button.textContent = label ?? "";
    this.#button.hidden = !act;
    if (hadFocus && !act) this.#focus(0);
  }

  /** Show a list; while a value is staged it waits, since films must not move under the hand. */
  show(list: RecommendationsDocument): void {
    this.#waiting = list;
    this.#settle();
  }

  /** Show what the gateway knows of a film's rating. */
  showRating(film: RecommendationDocument, value: number | null): void {
    this.#shown.get(String(film.movie_id))?.stars.show(value);
  }

  /** Forget values that were not sent. */
  close(): void {
    for (const { stars } of this.#shown.values()) stars.cancel();
  }

  #settle(): void {
    const list = this.#waiting;
    if (!list || [...this.#shown.values()].some(({ stars }) => stars.isStaged)) return;
    this.#waiting = null;
    this.#films.setAttribute("aria-busy", "false");
    this.notice(list.items.length ? "" : this.words.empty);
    this.#arrange(list.items);
  }

  #arrange(films: readonly RecommendationDocument[]): void {
    const focused = this.#focusedPlace();
    const kept = new Set(films.map((film) => String(film.movie_id)));
    for (const [id, shown] of this.#shown) {
      if (kept.has(id)) continue;
      this.#shown.delete(id);
      shown.stars.cancel();
      shown.element.remove();
    }
    films.forEach((film, place) => this.#put(film, place));
    if (focused >= 0 && this.#focusedPlace() < 0) this.#focus(focused);
  }

  #put(film: RecommendationDocument, place: number): void {
    const id = String(film.movie_id);
    const shown = this.#shown.get(id) ?? this.#made(film);
    this.#shown.set(id, shown);
    shown.film = film;
    shown.reason.textContent = this.words.reason(film);
    const there = this.#films.children[place];
    // To move the element that has the focus would take the focus from it.
    if (there !== shown.element) this.#films.insertBefore(shown.element, there ?? null);
  }

  #made(film: RecommendationDocument): Shown {
    const send = (value: number): void => this.send(shown.film, value);
    const stars = new Stars(this.words.rate(film), this.words, send, () => this.#settle());
    const title = element("p", { class: "title", part: "title" }, this.words.title(film));
    if (film.year) title.append(" ", element("span", { class: "year", part: "year" }, String(film.year)));
    const reason = element("p", { class: "reason", part: "reason" });
    const shown: Shown = { film, reason, stars, element: element("li", { part: "film" }, title, reason, stars.element) };
    return shown;
  }

  /** The place of the film whose stars have the focus, -1 where none has. */
  #focusedPlace(): number {
    const focused = rootOf(this.element).activeElement;
    return focused ? [...this.#films.children].findIndex((child) => child.contains(focused)) : -1;
  }

  /** Give the focus to the stars of the film at a place, or of the last one. */
  #focus(place: number): void {
    const inputs = this.#films.querySelectorAll("input");
    inputs[Math.min(place, inputs.length - 1)]?.focus();
  }
}

function rootOf(node: Node): DocumentOrShadowRoot {
  return node.getRootNode() as unknown as DocumentOrShadowRoot;
}
