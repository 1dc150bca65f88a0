/** Types of requests and answers by the names of operations. */

import type { operations as table } from "./operations.js";
import type { operations as described } from "./schema.js";

const JSON_TYPE = "application/json";
type Json = typeof JSON_TYPE;

/** The name of an operation that the client calls. */
export type Name = keyof typeof table;

/** Parameters of an operation: `after` is the token of the viewer's last write, unless it is given; null: none. */
export type Query<N extends Name> = NonNullable<described[N]["parameters"]["query"]>;

/** What segments are of. */
export type SegmentKind = described["list_segments"]["parameters"]["path"]["kind"];

/** The JSON body of an operation. */
export type Body<N extends Name> =
  NonNullable<described[N]["requestBody"]> extends { content: Record<Json, infer B> } ? B : never;

/** A successful answer of an operation. */
export type Answer<N extends Name> =
  described[N]["responses"][keyof described[N]["responses"]] extends { content: Record<Json, infer A> } ? A : never;
