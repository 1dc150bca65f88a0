/** Marquee's client for TypeScript: pages and Node. */

export { Marquee } from "./client.js";
export type { ChangeOptions } from "./catalogue.js";
export type { FollowOptions } from "./following.js";
export type { MarqueeOptions, TokenSource } from "./transport.js";
export type { FromList } from "./viewers.js";
export type { CallOptions, MovieId, UserId, WriteOptions } from "./operation.js";
export type { Retries } from "./retries.js";
export { WriteTokens } from "./write-tokens.js";
export * from "./errors.js";
export type * from "./schema.js";
export type { Answer, Body, Query, SegmentKind } from "./types.js";
