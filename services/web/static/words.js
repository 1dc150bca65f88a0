/** Everything that the page says, in one place, so that it can be read through and translated. */

const plurals = new Intl.PluralRules("en");
const conjunction = new Intl.ListFormat("en", { type: "conjunction" });
const either = new Intl.ListFormat("en", { type: "disjunction" });
const number = new Intl.NumberFormat("en");

/** The routes from the least to the most personal, as the gateway names them. */
export const ROUTES = [
  { name: "popular", title: "Popular", headline: "What most people loved", how: "These are the films that most viewers liked: a start until you rate one." },
  { name: "similar", title: "Like what you saw", headline: "Like what you have seen", how: "You have seen something but rated nothing: these films resemble it." },
  { name: "hybrid", title: "First ratings", headline: "From your first ratings", how: "What films are about, together with what people who liked the same ones liked." },
  { name: "user-cluster", title: "Viewers like you", headline: "Loved by viewers like you", how: "You have rated enough to find your crowd: these are its favourites." },
  { name: "neural", title: "Made for you", headline: "Made for you alone", how: "A network that knows your taste ranks every film for you." },
];

export const route = (name) => ROUTES.find((one) => one.name === name) ?? { name, title: name, headline: name, how: "" };

export const count = (n, one, many) => `${number.format(n)} ${plurals.select(n) === "one" ? one : many}`;
export const milliseconds = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
export const half = (value) => (Math.round(value * 2) / 2).toString();
export const starCount = (value) => `${half(value)} ${value === 1 || value === 0.5 ? "star" : "stars"}`;

const WHOLE = ["", "one", "two", "three", "four", "five"];

/** "three and a half of five stars": what a screen reader says for 3.5. */
export function starsAloud(value) {
  if (value === null) return "not rated";
  const whole = Math.floor(value);
  const words = value === 0.5 ? "half a star" : `${WHOLE[whole]}${value > whole ? " and a half" : ""}`;
  return value === 0.5 ? `${words} of five` : `${words} of five stars`;
}

