/**
 * A rating in half stars: a native range input, drawn as stars.
 *
 * Moving it only stages a value; Enter, leaving it, or a rest sends. So arrow keys do not write one rating a step.
 */

import { drawn, element } from "./dom.js";
import type { Words } from "./words.js";

const REST_MS = 800;
const MIDDLE = 3;
const STAR = "M12 2.6l2.9 6 6.6.9-4.8 4.6 1.2 6.5L12 17.5l-5.9 3.1 1.2-6.5L2.5 9.5l6.6-.9z";

/** The stars of a film. */
export class Stars {
  readonly element: HTMLElement;
  readonly input: HTMLInputElement;
  #sent: number | null = null;
  #shown: number | null = null;
  #rest: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param label Their name.
   * @param words What is said of a value.
   * @param send Called with a value once it is meant.
   * @param settled Called when no value is staged any more.
   */
  constructor(
    label: string,
    readonly words: Words,
    readonly send: (value: number) => void,
    readonly settled: () => void,
  ) {
    this.input = element("input", { type: "range", min: 0.5, max: 5, step: 0.5, "aria-label": label, part: "stars" });
    this.element = element("div", { class: "stars" }, row("empty"), row("full"), this.input);
    this.input.addEventListener("input", () => this.#stage(Number(this.input.value)));
    this.input.addEventListener("blur", () => this.#commit());
    this.input.addEventListener("keydown", (event) => this.#press(event));
    // A click on the place where an unrated range already stands changes nothing for the browser, but means that value.
    this.input.addEventListener("click", () => {
      this.#stage(Number(this.input.value));
      this.#commit();
    });
    this.#draw();
  }

  /** Whether a value is shown that was not sent. */
  get isStaged(): boolean {
    return this.#shown !== this.#sent;
  }

  /** Show a value as it is known to the gateway. */
  show(value: number | null): void {
    this.#sent = value;
    this.#revert();
  }

  /** Forget a value that was not sent. */
  cancel(): void {
    clearTimeout(this.#rest);
  }

  #stage(value: number): void {
    this.#shown = Math.min(5, Math.max(0.5, value));
    this.#draw();
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.#commit(), REST_MS);
  }

  #commit(): void {
    clearTimeout(this.#rest);
    if (this.#shown === null || !this.isStaged) return;
    this.#sent = this.#shown;
    this.#draw();
    this.send(this.#sent);
    this.settled();
  }

  #revert(): void {
    clearTimeout(this.#rest);
    this.#shown = this.#sent;
    this.#draw();
    this.settled();
  }

  #press(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const value = valueAfter(event.key, this.#shown);
    if (value !== null) this.#stage(value);
    else if (event.key === "Enter") this.#commit();
    else if (event.key === "Escape" && this.isStaged) this.#revert();
    else return;
    event.preventDefault();
  }

  #draw(): void {
    this.input.value = String(this.#shown ?? MIDDLE);
    this.input.setAttribute("aria-valuetext", this.words.stars(this.#shown));
    this.element.style.setProperty("--shown", String(this.#shown ?? 0));
    this.element.classList.toggle("staged", this.isStaged);
  }
}

/** The value that a key leads to, null where the key means something else. */
function valueAfter(key: string, shown: number | null): number | null {
  if (/^[1-5]$/.test(key)) return Number(key);
  if (["ArrowRight", "ArrowUp", "+"].includes(key)) return shown === null ? MIDDLE : shown + 0.5;
  if (["ArrowLeft", "ArrowDown", "-"].includes(key)) return shown === null ? MIDDLE : shown - 0.5;
  if (key === ".") return shown === null ? 0.5 : Math.floor(shown) + 0.5;
  if (key === "Home") return 0.5;
  return key === "End" ? 5 : null;
}

function row(kind: string): SVGElement {
  const stars = [0, 1, 2, 3, 4].map((i) => drawn("path", { d: STAR, transform: `translate(${i * 24} 0)` }));
  return drawn("svg", { class: kind, viewBox: "0 0 120 24", "aria-hidden": "true", focusable: "false" }, ...stars);
}
