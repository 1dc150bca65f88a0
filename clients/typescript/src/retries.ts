/** Rule of retries: what is sent again, and after how long. */

/** Statuses after which the same request may be answered. */
export const RETRIED_STATUSES: ReadonlySet<number> = new Set([408, 429, 503, 504]);

/**
 * How often and how long a call is tried; calls that must not be repeated are sent once.
 *
 * Between two tries is a random pause whose limit doubles each time, so that many pages do not come back together. An
 * answer's Retry-After is waited for, and the pause comes on top of it.
 */
export interface Retries {
  /** Tries in all, the first one included. */
  attempts: number;
  /** Limit of the first pause, in milliseconds. */
  firstMs: number;
  /** The largest limit of a pause. */
  longestMs: number;
  /** A try that could only begin later than so long after the first one is not made: the call fails at once. */
  totalMs: number;
}

export const DEFAULT_RETRIES: Readonly<Retries> = { attempts: 4, firstMs: 100, longestMs: 5_000, totalMs: 30_000 };

/** Check a rule. */
export function checkedRetries(retries: Retries): Retries {
  const { attempts, firstMs, longestMs, totalMs } = retries;
  if (!(attempts >= 1) || !(Math.min(firstMs, longestMs, totalMs) >= 0)) {
    throw new RangeError("retries: attempts must be 1 or more, milliseconds 0 or more");
  }
  return retries;
}

/** A random pause after so many failed tries. */
export function drawnPauseMs(retries: Retries, failed: number): number {
  return Math.random() * Math.min(retries.longestMs, retries.firstMs * 2 ** (failed - 1));
}

/**
 * Milliseconds until the next try, null where there is to be none.
 *
 * @param failed Tries so far, 1 or more.
 * @param askedMs Milliseconds that the last answer asks to wait, if it does.
 * @param elapsedMs Milliseconds since the first try began.
 */
export function pauseMs(retries: Retries, failed: number, askedMs: number | null, elapsedMs: number): number | null {
  if (failed >= retries.attempts) return null;
  const pause = (askedMs ?? 0) + drawnPauseMs(retries, failed);
  return elapsedMs + pause <= retries.totalMs ? pause : null;
}

/** Milliseconds that a Retry-After asks to wait, in seconds or until a date; null where it says nothing readable. */
export function retryAfterMs(value: string | null, now = Date.now()): number | null {
  const text = value?.trim() ?? "";
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  // Only a date as HTTP writes it: `Date.parse` reads much else.
  const moment = /^[A-Z][a-z]{2}, .*GMT$/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(moment) ? null : Math.max(0, moment - now);
}
