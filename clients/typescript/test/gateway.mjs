/** A server in the place of a gateway, whose answers a test gives one by one. */

import { createServer } from "node:http";
import { after } from "node:test";

import { Marquee } from "../dist/index.js";

export const RECEIPT = { event_id: "e", token: "t-1", accepted_at: "2026-01-01T00:00:00Z" };
export const LIST = { recommendation_id: "r", user_id: 42, route: "of a later release", items: [], next_cursor: null };
export const QUICK = { firstMs: 1 };

/**
 * Start a server; it ends with the test file.
 *
 * @param answers What to answer, in order: a document, `{ status, headers, body }`, or a function of request and response.
 * Then writes are answered with a receipt, and reads with a list.
 */
export async function gateway(...answers) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const { pathname, searchParams } = new URL(request.url, "http://gateway");
    const text = Buffer.concat(parts).toString();
    const { method, headers } = request;
    requests.push({ method, headers, path: pathname, url: request.url, query: searchParams, body: text && JSON.parse(text), at: performance.now() });
    const answer = answers.shift() ?? (method === "GET" || /recommendations$/.test(pathname) ? LIST : RECEIPT);
    if (typeof answer === "function") answer(request, response);
    else send(response, "status" in answer && !("code" in answer) ? answer : { body: answer });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${server.address().port}`;
  return { url, requests, client: (options = {}) => new Marquee(`${url}/films/`, { retries: QUICK, ...options }) };
}

function send(response, { status = 200, headers = {}, body = "" }) {
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}

/** A refusal with a problem document. */
export function problem(status, headers = {}) {
  const errors = [{ field: "k", detail: "too large", allowed: [1, 2] }];
  return { status, headers, body: { type: "/problems/c", title: "T", status, code: "c", detail: "D", errors, items: [3] } };
}

/** Break the connection in the place of an answer. */
export const cut = (request) => request.socket.destroy();

/** Never answer. */
export const silence = () => {};

/** A stream that a test writes to: `say(text)`, `end()`, `cut()`. */
export function stream(first = "") {
  let response;
  const opened = Promise.withResolvers ? Promise.withResolvers() : deferred();
  const answer = (request, made) => {
    response = made;
    made.writeHead(200, { "Content-Type": "text/event-stream" });
    made.write(first || ":\n\n");
    opened.resolve();
  };
  const control = {
    opened: opened.promise,
    say: (text) => response.write(text),
    end: () => response.end(),
    cut: () => response.destroy(),
    left: () => response.destroyed,
  };
  return Object.assign(answer, control);
}

export const listed = (id, ...films) => `id: ${id}\nevent: list\ndata: ${JSON.stringify({ ...LIST, items: films })}\n\n`;

function deferred() {
  const made = {};
  made.promise = new Promise((resolve) => (made.resolve = resolve));
  return made;
}
