"""Lists of known users from two running gateways in turn: the code before and the code after.

`make bench-pairs ARGS="http://127.0.0.1:8000 http://127.0.0.1:8200"`. Start both demos from a copy
of one state, with `MARQUEE_TRAIN_AFTER_RATINGS=0`, so that none trains meanwhile, and with
`MARQUEE_CACHE_MB=0` where computed lists are to be compared.
"""

import argparse
import asyncio
import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

import httpx
from rich.console import Console

from load import Measured, load, rendered
from report import Table
from users import KNOWN, make_users, popular_movies

CONNECTIONS = (1, 32)
_PATH = "/v1/users/{}/recommendations"


def good_per_second(measured: Measured) -> float:
    """Return the answers a second that are neither refused nor degraded."""
    good = len(measured.latencies) - measured.errors - measured.degraded
    return good / measured.seconds


def requests(url: str, users: Sequence[int]) -> Iterator[bytes]:
    """Return requests for the lists of users in turn, without end."""
    order = list(users)
    random.Random(1).shuffle(order)
    return itertools.cycle([rendered(url, "GET", _PATH.format(user)) for user in order])


def in_turn(
    urls: Sequence[str],
    users: Mapping[str, Sequence[int]],
    connections: int,
    asked: argparse.Namespace,
) -> list[tuple[Measured, Measured]]:
    """Measure both sides in alternation; return the pairs, the code before first."""
    pairs = []
    for number in range(asked.pairs):
        order = urls if number % 2 == 0 else urls[::-1]
        made = {
            url: asyncio.run(load(url, requests(url, users[url]), connections, asked.seconds))
            for url in order
        }
        pairs.append((made[urls[0]], made[urls[1]]))
    return pairs


def row(name: str, pairs: Sequence[tuple[Measured, Measured]]) -> tuple[str, ...]:
    """Return a row: medians of both sides, and the median of the pairs' ratios."""

    def compared(values: Sequence[tuple[float, float]]) -> str:
        before, after = median(a for a, _ in values), median(b for _, b in values)
        return f"{before:.1f} → {after:.1f}, {median(b / a for a, b in values if a):.2f}"

    figures = [
        [(a.quantile_ms(share), b.quantile_ms(share)) for a, b in pairs] for share in (0.5, 0.99)
    ]
    figures.append([(good_per_second(a), good_per_second(b)) for a, b in pairs])
    not_good = [sum(one[side].errors + one[side].degraded for one in pairs) for side in (0, 1)]
    return name, *map(compared, figures), f"{not_good[0]}, {not_good[1]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", help="address of the gateway with the code before")
    parser.add_argument("after", help="address of the gateway with the code after")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one measurement")
    parser.add_argument("--users", type=int, default=20, help="of each kind")
    asked = parser.parse_args()
    urls, made = [asked.before.rstrip("/"), asked.after.rstrip("/")], {}
    for url in urls:
        with httpx.Client(base_url=url, timeout=60) as client:
            made[url] = make_users(client, popular_movies(client), asked.users)
    rows = []
    for kind, connections in itertools.product(KNOWN, CONNECTIONS):
        users = {url: made[url][kind] for url in urls}
        pairs = in_turn(urls, users, connections, asked)
        rows.append(row(f"{kind}, {connections} connections", pairs))
    columns = ("before → after, ratio", "p50, ms", "p99, ms", "good answers a second")
    title = f"Lists from two gateways, {asked.pairs} pairs of {asked.seconds:g} s"
    table = Table(title, (*columns, "refused or degraded"), rows)
    Console(width=130).print(table.rich())
    print(table.markdown())  # noqa: T201 - for the page of figures


if __name__ == "__main__":
    main()
