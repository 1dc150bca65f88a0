"""`python tests/bench/ids.py`: what ids that are strings cost, against whole numbers.

The gateway alone: its consumer applies ratings from a log to a Valkey of its own, then its API
answers lists of those users over a model that answers at once. Each form of ids is measured in
turn, the order changing from run to run; medians, and the median of the paired ratios.
"""

import argparse
import asyncio
import random
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from statistics import median
from typing import Any

import orjson
import redis
from rich.console import Console

from gateway.app import create_app
from gateway.catalogue.catalogue import Row
from gateway.consumer import GatewayProjection
from gateway.recommend.orchestrator import Orchestrator
from gateway.state.redis_profiles import RedisProfiles
from gateway.upstream.models import Call, Failure, RecommendReply, Reply
from marquee.bus.api import Outgoing
from marquee.bus.factory import open_bus
from marquee.bus.topics import create_topics
from marquee.consumer.worker import Worker
from marquee.domain.ids import parse_id
from marquee.domain.movies import Movie
from marquee.domain.recommendation import Reason, Route, Scored
from marquee.domain.routing import Thresholds
from marquee.events import MOVIES, RATINGS, RatingAdded
from marquee.settings import Settings
from marquee.snapshots.source import StoredSnapshots
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore
from marquee_local.servers import valkey
from marquee_testing.fakes.gateway_api import client_of, parts
from report import Table

USERS, FILMS = 500, 2000
BATCH = 1000
REQUESTS = 300
Form = Callable[[str, int], int | str]


def whole(_: str, number: int) -> int:
    """Return a whole number."""
    return number


def string(kind: str, number: int) -> str:
    """Return a UUID."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}/{number}"))


@dataclass(frozen=True)
class Cost:
    """CPU time of an event and of a request in µs; bytes in the store a rating."""

    event_us: float
    request_us: float
    bytes_a_rating: float
    """Profiles and the texts of films."""
    profile_bytes_a_rating: float
    """Profiles alone."""


@dataclass(frozen=True)
class InstantModels:
    """Services that answer at once, by the numbers of these movies."""

    movies: Sequence[int]

    async def recommend(
        self, route: Route, request: Mapping[str, Any], _: float
    ) -> RecommendReply | Failure:
        """Return the movies that the request does not exclude."""
        orjson.dumps(dict(request))
        excluded = set(request["exclude"]) | {movie_id for movie_id, _ in request["ratings"]}
        items = [Scored(int(i), 1.0, Reason.POPULAR) for i in self.movies if i not in excluded]
        return RecommendReply(tuple(items), f"{route}-1")

    async def call(self, service: str, _: Call) -> Reply | Failure:
        """Answer nothing else."""
        return Failure(f"{service} is not there")


def measure(folder: Path, form: Form, n: int) -> Cost:
    """Measure one form of ids with n ratings."""
    with valkey(folder / "valkey") as url:
        settings = Settings.model_validate({"state": folder, "bus": "redis", "redis_url": url})
        keys = Keys(settings.namespace, "gateway", settings.partitions)
        _fill(settings, form, n)
        event_us = _consume(settings, keys, n)
        with redis.Redis.from_url(url) as client:
            profiles = _bytes(client, "*:user:*")
            texts = _bytes(client, "*:movie_texts")
        request_us = asyncio.run(_answer(url, keys, form))
    return Cost(event_us, request_us, (profiles + texts) / n, profiles / n)


def _fill(settings: Settings, form: Form, n: int) -> None:
    """Write n ratings to the log."""
    bus, draw = open_bus(settings), random.Random(5)
    create_topics(bus, settings.partitions)
    producer = bus.producer()
    pairs = [(at % USERS, draw.randrange(FILMS)) for at in range(n)]
    for start in range(0, n, BATCH):
        producer.publish([_message(form, *pair) for pair in pairs[start : start + BATCH]])
    producer.close()
    bus.close()


def _message(form: Form, user: int, movie: int) -> Outgoing:
    ids = {"user_id": form("user", user + 1), "movie_id": form("film", movie + 1)}
    return Outgoing.of(RatingAdded.model_validate({"data": ids | {"rating": 4.0}}))


def _consume(settings: Settings, keys: Keys, n: int) -> float:
    """Apply the log; return CPU µs an event."""
    bus, store = open_bus(settings), RedisStore(settings.redis_url.get_secret_value())
    snapshots = StoredSnapshots(settings.history)
    worker = Worker(keys, (MOVIES, RATINGS), bus, store, snapshots, GatewayProjection())
    subscription = worker.subscribe()
    positions = keys.all(RATINGS)
    began = time.process_time()
    while sum(store.position(one) or 0 for one in positions) < n:
        worker.turn(subscription)
    seconds = time.process_time() - began
    subscription.close()
    bus.close()
    return seconds / n * 1e6


def _bytes(client: Any, pattern: str) -> int:
    return sum(client.memory_usage(key, samples=0) for key in client.scan_iter(pattern, 1000))


async def _answer(url: str, keys: Keys, form: Form) -> float:
    """Ask for lists of the users; return the median CPU µs a request."""
    context, live_view, *_ = parts()
    movies = [
        Movie(movie_id=parse_id(form("film", at)), title=f"Film {at}") for at in range(1, FILMS + 1)
    ]
    live_view.catalogue.replace(map(Row.of, movies))
    models = InstantModels([movie.movie_id for movie in movies[:100]])
    orchestrator = Orchestrator(models, live_view.popular, Thresholds())
    profiles = RedisProfiles(url, keys)
    context = replace(context, profiles=profiles, models=models, orchestrator=orchestrator)
    times = []
    async with client_of(create_app(context)) as client:
        for at in range(REQUESTS):
            path = f"/v1/users/{form('user', at % USERS + 1)}/recommendations"
            began = time.process_time()
            (await client.get(path)).raise_for_status()
            times.append(time.process_time() - began)
    await profiles.close()
    return median(times) * 1e6


def main() -> int:
    """Measure both forms in turn and print them."""
    parser = argparse.ArgumentParser(prog="ids.py", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--ratings", type=int, default=20_000)
    asked = parser.parse_args()
    found: dict[Form, list[Cost]] = {whole: [], string: []}
    for run in range(asked.runs):
        for form in (whole, string) if run % 2 == 0 else (string, whole):
            with tempfile.TemporaryDirectory(prefix="ids-") as folder:
                found[form].append(measure(Path(folder), form, asked.ratings))
    rows = []
    for at, one in enumerate(fields(Cost)):
        pairs = [(astuple(a)[at], astuple(b)[at]) for a, b in zip(*found.values(), strict=True)]
        before, after = (median(values) for values in zip(*pairs, strict=True))
        ratio = median(b / a for a, b in pairs)
        rows.append((one.name, f"{before:,.1f}", f"{after:,.1f}", f"{ratio:.2f}"))
    columns = ("what", "whole numbers", "strings", "ratio")
    title = f"Ids, medians of {asked.runs}, {asked.ratings:,} ratings of {USERS} users"
    Console(highlight=False).print(Table(title, columns, rows).rich())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
