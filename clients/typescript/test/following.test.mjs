/** Lists that are followed: the reading of streams, breaks, ends. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as marquee from "../dist/index.js";
import { EventParser } from "../dist/event-stream.js";
import { gateway, LIST, listed, problem, RECEIPT, stream } from "./gateway.mjs";

const STREAM = "retry: 10\r\n\r\n:\n\nid: a\r\nevent: list\r\ndata: {\r\ndata:1}\r\n\r\nid\ndata\n\nevent: end\rdata: x\r\rdata: lost";
const SAID = [
  { retryMs: 10 },
  { alive: true },
  { id: "a", type: "list", data: "{\n1}" },
  { id: "", type: "message", data: "" },
  { id: "", type: "end", data: "x" },
];

test("a stream says the same wherever its parts end", () => {
  for (let first = 0; first <= STREAM.length; first += 1) {
    for (let second = first; second <= STREAM.length; second += 1) {
      const parser = new EventParser();
      const parts = [STREAM.slice(0, first), STREAM.slice(first, second), STREAM.slice(second)];
      assert.deepEqual(parts.flatMap((part) => [...parser.take(part)]), SAID, `${first} ${second}`);
    }
  }
});

/** Follow in the background; `lists` has what came. */
function following(client, options = {}, query = {}) {
  const lists = [];
  const breaks = [];
  const run = async () => {
    for await (const list of client.follow(42, query, { onBreak: (error) => breaks.push(error.name), ...options })) lists.push(list.items[0]);
  };
  return { lists, breaks, ended: run() };
}

async function until(condition) {
  for (const started = performance.now(); !condition(); ) {
    assert.ok(performance.now() - started < 20_000, "too long");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("lists come as they are sent, over breaks, from where they ended", async () => {
  const [one, two, three] = [stream(`retry: 5\n\n${listed("a", 1)}`), stream(), stream()];
  const { client, requests } = await gateway(one, problem(503), two, three);
  const stop = new AbortController();
  const { lists, breaks, ended } = following(client(), { signal: stop.signal }, { k: 3 });
  await until(() => lists.length === 1);
  one.say(listed("b", 2));
  await until(() => lists.length === 2);
  one.cut();
  await two.opened;
  two.say(listed("c", 3));
  await until(() => lists.length === 3);
  two.end();
  await three.opened;
  stop.abort();
  await ended;
  assert.deepEqual(lists, [1, 2, 3]);
  assert.deepEqual(requests.map(({ headers }) => headers["last-event-id"]), [undefined, "b", "b", "c"]);
  assert.deepEqual(breaks, ["NoAnswer", "Unavailable", "NoAnswer"]);
  assert.deepEqual([requests[0].headers.accept, requests[0].url], ["text/event-stream", "/films/v1/users/42/recommendations/changes?k=3"]);
  await until(three.left);
});

test("a break out of the loop leaves the connection", async () => {
  const one = stream(listed("a", 1));
  const { client } = await gateway(one);
  for await (const list of client().follow(42)) {
    assert.deepEqual(list.items, [1]);
    break;
  }
  await until(one.left);
});

test("what the caller's loop throws is the caller's", async () => {
  const one = stream(listed("a", 1));
  const { client, requests } = await gateway(one);
  const loop = async () => {
    for await (const _ of client().follow(42)) throw new Error("mine");
  };
  await assert.rejects(loop(), { message: "mine" });
  await until(one.left);
  assert.equal(requests.length, 1);
});

test("a stream that says that it does not go on is not asked for again", async () => {
  const one = stream(`${listed("a", 1)}event: end\ndata: {"code":"erased","reason":"erased"}\n\n`);
  const { client, requests } = await gateway(one);
  await assert.rejects(following(client()).ended, { name: "FollowingEnded", code: "erased" });
  assert.equal(requests.length, 1);
});

test("a token that has ended is renewed, where there is another one", async () => {
  const over = stream('retry: 1\n\nevent: end\ndata: {"code":"unauthorized","reason":"over"}\n\n');
  const again = stream('event: end\ndata: {"code":"unauthorized","reason":"over"}\n\n');
  const { client, requests } = await gateway(over, problem(401), again, over);
  let number = 0;
  const source = () => `token-${Math.min((number += 1), 3)}`;
  await assert.rejects(following(client({ token: source })).ended, { name: "FollowingEnded", code: "unauthorized" });
  assert.deepEqual(requests.map(({ headers }) => headers.authorization), ["Bearer token-1", "Bearer token-2", "Bearer token-3"]);
  await assert.rejects(following(client({ token: "one" })).ended, marquee.FollowingEnded);
});

test("a refusal that does not pass ends it, and so does an answer that is no stream", async () => {
  const { client, requests } = await gateway(problem(401), problem(404), LIST);
  await assert.rejects(following(client()).ended, marquee.Unauthorized);
  await assert.rejects(following(client()).ended, marquee.NotFound);
  await assert.rejects(following(client()).ended, marquee.UnreadableAnswer);
  assert.equal(requests.length, 3);
});

test("silence counts as a break, but not the time that the caller takes", async () => {
  const one = stream(`retry: 1\n\n${listed("a", 1)}`);
  const two = stream(listed("c", 3));
  const { client, requests } = await gateway(one, two);
  const seen = [];
  for await (const list of client().follow(42, {}, { silenceMs: 600, onBreak: (error) => seen.push(error.name) })) {
    seen.push(list.items[0]);
    if (list.items[0] === 3) break;
    if (list.items[0] === 2) continue;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    one.say(listed("b", 2));
  }
  assert.deepEqual(seen, [1, 2, "TimedOut", 3]);
  assert.deepEqual(requests.map(({ headers }) => headers["last-event-id"]), [undefined, "b"]);
});

test("an id that is none is refused before anything is sent", async () => {
  const { client, requests } = await gateway();
  assert.throws(() => client().follow(""), /user_id/);
  assert.equal(requests.length, 0);
});

test("a list follows the viewer's last write", async () => {
  const { client, requests } = await gateway(RECEIPT, stream(listed("a", 1)));
  const page = client();
  await page.rate(42, 1, 5);
  for await (const _ of page.follow(42)) break;
  assert.equal(requests[1].query.get("after"), "t-1");
});
