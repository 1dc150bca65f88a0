/** `<marquee-list>`: a viewer's list, which follows what the viewer does, with stars to rate. */

import { Marquee } from "../client.js";
import { MarqueeError } from "../errors.js";
import type { RecommendationDocument, RecommendationsDocument } from "../schema.js";
import type { TokenSource } from "../transport.js";
import { sheet } from "./style.js";
import { View } from "./view.js";
import { ENGLISH, type Words } from "./words.js";

/**
 * Attributes: `gateway` (its address), `user` (the viewer), `token-url` (an address of the page's own server that answers
 * with a token of the viewer) or `token` (one), `query` (parameters of the list, as `k=5&genre=Drama`), `heading`, `level`.
 *
 * Events, which bubble: `marquee-list` (detail: the list), `marquee-rated` (detail: movieId, rating or null, token, list),
 * `marquee-problem` (detail: the error).
 */
export class MarqueeList extends HTMLElement {
  static readonly observedAttributes = ["gateway", "user", "token", "token-url", "query", "heading", "level"];

  #token: string | TokenSource | undefined;
  #words: Words = ENGLISH;
  #view: View | null = null;
  #client: Marquee | null = null;
  #list: RecommendationsDocument | null = null;
  #following: AbortController | null = null;
  #due = false;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet()];
  }

  /** A token of the viewer, or what gives one and is asked again when it has ended. */
  get token(): string | TokenSource | undefined {
    return this.#token;
  }

  set token(token: string | TokenSource | undefined) {
    this.#token = token;
    this.#restart();
  }

  /** What the list says, in parts; the rest stays English. */
  set words(words: Partial<Words>) {
    this.#words = { ...ENGLISH, ...words };
    this.#restart();
  }

  connectedCallback(): void {
    // A page may have set these before the element was defined.
    for (const name of ["token", "words"] as const) {
      const own = Object.getOwnPropertyDescriptor(this, name);
      if (!own) continue;
      Reflect.deleteProperty(this, name);
      Reflect.set(this, name, own.value);
    }
    document.addEventListener("visibilitychange", this.#seen);
    this.#restart();
  }

  disconnectedCallback(): void {
    document.removeEventListener("visibilitychange", this.#seen);
    this.#stop();
    this.#view?.close();
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (before === now) return;
    if (name === "heading" || name === "level") this.#head();
    else this.#restart();
  }

  /** Begin anew, once for all that changes at the same time. */
  #restart(): void {
    if (this.#due || !this.isConnected) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      if (this.isConnected) this.#begin();
    });
  }

  #begin(): void {
    this.#stop();
    this.#list = null;
    this.#view?.close();
    this.#view = new View(this.#words, (film, value) => void this.#rate(film, value));
    this.#head();
    this.shadowRoot!.replaceChildren(this.#view.element);
    this.#client = this.#made();
    this.#seen();
  }

  /** The client, null while an attribute is missing or wrong. */
  #made(): Marquee | null {
    const gateway = this.getAttribute("gateway");
    const token = this.#token ?? this.#source() ?? this.getAttribute("token");
    if (gateway === null || !this.getAttribute("user")) return null;
    try {
      return new Marquee(new URL(gateway, document.baseURI), token ? { token } : {});
    } catch (error) {
      this.#problem(error);
      return null;
    }
  }

  /** The page's own server as the source of tokens. */
  #source(): TokenSource | undefined {
    const url = this.getAttribute("token-url");
    if (url === null) return undefined;
    return async () => {
      const response = await fetch(url, { cache: "no-store" });
      if (!response.ok) throw new Error(`${response.url} answered ${response.status}`);
      const text = (await response.text()).trim();
      return text.startsWith("{") ? String((JSON.parse(text) as { token: unknown }).token) : text;
    };
  }

  #head(): void {
    this.#view?.head(this.getAttribute("heading") ?? this.#words.heading, this.getAttribute("level") ?? "2");
  }

  /** Follow while somebody can see it: a browser has few connections for all its tabs. */
  readonly #seen = (): void => {
    if (document.visibilityState === "hidden") this.#stop();
    else if (!this.#following && this.#client) void this.#follow(this.#client, this.#view!);
  };

  #stop(): void {
    this.#following?.abort();
    this.#following = null;
  }

  async #follow(client: Marquee, view: View): Promise<void> {
    const { signal } = (this.#following = new AbortController());
    const onBreak = (error: MarqueeError): void => {
      view.notice(this.#words.interrupted);
      this.#tell("marquee-problem", error);
    };
    try {
      for await (const list of client.follow(this.#user, this.#query, { signal, onBreak, onOpen: () => this.#opened(view) })) {
        if (signal.aborted) return;
        this.#list = list;
        view.show(list);
        this.#tell("marquee-list", list);
      }
    } catch (error) {
      if (!signal.aborted) this.#problem(error);
    }
  }

  #opened(view: View): void {
    view.notice(this.#list ? "" : this.#words.loading);
  }

  async #rate(film: RecommendationDocument, value: number | null): Promise<void> {
    const [client, view, list] = [this.#client, this.#view, this.#list];
    if (!client || !view) return;
    const from = list ? { recommendationId: list.recommendation_id } : {};
    try {
      const written = value === null ? client.unrate(this.#user, film.movie_id) : client.rate(this.#user, film.movie_id, value, from);
      const { token } = await written;
      this.#saved(view, film, value);
      this.#tell("marquee-rated", { movieId: film.movie_id, rating: value, token, list });
    } catch (error) {
      if (!(error instanceof MarqueeError)) throw error;
      if (value !== null) view.showRating(film, null);
      view.say(this.#words.notSaved(film, error), this.#words.again, () => void this.#rate(film, value));
      this.#tell("marquee-problem", error);
    }
  }

  #saved(view: View, film: RecommendationDocument, value: number | null): void {
    view.showRating(film, value);
    if (value === null) view.say(this.#words.takenBack(film));
    else view.say(this.#words.rated(film, value), this.#words.undo, () => void this.#rate(film, null));
  }

  /** Say that the list does not go on. */
  #problem(error: unknown): void {
    const told = error instanceof MarqueeError ? error : new MarqueeError(String(error), { cause: error });
    this.#view?.notice(this.#words.ended(told));
    this.#tell("marquee-problem", told);
  }

  #tell(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  get #user(): string {
    return this.getAttribute("user") ?? "";
  }

  /** Parameters of the list; one that comes several times is a list. */
  get #query(): Record<string, string[]> {
    const query = new URLSearchParams(this.getAttribute("query") ?? "k=5");
    return Object.fromEntries([...new Set(query.keys())].map((name) => [name, query.getAll(name)]));
  }
}
