"""Events a second: through the API in bulk and one by one, and how soon all is applied."""

import itertools
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import httpx
import orjson

from load import load, rendered
from viewers import STARS, follow, new_viewer, rating

CALLERS = 32
IN_CALL = 1000


@dataclass(frozen=True)
class Rate:
    """Events a second that were accepted, or applied to the end."""

    what: str
    events: int
    per_second: float
    p50_ms: float = float("nan")
    """Latency of one call."""
    p99_ms: float = float("nan")
    errors: int = 0


async def rates(url: str, films: Sequence[int], calls: int, seconds: float) -> list[Rate]:
    """Measure bulk calls one after the other, until all is visible, then single ratings."""
    bodies = [_bulk(url, films) for _ in range(calls)]
    began = time.perf_counter()
    bulk = await load(url, bodies, 1, 120.0)
    with httpx.Client(base_url=url, timeout=30.0, trust_env=False) as client:
        follow(client, [_last_token(client, films)])
        whole = time.perf_counter() - began
        single = await load(url, _ratings(url, films), CALLERS, seconds)
        follow(client, [_last_token(client, films)])
    n = calls * IN_CALL
    return [
        Rate(
            f"POST /v1/events, {IN_CALL:,} a call, 1 connection: accepted",
            n,
            bulk.per_second * IN_CALL,
            bulk.quantile_ms(0.5),
            bulk.quantile_ms(0.99),
            bulk.errors,
        ),
        Rate("the same until profiles and every model's rows have them", n, n / whole),
        Rate(
            f"PUT of a rating, {CALLERS} connections: accepted",
            len(single.latencies),
            single.per_second,
            single.quantile_ms(0.5),
            single.quantile_ms(0.99),
            single.errors,
        ),
    ]


def _bulk(url: str, films: Sequence[int]) -> bytes:
    draw, first = random.Random(), new_viewer()
    events = [
        rating(first + at % 100, draw.choice(films), STARS[at % len(STARS)]).model_dump(mode="json")
        for at in range(IN_CALL)
    ]
    return rendered(url, "POST", "/v1/events", {"events": events})


def _ratings(url: str, films: Sequence[int]) -> Iterator[bytes]:
    draw, first = random.Random(), new_viewer()
    for at in itertools.count():
        path = f"/v1/users/{first + at % 1000}/ratings/{draw.choice(films)}"
        yield rendered(url, "PUT", path, {"rating": STARS[at % len(STARS)]})


def _last_token(client: httpx.Client, films: Sequence[int]) -> str:
    """Write on every partition; return a token that stands behind all written before."""
    first = new_viewer()
    events = [rating(first + at, films[0], 4.0).model_dump(mode="json") for at in range(64)]
    answer = client.post("/v1/events", content=orjson.dumps({"events": events}))
    return str(answer.raise_for_status().json()["token"])