/** "Matrix, The" → "The Matrix": catalogues sort by the second form, people read the first. */
export function readable(title) {
  if (!title) return "Untitled film";
  const parts = title.match(/^(.*?), (The|A|An|Les|La|Le|L'|Los|Las|El|Il|Das|Der|Die|Une|Un)( \(.*\))?$/);
  if (!parts) return title;
  const [, rest, article, more = ""] = parts;
  return `${article}${article.endsWith("'") ? "" : " "}${rest}${more}`;
}

/** Why a film is in the list, from its reason code and the films that it rests on. */
export function why(item, chosen) {
  const films = (item.because ?? []).filter((film) => film.title).slice(0, 2).map((film) => readable(film.title));
  const named = films.length ? conjunction.format(films) : null;
  const shared = item.genres.filter((genre) => chosen.includes(genre));
  const reasons = {
    popular: "Loved by many viewers",
    popular_in_genre: shared.length ? `A favourite in ${conjunction.format(shared)}` : "A favourite of its genre",
    popular_in_your_genres: "Popular in the genres of what you have seen",
    similar_to_viewed: named ? `Similar to ${named}, which you have seen` : "Similar to what you have seen",
    because_you_liked: named ? `Because you liked ${named}` : "Because of what you liked",
    liked_by_similar_viewers: named ? `Viewers like you, who also liked ${named}, loved it` : "Loved by viewers with your taste",
    predicted_for_you: named ? `Predicted for you, most of all from ${named}` : "Predicted from everything you rated",
    new: "New in the catalogue",
    on_your_watchlist: "On your watchlist",
    promoted: "Featured",
  };
  return reasons[item.reason] ?? "Chosen for you";
}

/** What a row of films is of, from its kind and the film or genre that it rests on. */
export function rowTitle({ kind, title, movie, genre }) {
  const titles = {
    for_you: "Top picks for you",
    because_you_liked: movie && `Because you liked ${readable(movie.title)}`,
    because_you_viewed: movie && `Because you have seen ${readable(movie.title)}`,
    genre: genre && `More ${genre} for you`,
    new: "New in the catalogue",
    segment: "Loved by viewers with your taste",
    watchlist: "From your watchlist",
    popular: "Popular now",
  };
  return titles[kind] || title;
}

/** What the next route needs: `{route, needs, done, of}`, or null at the most personal one. */
export function nextStep(now, { ratings = 0, positive = 0 }) {
  if (now === "neural" || (ratings >= 20 && positive >= 3)) return null;
  if (ratings === 0) return { route: route("hybrid"), needs: "1 rating", done: 0, of: 1 };
  const many = now === "user-cluster" || (ratings >= 5 && positive >= 3) || ratings >= 20;
  const goal = many ? 20 : 5;
  const more = Math.max(0, goal - ratings);
  const liked = Math.max(0, 3 - positive);
  const needs = [more && count(more, "more rating", "more ratings"), liked && likes(liked, more)].filter(Boolean);
  const of = goal + 3;
  const done = Math.min(ratings, goal) + Math.min(positive, 3);
  return { route: route(many ? "neural" : "user-cluster"), needs: needs.join(", ") || "a moment", done, of };
}

const likes = (liked, more) =>
  more >= liked ? `${count(liked, "of them", "of them")} with 4 stars or more` : `${count(liked, "film", "films")} with 4 stars or more`;

/** The gateway's own reason for the route, as a sentence. */
export const routeReason = (text) => (text ? `Known of you: ${text}.` : "");

/** What is wanting in a list that is not the usual one. */
export function degraded({ route: now, profile, fallbacks }) {
  if (profile === "unavailable") return "Your ratings cannot be read just now, so this list does without them. They are safe.";
  const silent = (fallbacks ?? []).find((one) => !/ films found$/.test(one.why));
  if (silent && now === "popular" && /no model/.test(silent.why)) {
    return "The first models are in training. Until they are there, films are in the order of their popularity.";
  }
  const missed = (fallbacks ?? []).map((one) => one.route);
  const absent = missed.find((name) => name !== now);
  if (absent && absent === missed[0]) {
    return `“${route(absent).title}” could not answer just now, so “${route(now).title}” stands in. Your ratings are safe; the next list tries again.`;
  }
  if (silent) return `“${route(now).title}” could not answer just now, so films are in the order of their popularity.`;
  return `“${route(now).title}” found few films for this choice, so others fill up the list.`;
}

export const listTitle = (answer, chosen) => {
  const films = count(answer.items.length, "film", "films");
  if (answer.route === "popular") return chosen.length ? `${films} in ${either.format(chosen)}` : `${films} to start with`;
  return `${films} for you${chosen.length ? ` in ${either.format(chosen)}` : ""}`;
};

export const NOTHING = "Nothing yet. What you rate is kept here, and can be changed or taken back.";
export const NO_RATING = "No rating yet. What you have seen, do not want, or keep for later is remembered. What you rate is kept here, and can be changed or taken back.";

/** The films to see later: their panel, the toggle on every film, and the rows to browse. */
export const WATCHLIST = {
  title: "Your watchlist",
  counted: (n) => (n ? `Your watchlist (${number.format(n)})` : "Your watchlist"),
  empty: "Nothing yet. “Watchlist” on a film keeps it here for later.",
  toggle: "Watchlist",
  toggleAloud: (title) => `Watchlist: ${title}`,
  seen: "Seen",
  takeOff: "Take off",
  takeOffAloud: (title) => `Take ${title} off your watchlist`,
  tookOff: (title) => `Took ${title} off. `,
  undo: "Undo",
};
export const BROWSE = {
  title: "More to browse",
  skip: "Skip these rows",
  failed: "These rows could not be brought up to date.",
  again: "Try again",
};

export const SLOW = "This takes longer than usual.";
export const SLOW_LIST = `${SLOW} The list stays as it was until the new one is here.`;

/** "Rated Heat 4 stars." and its kin, for the line that announces what a write did. */
export const deed = {
  rated: (film, value) => `Rated ${readable(film.title)} ${starCount(value)}.`,
  unrated: (film) => `Took back your rating of ${readable(film.title)}.`,
  seen: (film) => `Noted: you have seen ${readable(film.title)}.`,
  dismissed: (film) => `${readable(film.title)} is out of your lists.`,
  restored: (film) => `${readable(film.title)} may come back.`,
  listed: (film) => `${readable(film.title)} is on your watchlist.`,
  unlisted: (film) => `${readable(film.title)} is off your watchlist.`,
};

/** The card of the film acted on last, which stays in view though the list has gone on without it. */
export const STAYS = { text: "Done", aloud: "You are done with it", why: "It is not in the list any more: it leaves with your next choice." };

/** "3 films entered, 2 left, in 84 ms." */
export function effect({ entered, left }, ms) {
  if (!entered.length && !left.length) return `The list stayed as it was, ${milliseconds(ms)} later.`;
  return `${count(entered.length, "film", "films")} entered, ${left.length} left, in ${milliseconds(ms)}.`;
}
