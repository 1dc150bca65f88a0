/** Follows a list over a link that breaks, and rates past it: a line for each thing that happens. */

const { CLIENT, GATEWAY, LINK, KEY, USER_ID } = process.env;
const { Marquee } = await import(CLIENT);
const direct = new Marquee(GATEWAY, { token: KEY });
const linked = new Marquee(LINK, { token: KEY, retries: { firstMs: 10, longestMs: 100 } });
let rated;
const onBreak = (error) => {
  console.log(`break ${error.name}`);
  rated ??= direct.rate(USER_ID, Number(process.env.FILMS), 5);
};
for await (const list of linked.follow(USER_ID, { k: 3 }, { onBreak })) {
  console.log(`list ${list.items.map((film) => film.movie_id).join(" ")}`);
  if (rated) break;
}
await rated;
