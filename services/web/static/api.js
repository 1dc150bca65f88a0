/** The gateway's public API, and nothing else: one function a call. */

const PATIENCE_MS = 10000;

/** A refused or failed call; `message` is written for the viewer. */
export class CallError extends Error {
  constructor(message, { status = 0, code = "" } = {}) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function call(method, path, { query = {}, body } = {}) {
  const options = { method, headers: { Accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE_MS) };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  const response = await fetch(address(path, query), options).catch((cause) => {
    throw unreachable(cause);
  });
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw refusal(response, answer);
  return answer;
}

function address(path, query) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === "") continue;
    for (const one of [value].flat()) parameters.append(name, one);
  }
  const text = parameters.toString();
  return `v1/${path}${text ? `?${text}` : ""}`;
}

function unreachable(cause) {
  if (cause.name === "TimeoutError") return new CallError("Marquee took too long to answer.");
  if (!navigator.onLine) return new CallError("You seem to be offline.");
  return new CallError("Marquee cannot be reached just now.");
}

function refusal(response, problem) {
  const words = {
    429: "That was a lot at once. Wait a moment, then try again.",
    503: "Marquee cannot do that just now.",
  };
  const detail = problem?.detail || problem?.title || `The answer was ${response.status}.`;
  const known = { status: response.status, code: problem?.code ?? "" };
  return new CallError(words[response.status] ?? detail, known);
}

const user = (id, rest = "") => `users/${id}${rest}`;

export const genres = () => call("GET", "genres");
export const coldStart = (genre, k) => call("GET", "recommendations", { query: { genre, k } });
export const recommendations = (id, { genre, k, after }) =>
  call("GET", user(id, "/recommendations"), { query: { k, genre, after } });
export const viewer = (id) => call("GET", user(id));
export const ratings = (id, cursor) => call("GET", user(id, "/ratings"), { query: { cursor } });
export const exportAddress = (id, format) => address(user(id, "/export"), { format });
export const rate = (id, movie, rating) => call("PUT", user(id, `/ratings/${encodeURIComponent(movie)}`), { body: { rating } });
export const unrate = (id, movie) => call("DELETE", user(id, `/ratings/${encodeURIComponent(movie)}`));
export const view = (id, movie) => call("POST", user(id, "/views"), { body: { movie_id: movie } });
export const dismiss = (id, movie) => call("PUT", user(id, `/dismissed/${encodeURIComponent(movie)}`));
export const restore = (id, movie) => call("DELETE", user(id, `/dismissed/${encodeURIComponent(movie)}`));
export const shelves = (id, { genre, rows, k, after }) => call("GET", user(id, "/shelves"), { query: { genre, rows, k, after } });
export const watchlist = (id) => call("GET", user(id, "/watchlist"), { query: { limit: 1000 } });
export const list = (id, movie) => call("PUT", user(id, `/watchlist/${encodeURIComponent(movie)}`));
export const unlist = (id, movie) => call("DELETE", user(id, `/watchlist/${encodeURIComponent(movie)}`));
export const films = (query, cursor) => call("GET", "movies", { query: { query, limit: 6, cursor } });
export const predictions = (id, movies) =>
  call("POST", "predictions", { body: { user_id: id, movie_ids: movies } });
