/** Waits that a signal ends. */

/** Resolve after some milliseconds; reject with the signal's reason once it is aborted. */
export function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(ended, ms);
    function ended(): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", ended);
      if (signal?.aborted) reject(signal.reason as Error);
      else resolve();
    }
    signal?.addEventListener("abort", ended);
    if (signal?.aborted) ended();
  });
}

/** Why a limited wait was ended by its limit. */
export const LIMIT = Symbol("limit");

/** A signal that follows the caller's, and is aborted with `LIMIT` where nothing happens for so many milliseconds. */
export class Limit {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal | undefined;
  readonly #ms: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number, caller?: AbortSignal) {
    this.#ms = ms;
    this.#caller = caller;
    caller?.addEventListener("abort", this.#follow);
    if (caller?.aborted) this.#follow();
    this.restart();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether the limit, and not the caller, ended the wait. */
  get passed(): boolean {
    return this.signal.aborted && this.signal.reason === LIMIT;
  }

  /** Stop counting. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  /** Something happened: count from now. */
  restart(): void {
    this.pause();
    this.#timer = setTimeout(() => this.#controller.abort(LIMIT), this.#ms);
  }

  /** Forget the caller's signal and the time. */
  close(): void {
    this.pause();
    this.#caller?.removeEventListener("abort", this.#follow);
  }

  readonly #follow = (): void => this.#controller.abort(this.#caller?.reason);
}
