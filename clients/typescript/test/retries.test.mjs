/** What is sent again, and after how long; what ends a call. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as marquee from "../dist/index.js";
import { DEFAULT_RETRIES, pauseMs, retryAfterMs } from "../dist/retries.js";
import { cut, gateway, LIST, problem, RECEIPT, silence } from "./gateway.mjs";

for (const status of [408, 429, 503, 504]) {
  test(`a write is sent again after ${status}, under one key`, async () => {
    const { client, requests } = await gateway(problem(status), problem(status), RECEIPT);
    await client().rate(1, 2, 5);
    const keys = new Set(requests.map(({ headers }) => headers["idempotency-key"]));
    assert.deepEqual([requests.length, keys.size], [3, 1]);
  });
}

test("a broken connection is tried again, as often as the rule says", async () => {
  const { client, requests } = await gateway(cut, cut, LIST, cut, cut, cut, cut);
  await client().recommend(1);
  assert.equal(requests.length, 3);
  const error = await client().recommend(1).catch((caught) => caught);
  assert.ok(error instanceof marquee.NoAnswer && !(error instanceof marquee.TimedOut) && error.cause);
  assert.equal(requests.length, 7);
});

test("what must not be repeated is sent once, and so is what was refused for good", async () => {
  const { client, requests } = await gateway(problem(503), problem(500), problem(422));
  await assert.rejects(client().viewerToken(1), marquee.Unavailable);
  await assert.rejects(client().recommend(1), marquee.ServerFault);
  await assert.rejects(client().recommend(1), marquee.InvalidInput);
  assert.equal(requests.length, 3);
});

test("Retry-After is waited for, and told at once where it is too long", async () => {
  const { client, requests } = await gateway(problem(503, { "Retry-After": "1" }), LIST, problem(429, { "Retry-After": "31" }));
  await client().recommend(1);
  assert.ok(requests[1].at - requests[0].at >= 999);
  const started = performance.now();
  await assert.rejects(client().recommend(1), { name: "RateLimited", retryAfterMs: 31_000 });
  assert.ok(performance.now() - started < 5_000);
});

test("a key of the caller's choice is sent", async () => {
  const { client, requests } = await gateway();
  await client().rate(1, 2, 5, { idempotencyKey: "job-1" });
  assert.equal(requests[0].headers["idempotency-key"], "job-1");
});

test("a try that takes too long is given up, the next one may do", async () => {
  const { client, requests } = await gateway(silence, LIST, silence, silence);
  await client({ timeoutMs: 500 }).recommend(1);
  assert.equal(requests.length, 2);
  const once = client({ retries: { attempts: 1 } });
  await assert.rejects(once.recommend(1, {}, { timeoutMs: 50 }), marquee.TimedOut);
});

test("a body that stops half way counts against the time limit", async () => {
  const half = (_, response) => {
    response.writeHead(200, { "Content-Type": "application/json" });
    response.write('{"items":');
  };
  const { client } = await gateway(half);
  await assert.rejects(client({ timeoutMs: 100, retries: { attempts: 1 } }).recommend(1), marquee.TimedOut);
});

test("the caller's signal ends a call, its tries and its pauses, with its own reason", async () => {
  const { client, requests } = await gateway(silence, problem(503, { "Retry-After": "20" }));
  for (const wanted of [1, 2, 2]) {
    const controller = new AbortController();
    if (requests.length >= 2) controller.abort(new Error("enough"));
    const call = client().recommend(1, {}, { signal: controller.signal });
    const ended = assert.rejects(call, { message: "enough" });
    while (requests.length < wanted) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort(new Error("enough"));
    await ended;
    assert.equal(requests.length, wanted);
  }
});

test("pauses are within the rule's limits, and none begins too late", () => {
  for (let draw = 0; draw < 2_000; draw += 1) {
    const failed = 1 + (draw % 3);
    const pause = pauseMs(DEFAULT_RETRIES, failed, draw % 2 ? 500 : null, 0);
    const asked = draw % 2 ? 500 : 0;
    assert.ok(pause >= asked && pause <= asked + 100 * 2 ** (failed - 1));
  }
  assert.ok(pauseMs({ ...DEFAULT_RETRIES, attempts: 5_000 }, 4_000, null, 0) <= 5_000);
  assert.equal(pauseMs(DEFAULT_RETRIES, 4, null, 0), null);
  assert.equal(pauseMs(DEFAULT_RETRIES, 1, null, 30_001), null);
  for (const wrong of [{ attempts: 0 }, { firstMs: -1 }, { totalMs: NaN }]) {
    assert.throws(() => new marquee.Marquee("http://gateway", { retries: wrong }), RangeError);
  }
});

test("Retry-After has seconds or a date", () => {
  const now = Date.UTC(2026, 0, 1, 0, 0, 0);
  const read = (value) => retryAfterMs(value, now);
  assert.deepEqual([" 7 ", "0", "Thu, 01 Jan 2026 00:00:09 GMT", "Wed, 31 Dec 2025 23:59:59 GMT"].map(read), [7_000, 0, 9_000, 0]);
  assert.deepEqual([null, "", "soon", "-1", "1.5", "May"].map(read), Array(6).fill(null));
});
