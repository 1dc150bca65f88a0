"""Event rates: writes a second through the API, in bulk and singly, and the time to apply all."""

import itertools
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import redis

from gateway.state import consistency_token
from load import Measured, load, rendered
from marquee.bus.api import TopicPartition
from marquee.settings import read
from marquee.store.keys import Keys
from system import System
from users import STARS, new_user, publish, rating

CALLERS = 32
IN_CALL = 1000
SERVICES = ("gateway", "content", "hybrid", "user-model", "neural")
LIMIT_S = 300.0


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


async def rates(system: System, movies: Sequence[int], calls: int, seconds: float) -> list[Rate]:
    """Measure bulk calls one after the other, until all is applied, then single ratings."""
    url = system.url
    bodies = [_bulk(url, movies) for _ in range(calls)]
    began = time.perf_counter()
    bulk = await load(url, bodies, 1, 120.0)
    accepted = time.perf_counter() - began
    _applied(system, movies)
    applied = time.perf_counter() - began
    single = await load(url, _ratings(url, movies), CALLERS, seconds)
    keyed = await load(url, _ratings(url, movies, keyed=True), CALLERS, seconds)
    _applied(system, movies)
    n = calls * IN_CALL
    return [
        Rate(
            f"POST /v1/events, {IN_CALL:,} a call, 1 connection: accepted",
            n,
            n / accepted,
            bulk.quantile_ms(0.5),
            bulk.quantile_ms(0.99),
            bulk.errors,
        ),
        Rate(f"the same until all {len(SERVICES)} consumers have applied them", n, n / applied),
        _single("accepted", single),
        _single("accepted with an Idempotency-Key", keyed),
    ]


def _single(what: str, measured: Measured) -> Rate:
    return Rate(
        f"PUT of a rating, {CALLERS} connections: {what}",
        len(measured.latencies),
        measured.per_second,
        measured.quantile_ms(0.5),
        measured.quantile_ms(0.99),
        measured.errors,
    )


def _bulk(url: str, movies: Sequence[int]) -> bytes:
    draw, first = random.Random(), new_user()
    events = [
        rating(first + at % 100, draw.choice(movies), STARS[at % len(STARS)]).model_dump(
            mode="json"
        )
        for at in range(IN_CALL)
    ]
    return rendered(url, "POST", "/v1/events", {"events": events})


def _ratings(url: str, movies: Sequence[int], keyed: bool = False) -> Iterator[bytes]:
    draw, first = random.Random(), new_user()
    for at in itertools.count():
        path = f"/v1/users/{first + at % 1000}/ratings/{draw.choice(movies)}"
        headers = {"Idempotency-Key": f"bench-{first}-{at}"} if keyed else {}
        yield rendered(url, "PUT", path, {"rating": STARS[at % len(STARS)]}, headers)


def _applied(system: System, movies: Sequence[int]) -> None:
    """Write on every partition, and wait until each consumer has passed what was written."""
    first = new_user()
    with httpx.Client(base_url=system.url, timeout=30.0, trust_env=False) as client:
        [written] = publish(client, [rating(first + at, movies[0], 4.0) for at in range(64)])
    positions = {
        TopicPartition.parse(name): at for name, at in consistency_token.decode(written).items()
    }
    settings = read(system.settings())
    names = [
        (Keys(settings.namespace, service, settings.partitions).of(partition).position, at)
        for service in SERVICES
        for partition, at in positions.items()
    ]
    deadline = time.monotonic() + LIMIT_S
    with redis.Redis.from_url(settings.redis_url.get_secret_value()) as store:
        while any(int(_value(store, name)) < at for name, at in names):
            if time.monotonic() > deadline:
                raise SystemExit("the events are not applied; is a consumer missing?")
            time.sleep(0.01)


def _value(store: Any, name: str) -> bytes:
    return store.get(name) or b"0"
