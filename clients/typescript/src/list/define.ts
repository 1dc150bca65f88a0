/** Defines `<marquee-list>`: the one module that a page loads. */

import { MarqueeList } from "./element.js";

if (!customElements.get("marquee-list")) customElements.define("marquee-list", MarqueeList);

export { MarqueeList };
export type { Words } from "./words.js";

declare global {
  interface HTMLElementTagNameMap {
    "marquee-list": MarqueeList;
  }
}
