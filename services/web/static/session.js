/** One viewer's session: what was written, what was answered, and the token that lets a read see its writes. */

import * as api from "./api.js";

const STORED = "marquee-viewer";
const SHORT_LIST = 5;
const LIST = 10;
const ROWS = 7;
const CATCH_UPS = 4;
const PAGES = 5;
/** Writes that change no list, so that none is asked for. */
const ASIDE = ["listed", "unlisted"];

const newId = () => 1_000_000_000 + (crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000_000);

/**
 * Tells `asking`, `answer` {answer, before, cause, ms, behind}, `failed` {error}, `rated`, `listed` {cause}, `known` and `restart`
 * to its listeners.
 *
 * Writes go one after the other, so that the newest token covers all of them; an answer that a newer question has
 * overtaken is dropped.
 */
export class Session extends EventTarget {
  id = 0;
  chosen = [];
  answer = null;
  ratings = new Map();
  watchlist = new Map();
  #guesses = new Map();
  #token = null;
  #known = false;
  #reads = 0;
  #writes = Promise.resolve();
  #pending = 0;

  /** Goes on as the viewer of this tab, or begins as a new one. */
  async start() {
    const stored = Number(sessionStorage.getItem(STORED));
    if (!Number.isSafeInteger(stored) || stored <= 0) return this.restart();
    this.id = stored;
    this.#tell("restart");
    try {
      const who = await api.viewer(stored);
      this.#know(who.ratings + who.viewed + who.dismissed + who.watchlist > 0);
      if (who.ratings) await this.#sync();
      if (who.watchlist) await this.#syncWatchlist();
    } catch (error) {
      return this.#tell("failed", { error, again: () => this.start() });
    }
    return this.refresh();
  }

  /** Whether anything is known of the viewer: a rating, a film seen, kept for later, or not for them. */
  get known() {
    return this.#known;
  }

  restart() {
    this.id = newId();
    sessionStorage.setItem(STORED, String(this.id));
    this.answer = this.#token = null;
    this.#know(false);
    this.ratings.clear();
    this.watchlist.clear();
    this.#guesses.clear();
    this.#tell("restart");
    return this.refresh();
  }

  pick(chosen) {
    this.chosen = chosen;
    return this.refresh({ kind: "genres", began: performance.now() });
  }

  /** Asks for the list anew; `cause` says what led to it. */
  async refresh(cause = { kind: "start", began: performance.now() }, catchUps = 0) {
    const read = (this.#reads += 1);
    const id = this.id;
    this.#tell("asking");
    try {
      const answer = await this.#ask();
      if (read !== this.#reads || id !== this.id) return;
      const behind = answer.fresh === false && this.#token !== null;
      const before = this.answer;
      this.answer = answer;
      this.#tell("answer", { answer, before, cause, ms: performance.now() - cause.began, behind });
      this.#guess(answer.items.map((item) => item.movie_id));
      if (behind && catchUps < CATCH_UPS) this.refresh(cause, catchUps + 1);
      else if (!behind && cause.film) this.#sync().catch(() => {});
    } catch (error) {
      if (read === this.#reads) this.#tell("failed", { error, again: () => this.refresh(cause) });
    }
  }

  /** The rating is on the log once this returns `{previous, guess}`; the list follows by itself. */
  async rate(film, value) {
    const previous = this.ratings.get(film.movie_id)?.rating ?? null;
    await this.#write(() => api.rate(this.id, film.movie_id, value), { kind: "rated", film, value });
    return { previous, guess: previous === null ? this.guess(film) : null };
  }

  unrate(film) {
    return this.#write(() => api.unrate(this.id, film.movie_id), { kind: "unrated", film });
  }

  see(film) {
    return this.#write(() => api.view(this.id, film.movie_id), { kind: "seen", film });
  }

  dismiss(film) {
    return this.#write(() => api.dismiss(this.id, film.movie_id), { kind: "dismissed", film });
  }

  restore(film) {
    return this.#write(() => api.restore(this.id, film.movie_id), { kind: "restored", film });
  }

  list(film) {
    return this.#write(() => api.list(this.id, film.movie_id), { kind: "listed", film });
  }

  unlist(film) {
    return this.#write(() => api.unlist(this.id, film.movie_id), { kind: "unlisted", film });
  }

  /** The rows of the viewer's page but for the first, which is the beginning of the list itself. */
  async shelves() {
    const { rows } = await api.shelves(this.id, { genre: this.chosen, rows: ROWS, k: LIST, after: this.#token });
    return rows.slice(1);
  }

  /** What was expected before the viewer rated it; people rate towards a number they have seen, so it is shown after. */
  guess(film) {
    return this.#guesses.get(film.movie_id) ?? null;
  }

  foresee(films) {
    return this.#guess(films.map((film) => film.movie_id));
  }

  #ask() {
    if (!this.#known) return api.coldStart(this.chosen, SHORT_LIST);
    return api.recommendations(this.id, { genre: this.chosen, k: LIST, after: this.#token });
  }

  async #write(send, cause) {
    const id = this.id;
    const began = performance.now();
    this.#pending += 1;
    const turn = this.#writes.then(() => (id === this.id ? send() : null));
    this.#writes = turn.catch(() => {});
    try {
      const written = await turn;
      if (id !== this.id) return;
      this.#token = written?.token ?? this.#token;
      this.#know(true);
      this.#note(cause);
    } finally {
      this.#pending -= 1;
    }
    if (ASIDE.includes(cause.kind)) this.#tell("listed", { cause });
    else this.refresh({ ...cause, began });
  }

  #note({ kind, film, value }) {
    if (kind === "rated") this.ratings.set(film.movie_id, { ...film, rating: value });
    else if (kind === "unrated") this.ratings.delete(film.movie_id);
    else if (kind === "listed") this.watchlist.set(film.movie_id, film);
    else if (kind === "unlisted") this.watchlist.delete(film.movie_id);
    if (!kind.endsWith("rated")) return;
    this.#tell("rated", { film });
  }

  /** Takes the ratings as the gateway keeps them, in the order in which this page knows them. */
  async #sync() {
    const id = this.id;
    const kept = new Map();
    let cursor;
    for (let page = 0; page < PAGES; page += 1) {
      const answer = await api.ratings(id, cursor);
      for (const one of answer.items) kept.set(one.movie_id, one);
      cursor = answer.next_cursor;
      if (!cursor) break;
    }
    if (id !== this.id || this.#pending || cursor) return;
    for (const film of this.ratings.keys()) if (!kept.has(film)) this.ratings.delete(film);
    for (const [film, one] of kept) this.ratings.set(film, { ...this.ratings.get(film), ...one });
    this.#tell("rated", {});
  }

  /** Takes the watchlist as the gateway keeps it, the oldest film first. */
  async #syncWatchlist() {
    const id = this.id;
    const { items } = await api.watchlist(id);
    if (id !== this.id) return;
    this.watchlist = new Map(items.reverse().map((film) => [film.movie_id, film]));
    this.#tell("listed");
  }

  async #guess(films) {
    const id = this.id;
    const unrated = films.filter((film) => !this.ratings.has(film));
    if (!unrated.length) return;
    const answer = await api.predictions(id, unrated).catch(() => ({ items: [] }));
    if (id !== this.id) return;
    for (const one of answer.items) {
      if (!this.ratings.has(one.movie_id)) this.#guesses.set(one.movie_id, one.rating);
    }
  }

  #know(known) {
    if (known === this.#known) return;
    this.#known = known;
    this.#tell("known");
  }

  #tell(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
