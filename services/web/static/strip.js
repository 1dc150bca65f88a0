/** The strip that says which route answers, why, what the next one needs, and what the last write changed. */

import { h } from "./dom.js";
import { readable, ROUTES, route, routeReason, nextStep, effect, deed, degraded } from "./words.js";

const NAMED = 3;
const PROMISE = "Rate a film, and here stands what entered your list, what left it, and how fast.";

export function createStrip(element) {
  const title = h("h2", { id: "strip-title", class: "strip-title" }, "Warming up the projector");
  const code = h("code", { class: "mono route-code" });
  const how = h("p", { class: "quiet" });
  const because = h("p", { class: "quiet small-text" });
  const trouble = h("p", { class: "notice" });
  const steps = ROUTES.map((one) => h("li", { "data-step": one.name }, h("span", {}, one.title)));
  const meter = h("progress", { "aria-labelledby": "next-words" });
  const words = h("p", { id: "next-words", class: "next-words" });
  const next = h("div", { class: "next" }, words, meter);
  const change = h("div", { class: "change" }, h("p", { class: "eyebrow" }, "What changed"));
  const effects = h("div", {}, h("p", { class: "quiet" }, PROMISE));
  change.append(effects);
  trouble.hidden = next.hidden = true;
  element.append(
    h("div", { class: "strip-now" }, h("p", { class: "eyebrow" }, "Answering now ", code), title, how, because, trouble),
    h("div", { class: "strip-way" }, h("ol", { class: "steps", role: "list", "aria-label": "From popular to personal" }, steps), next),
    change,
  );

  function showRoute(answer) {
    const now = route(answer.route);
    element.dataset.route = answer.route;
    title.textContent = now.headline;
    code.textContent = answer.route;
    how.textContent = now.how;
    because.textContent = routeReason(answer.route_reason);
    trouble.hidden = !answer.degraded;
    trouble.textContent = answer.degraded ? degraded(answer) : "";
    const place = ROUTES.findIndex((one) => one.name === answer.route);
    steps.forEach((step, at) => {
      step.dataset.state = at < place ? "past" : at === place ? "now" : "ahead";
      if (at === place) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    });
  }

  function showNext(answer) {
    const coming = nextStep(answer.route, answer.evidence ?? {});
    next.hidden = coming === null && answer.degraded;
    meter.hidden = coming === null;
    if (coming === null) {
      words.textContent = "This is the most personal list there is. Every further rating sharpens it.";
      return;
    }
    words.replaceChildren("Next: ", h("strong", {}, coming.route.title), ` needs ${coming.needs}.`);
    meter.max = coming.of;
    meter.value = coming.done;
  }

  return {
    show({ answer, before, cause, ms, behind }) {
      showRoute(answer);
      showNext(answer);
      if (before && cause.film) effects.replaceChildren(...effectLines(answer, before, cause, ms, behind));
      else if (!before) effects.replaceChildren(h("p", { class: "quiet" }, PROMISE));
    },
  };
}

/** What entered and what left, as two lists of films; the film acted on is neither: its card stays in view. */
export function difference(answer, before, acted) {
  const now = new Set(answer.items.map((item) => item.movie_id));
  const then = new Set(before.items.map((item) => item.movie_id));
  return {
    entered: answer.items.filter((item) => !then.has(item.movie_id)),
    left: before.items.filter((item) => !now.has(item.movie_id) && item.movie_id !== acted.movie_id),
  };
}

function effectLines(answer, before, cause, ms, behind) {
  const change = difference(answer, before, cause.film);
  const what = deed[cause.kind](cause.film, cause.value);
  if (behind) return [h("p", { class: "effect" }, `${what} It is saved; the list is still catching up.`)];
  const lines = [h("p", { class: "effect" }, h("strong", {}, what), ` ${effect(change, ms)}`)];
  if (change.entered.length) lines.push(names("In", change.entered));
  if (change.left.length) lines.push(names("Out", change.left));
  return lines;
}

function names(label, items) {
  const some = items.length > NAMED + 1 ? items.slice(0, NAMED) : items;
  const shown = some.map((item) => readable(item.title)).join(", ");
  const more = items.length > some.length ? ` and ${items.length - some.length} more` : "";
  return h("p", { class: "small-text" }, h("span", { class: "tag" }, label), ` ${shown}${more}`);
}
