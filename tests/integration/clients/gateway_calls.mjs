/** Calls of the TypeScript client at a gateway; its address and keys are in the environment. */

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";

const { CLIENT, GATEWAY, KEY, SLOW_KEY, FILMS } = process.env;
const marquee = await import(CLIENT);
const client = new marquee.Marquee(GATEWAY, { token: KEY });
const newUser = () => 2 ** 40 + randomInt(2 ** 40);
const ids = (answer) => answer.items.map((item) => item.movie_id);
const all = Array.from({ length: Number(FILMS) }, (_, i) => i + 1);

async function pagesOf(pages) {
  const seen = [];
  for await (const page of pages) seen.push(...ids(page));
  return seen;
}

test("each read follows the write before it", async () => {
  const user = newUser();
  const shown = ids(await client.recommend(user, { k: 3 }));
  for (const [write, film] of [["dismiss", shown[0]], ["view", shown[1]], ["rate", shown[2]]]) {
    await client[write](user, film, 4);
    const after = await client.recommend(user, { k: all.length });
    assert.ok(after.fresh);
    assert.ok(!ids(after).includes(film));
  }
  await client.restore(user, shown[0]);
  assert.ok(ids(await client.recommend(user, { k: all.length })).includes(shown[0]));
});

test("ratings and watchlist are what was written", async () => {
  const user = newUser();
  for (let film = 1; film < 8; film += 1) {
    await client.rate(user, film, film / 2);
    await client.addToWatchlist(user, film + 10);
  }
  await client.unrate(user, 4);
  await client.removeFromWatchlist(user, 11);
  assert.deepEqual((await pagesOf(client.ratingPages(user, { limit: 2 }))).sort(), [1, 2, 3, 5, 6, 7]);
  assert.deepEqual(ids(await client.watchlist(user)), [17, 16, 15, 14, 13, 12]);
  assert.equal((await client.recommend(user, { watchlist: "only", k: 20 })).items.length, 6);
  const { ratings, watchlist, fresh } = await client.user(user);
  assert.deepEqual([ratings, watchlist, fresh], [6, 6, true]);
  assert.deepEqual((await client.export(user)).ratings.map((rated) => rated.movie_id).sort(), [1, 2, 3, 5, 6, 7]);
  assert.ok((await client.erase(user)).receipt.stores.length);
  assert.equal((await client.user(user)).ratings, 0);
});

test("pages show every film once", async () => {
  const user = newUser();
  const sorted = async (pages) => (await pagesOf(pages)).sort((one, other) => one - other);
  assert.deepEqual(await sorted(client.recommendationPages(user, { k: 25 })), all);
  const session = { ratings: [{ movie_id: 5, rating: 4.5 }], viewed: [6], k: 25 };
  assert.deepEqual(await sorted(client.sessionPages(session)), all.filter((film) => film !== 5 && film !== 6));
  const found = new Set(await pagesOf(client.searchPages("film", { limit: 25 })));
  assert.ok(all.every((film) => found.has(film)));
  const nearly = await pagesOf(client.similarPages(1, { k: 25 }));
  assert.ok(new Set(nearly).size === nearly.length && nearly.length >= 25);
});

test("lists of several, rows, predictions", async () => {
  const user = newUser();
  const batch = await client.batch({ users: [user, "no id!"], k: 2 });
  assert.deepEqual([batch.lists, batch.problems], [1, 1]);
  const { rows } = await client.shelves(user, { rows: 2, k: 3, year_from: 1990 });
  assert.ok(rows.length && rows.every((row) => row.items.every((film) => film.year >= 1990)));
  assert.equal((await client.genres()).items[0].name, "Drama");
});

test("films are added once under a key, changed and removed", async () => {
  const added = await client.addMovie({ title: "Heat", year: 1995, genres: ["Crime"] }, { reason: "new" });
  const key = { idempotencyKey: `job-${newUser()}` };
  const again = await client.addMovie({ title: "Ran" }, key);
  assert.deepEqual(await client.addMovie({ title: "Ran" }, key), again);
  const wait = async (written) => client.user(1, { after: written.token, wait_ms: 10_000 });
  await wait(await client.updateMovie(added.movie_id, { year: null, runtime: 170 }));
  const { title, year, runtime } = await client.movie(added.movie_id);
  assert.deepEqual([title, year, runtime], ["Heat", null, 170]);
  await wait(await client.removeMovie(added.movie_id));
  await assert.rejects(client.movie(added.movie_id), marquee.NotFound);
  await wait(await client.removeMovie(again.movie_id));
});

test("events are followed, and rejected one by one", async () => {
  const user = newUser();
  const event = (rating) => ({ type: "rating.added", data: { user_id: user, movie_id: 1, rating } });
  const answer = await client.publish([event(4), event(9)]);
  assert.deepEqual(answer.items.map((item) => item.status), ["accepted", "rejected"]);
  assert.equal((await client.user(user)).ratings, 1);
  await assert.rejects(client.publish([event(9)]), (error) => error.problem.items[0].status === "rejected");
});

test("an id that a number cannot hold stays what it is", async () => {
  const user = String(2n ** 62n + BigInt(newUser()));
  await client.rate(user, 1, 4);
  assert.equal((await client.recommend(user, { k: 1 })).user_id, user);
  assert.equal((await client.user(user)).ratings, 1);
});

test("refusals are errors of their kind", async () => {
  const user = newUser();
  const error = await client.recommend(user, { k: 1000 }).catch((caught) => caught);
  assert.ok(error instanceof marquee.InvalidInput);
  assert.deepEqual(error.fields.map(({ field }) => field), ["k"]);
  await assert.rejects(client.rate(user, 10 ** 6, 5), marquee.NotFound);
  await assert.rejects(new marquee.Marquee(GATEWAY).recommend(user), marquee.Unauthorized);
  const slow = new marquee.Marquee(GATEWAY, { token: SLOW_KEY });
  await slow.genres();
  await assert.rejects(slow.genres(), (limited) => limited instanceof marquee.RateLimited && limited.retryAfterMs > 30_000);
});

test("a viewer's token is for that viewer", async () => {
  const user = newUser();
  const page = new marquee.Marquee(GATEWAY, { token: async () => (await client.viewerToken(user, 60)).token });
  await page.rate(user, 1, 4);
  assert.equal((await page.user(user)).ratings, 1);
  await assert.rejects(page.recommend(user + 1), marquee.Forbidden);
});

test("a list is followed until its viewer is erased", async () => {
  const user = newUser();
  const seen = [];
  const follow = async () => {
    for await (const list of client.follow(user, { k: 3 })) {
      seen.push(ids(list));
      if (seen.length === 1) await client.rate(user, seen[0][0], 5);
      else await client.erase(user);
    }
  };
  await assert.rejects(follow(), { name: "FollowingEnded", code: "erased" });
  assert.ok(!seen[1].includes(seen[0][0]));
});
