/** Requests, answers, refusals, pages, and reads that follow writes. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as marquee from "../dist/index.js";
import { pathOf } from "../dist/operation.js";
import { operations } from "../dist/operations.js";
import { gateway, LIST, problem, RECEIPT } from "./gateway.mjs";

test("a call has address, key and options", async () => {
  const { client, requests } = await gateway();
  const query = { k: 3, genre: ["Drama", "War"], exclude: [1, "tt2"], explain: true, tag: null };
  const answer = await client({ token: "secret" }).recommend(42, query);
  const [{ url, headers, method }] = requests;
  assert.equal(url, "/films/v1/users/42/recommendations?k=3&genre=Drama&genre=War&exclude=1&exclude=tt2&explain=true");
  assert.deepEqual([method, headers.authorization, headers["idempotency-key"]], ["GET", "Bearer secret", undefined]);
  assert.equal(answer.route, "of a later release");
});

test("bodies are sent as they are: null clears a field", async () => {
  const { client, requests } = await gateway();
  await client().recommendSession({ ratings: [{ movie_id: 318, rating: 5 }], languages: ["fr"] });
  await client().updateMovie(7, { year: null }, { reason: "unknown" });
  assert.deepEqual(requests[0].body, { ratings: [{ movie_id: 318, rating: 5 }], languages: ["fr"] });
  assert.deepEqual([requests[1].body, requests[1].query.get("reason")], [{ year: null }, "unknown"]);
  assert.equal(requests[1].headers["content-type"], "application/json");
});

test("segments are asked for by kind and id, their pages by cursor", async () => {
  const { client, requests } = await gateway({ items: [] }, { ...LIST, next_cursor: "a" }, LIST);
  await client().segments("movies");
  for await (const _ of client().segmentPages("viewers", 3, { k: 2 }));
  const begin = "/films/v1/segments";
  assert.deepEqual(requests.map(({ url }) => url), [`${begin}/movies`, `${begin}/viewers/3/recommendations?k=2`, `${begin}/viewers/3/recommendations?k=2&cursor=a`]);
});

test("an id is one part of the address, whatever its letters", () => {
  const letters = ["a/b", "%2F", "?x#y", "é", "a.b", ".a", "...", " ", "a:b@c", "\u{1F3AC}"];
  for (const id of letters) {
    const url = new URL(`http://gateway${pathOf({ operation: operations.get_user, path: { user_id: id } })}`);
    assert.deepEqual(url.pathname.split("/").slice(0, 3), ["", "v1", "users"]);
    assert.equal(decodeURIComponent(url.pathname.split("/").slice(3).join("/")), id);
    assert.equal(url.search + url.hash, "");
  }
});

test("what cannot be an id is refused before it is sent", async () => {
  const { client, requests } = await gateway();
  for (const id of ["", ".", ".."]) {
    await assert.rejects(client().user(id), TypeError);
    await assert.rejects(client().rate(1, id, 5), /movie_id/);
  }
  assert.equal(requests.length, 0);
});

const KINDS = { 400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 414: "BadRequest", 422: "InvalidInput", 429: "RateLimited", 500: "ServerFault", 502: "ServerFault", 503: "Unavailable", 504: "Unavailable" };
for (const [status, kind] of Object.entries(KINDS)) {
  test(`a refusal with ${status} is an error with all that it says`, async () => {
    const { client } = await gateway(problem(Number(status), { "Retry-After": "600" }));
    const error = await client().movie(1).catch((caught) => caught);
    assert.ok(error instanceof marquee[kind] && error instanceof marquee.Refused && error instanceof marquee.MarqueeError);
    const { name, code, detail, fields, retryAfterMs } = error;
    assert.deepEqual([name, error.status, code, detail, retryAfterMs], [kind, Number(status), "c", "D", 600_000]);
    assert.deepEqual([fields[0].field, fields[0].allowed, error.problem.items], ["k", [1, 2], [3]]);
    assert.equal(error.message, `${status} c: D; k: too large`);
  });
}

test("a refusal of a proxy has no code", async () => {
  for (const body of ["<html>", "[1]", '{"detail": "Not Found"}', "null"]) {
    const { client } = await gateway({ status: 404, body });
    await assert.rejects(client().movie(1), { name: "NotFound", code: "", fields: [], problem: null });
  }
});

test("an answer of something else is told", async () => {
  for (const body of ["<html>", "3", "null", ""]) {
    const { client } = await gateway({ status: 200, body });
    await assert.rejects(client().movie(1), marquee.UnreadableAnswer);
  }
});

test("an address that is none is refused at once", () => {
  for (const url of ["gateway:8080", "ftp://gateway", "http://", ""]) assert.throws(() => new marquee.Marquee(url), TypeError);
});

test("pages follow the cursor with the same options", async () => {
  const pages = () => ["a", "b", null].map((next_cursor) => ({ ...LIST, next_cursor }));
  const { client, requests } = await gateway(...pages(), ...pages());
  const seen = [];
  for await (const page of client().recommendationPages(42, { genre: ["Drama"], k: 2 })) seen.push(page.next_cursor);
  for await (const page of client().sessionPages({ genres: ["Drama"], k: 2 })) seen.push(page.next_cursor);
  assert.deepEqual(seen, ["a", "b", null, "a", "b", null]);
  const same = { genres: ["Drama"], k: 2 };
  assert.deepEqual(requests.slice(0, 3).map(({ url }) => url.split("?")[1]), ["genre=Drama&k=2", "genre=Drama&k=2&cursor=a", "genre=Drama&k=2&cursor=b"]);
  assert.deepEqual(requests.slice(3).map(({ body }) => body), [same, { ...same, cursor: "a" }, { ...same, cursor: "b" }]);
});

for (const name of ["rate", "unrate", "view", "dismiss", "restore", "addToWatchlist", "removeFromWatchlist"]) {
  test(`reads of a viewer follow their last write: ${name}`, async () => {
    const { client, requests } = await gateway();
    const page = client();
    const after = async (...args) => (await page.recommend(...args), requests.at(-1).query.get("after"));
    await page[name](42, 1, 4.5);
    assert.match(requests[0].headers["idempotency-key"], /^[0-9a-f]{32}$/);
    assert.equal(await after("42"), "t-1"); // the same viewer as 42
    assert.equal(await after(42, { after: "mine" }), "mine");
    assert.equal(await after(42, { after: null }), null);
    assert.equal(await after(43), null);
  });
}

test("reads follow events that name the viewer, and no token of a page", async () => {
  const counts = { accepted: 1, duplicates: 0, rejected: 0, token: "t-9", items: [] };
  const { client, requests } = await gateway(counts, LIST, { token: "secret", user_id: 42, expires_at: "" });
  const page = client();
  await page.publish([{ type: "rating.added", data: { user_id: "x" } }, { data: 3 }, {}]);
  await page.recommend("x");
  assert.equal(requests[1].query.get("after"), "t-9");
  assert.equal((await page.viewerToken(42, 60)).token, "secret");
  assert.deepEqual([requests[2].body, requests[2].headers["idempotency-key"]], [{ seconds: 60 }, undefined]);
  await page.recommend(42);
  assert.equal(requests[3].query.get("after"), null);
});

test("tokens are those of the last writers, for a while", () => {
  let now = 0;
  const tokens = new marquee.WriteTokens(2, 10, () => now);
  for (const viewer of [1, 2, 1, 3]) tokens.remember(viewer, `t-${viewer}`);
  assert.deepEqual([1, 2, 3, "1"].map((viewer) => tokens.last(viewer)), ["t-1", null, "t-3", "t-1"]);
  now = 9;
  tokens.remember(1, "later");
  now = 10;
  assert.deepEqual([1, 3].map((viewer) => tokens.last(viewer)), ["later", null]);
  const none = new marquee.WriteTokens(0);
  none.remember(1, "t");
  assert.equal(none.last(1), null);
});

test("a source of tokens is asked first, and again once where one is refused", async () => {
  const { client, requests } = await gateway(RECEIPT, problem(401), RECEIPT, problem(401), problem(401));
  const asked = [];
  const page = client({ token: async (refused) => `token-${asked.push(refused)}` });
  await page.rate(1, 1, 5);
  await page.rate(1, 2, 5);
  await assert.rejects(page.rate(1, 3, 5), marquee.Unauthorized);
  assert.deepEqual(requests.map(({ headers }) => headers.authorization.slice(-1)), ["1", "1", "2", "2", "3"]);
  assert.deepEqual(asked, [undefined, "token-1", "token-2"]);
  assert.equal(requests[1].headers["idempotency-key"], requests[2].headers["idempotency-key"]);
});

test("calls that begin together ask a source once; one that fails is told", async () => {
  const { client } = await gateway();
  let asked = 0;
  const page = client({ token: () => `token-${++asked}` });
  await Promise.all([1, 2, 3].map((user) => page.recommend(user)));
  assert.equal(asked, 1);
  const broken = client({ token: () => Promise.reject(new Error("no session")), retries: { attempts: 2, firstMs: 1 } });
  await assert.rejects(broken.recommend(1), { name: "NoToken", cause: new Error("no session") });
});
