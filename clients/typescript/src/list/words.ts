/** Everything that the list says, in one place, so that a page can translate it. */

import { Refused, type MarqueeError } from "../errors.js";
import type { Reason, RecommendationDocument } from "../schema.js";

type Film = Pick<RecommendationDocument, "title" | "year">;

export interface Words {
  /** The heading where the page gives none. */
  heading: string;
  loading: string;
  /** In the place of a list that has no film. */
  empty: string;
  /** While the connection is broken. */
  interrupted: string;
  undo: string;
  again: string;
  title(film: Film): string;
  reason(film: RecommendationDocument): string;
  /** The name of a film's stars. */
  rate(film: Film): string;
  /** What a screen reader says for a number of stars; null: none. */
  stars(value: number | null): string;
  rated(film: Film, value: number): string;
  takenBack(film: Film): string;
  notSaved(film: Film, error: MarqueeError): string;
  /** Where the list does not go on. */
  ended(error: MarqueeError): string;
}

const WHOLE = ["", "one", "two", "three", "four", "five"];
// Codes are for programs.
const told = (error: MarqueeError): string => (error instanceof Refused ? error.detail : error.message).replace(/\.?$/, ".");
const both = (films: string[]): string => new Intl.ListFormat("en").format(films);

export const ENGLISH: Words = {
  heading: "For you",
  loading: "Loading…",
  empty: "No film for this choice.",
  interrupted: "The connection is broken: this list may be old.",
  undo: "Undo",
  again: "Try again",
  title: (film) => film.title ?? "Untitled film",
  reason(film) {
    const named = both(film.because.flatMap((ground) => ground.title ?? []).slice(0, 2));
    const reasons: Record<Reason, string> = {
      popular: "Loved by many viewers",
      popular_in_genre: "A favourite of its genre",
      popular_in_your_genres: "Popular in the genres of what you have seen",
      similar_to_viewed: named ? `Similar to ${named}, which you have seen` : "Similar to what you have seen",
      because_you_liked: named ? `Because you liked ${named}` : "Because of what you liked",
      liked_by_similar_viewers: "Loved by viewers with your taste",
      predicted_for_you: "Predicted from everything you rated",
      new: "New in the catalogue",
      on_your_watchlist: "On your watchlist",
      promoted: "Featured",
    };
    // A later gateway may know more of them.
    return (reasons as Partial<typeof reasons>)[film.reason] ?? "Chosen for you";
  },
  rate: (film) => `Your rating of ${ENGLISH.title(film)}${film.year ? ` (${film.year})` : ""}`,
  stars(value) {
    if (value === null) return "not rated";
    if (value === 0.5) return "half a star of five";
    const whole = Math.floor(value);
    return `${WHOLE[whole]}${value > whole ? " and a half" : ""} of five stars`;
  },
  rated: (film, value) => `Rated ${ENGLISH.title(film)}: ${ENGLISH.stars(value)}.`,
  takenBack: (film) => `Took back your rating of ${ENGLISH.title(film)}.`,
  notSaved: (film, error) => `Your rating of ${ENGLISH.title(film)} is not saved: ${told(error)}`,
  ended: (error) => `This list does not go on: ${told(error)}`,
};
