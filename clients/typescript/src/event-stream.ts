/** Server-Sent Events (HTML standard, section 9.2), read from the body of an answer. */

export interface Message {
  /** What to send as `Last-Event-ID` after a break. */
  id: string;
  type: string;
  data: string;
}

/** What a stream says: a message, after how many milliseconds to connect again, or a sign of life. */
export type Said = Message | { retryMs: number } | { alive: true };

/** Collects the parts of a stream, which may end anywhere, into what they say. */
export class EventParser {
  #text = "";
  #id = "";
  #type = "";
  #data: string[] = [];

  /** Take the next part of the text; yield what is complete. */
  *take(part: string): Generator<Said> {
    this.#text += part;
    // A carriage return at the end may be half of a line's end.
    const lines = this.#text.split(/\r\n|\n|\r(?!$)/);
    this.#text = lines.pop() ?? "";
    for (const line of lines) yield* this.#line(line);
  }

  *#line(line: string): Generator<Said> {
    if (line === "") {
      if (this.#data.length) yield { id: this.#id, type: this.#type || "message", data: this.#data.join("\n") };
      this.#type = "";
      this.#data = [];
      return;
    }
    const at = line.indexOf(":");
    const field = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
    if (field === "") yield { alive: true };
    else if (field === "data") this.#data.push(value);
    else if (field === "event") this.#type = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^\d+$/.test(value)) yield { retryMs: Number(value) };
  }
}
