/** The look of the list. A page changes it by custom properties and `::part(…)`; fonts and colours are its own. */

const CSS = `
:host { display: block; --star: 30px; --accent: var(--marquee-accent, currentcolor); --edge: var(--marquee-edge, color-mix(in srgb, currentcolor 25%, transparent)); }
:host([hidden]) { display: none; }
.heading { margin: 0 0 .5em; font-size: 1.25em; font-weight: 700; }
ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 14rem), 1fr)); gap: .75rem; margin: 0; padding: 0; list-style: none; }
li { display: flex; flex-direction: column; gap: .4rem; min-width: 0; padding: .75rem; border: 1px solid var(--edge); border-radius: .5rem; }
p { margin: 0; overflow-wrap: anywhere; }
.title { font-weight: 650; }
.year { font-weight: 400; }
.reason { font-size: .9em; }
.notice { margin-bottom: .5rem; }
.notice:empty { display: none; }
.outcome { margin-top: .5rem; display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; min-height: 2.25rem; }
button { min-height: 2rem; padding: .25rem .75rem; border: 1px solid currentcolor; border-radius: .4rem; background: none; color: inherit; font: inherit; cursor: pointer; }
button[hidden] { display: none; }
button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.stars { position: relative; width: calc(5 * var(--star)); height: var(--star); margin-top: auto; border-radius: .4rem; }
.stars svg { position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none; }
.stars path { fill: none; stroke: currentcolor; stroke-width: 1.4; stroke-linejoin: round; }
.stars .full { clip-path: inset(0 calc(100% - var(--shown) * 20%) 0 0); }
.stars .full path { fill: var(--accent); stroke: var(--accent); }
.stars.staged .full path { fill-opacity: .55; }
.stars:focus-within:has(:focus-visible) { outline: 3px solid var(--accent); outline-offset: 2px; }
/* The thumb is half a star wide, so that each of the ten values lies under its own half. */
input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: pointer; appearance: none; touch-action: pan-y; }
input::-webkit-slider-thumb { appearance: none; width: calc(var(--star) / 2); height: var(--star); }
input::-moz-range-thumb { width: calc(var(--star) / 2); height: var(--star); border: 0; }
@media (forced-colors: active) { .stars .full path { fill: Highlight; stroke: Highlight; } }
`;

/** The style sheet, one for all lists of a page. */
export function sheet(): CSSStyleSheet {
  made ??= new CSSStyleSheet();
  if (!made.cssRules.length) made.replaceSync(CSS);
  return made;
}

let made: CSSStyleSheet | undefined;
