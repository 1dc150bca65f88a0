/** Tokens of viewers' last writes, so that reads follow them. */

import type { UserId } from "./operation.js";

/** The token of each viewer's last write, for a while. Of writes that overlap, the one answered last counts. */
export class WriteTokens {
  readonly #tokens = new Map<string, { ends: number; token: string }>();

  /**
   * @param viewers How many viewers are remembered at most; those who wrote last stay.
   * @param keptMs How long a token is remembered. By then every replica has the write.
   * @param now Milliseconds that never go back.
   */
  constructor(
    readonly viewers = 10_000,
    readonly keptMs = 60_000,
    readonly now: () => number = () => performance.now(),
  ) {}

  /** Take a token in the place of the viewer's former one. */
  remember(userId: UserId, token: string): void {
    this.#tokens.delete(String(userId));
    this.#tokens.set(String(userId), { ends: this.now() + this.keptMs, token });
    for (const oldest of this.#tokens.keys()) {
      if (this.#tokens.size <= this.viewers) break;
      this.#tokens.delete(oldest);
    }
  }

  /** The token of a viewer's last write, null if there is none to follow. */
  last(userId: UserId): string | null {
    const found = this.#tokens.get(String(userId));
    if (found && found.ends <= this.now()) this.#tokens.delete(String(userId));
    return found && found.ends > this.now() ? found.token : null;
  }
}
