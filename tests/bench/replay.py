"""Replay rate: events a second that one consumer process applies while it catches up."""

import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from marquee.bus.api import Bus, Outgoing
from marquee.bus.factory import open_bus
from marquee.bus.topics import create_topics
from marquee.domain.models import MODEL_NAMES
from marquee.events import MOVIES, RATINGS, ModelPublished, ModelVersion
from marquee.registry.registry import Registry
from marquee.settings import Settings
from marquee.store.keys import Keys
from marquee_local.servers import kafka, valkey
from users import STARS, new_user, rating

USERS = 1000
BATCH = 1000
LIMIT_S = 300.0


@dataclass(frozen=True)
class Replay:
    """Number of events that one consumer process handled, and the seconds it took."""

    bus: str
    consumer: str
    events: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.events / self.seconds


def replay(
    folder: Path, bus: str, registry: Path, movies: Sequence[int], services: Sequence[str], n: int
) -> list[Replay]:
    """Fill a log of its own and let each service's consumer catch up, one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "registry").symlink_to(registry.resolve())
    with _settings(folder, bus) as settings:
        writer = open_bus(settings)
        create_topics(writer, settings.partitions)
        _publish_models(writer, Registry(settings.registry))
        for name in services:
            _learn_model(name, settings)
        ends = _fill(writer, movies, n)
        writer.close()
        return [_timed(name, settings, ends) for name in services]


@contextlib.contextmanager
def _settings(folder: Path, bus: str) -> Iterator[Settings]:
    """Run servers of its own; yield the settings of a system without any events."""
    with contextlib.ExitStack() as servers:
        url = servers.enter_context(valkey(folder / "valkey"))
        flags: dict[str, object] = {"state": folder, "bus": bus, "redis_url": url}
        if bus == "kafka":
            flags["kafka_servers"] = servers.enter_context(kafka(folder / "kafka"))
        yield Settings.model_validate(flags)


def _publish_models(writer: Bus, registry: Registry) -> None:
    events = []
    for name in MODEL_NAMES:
        for version in registry.versions(name)[-1:]:
            manifest, address = registry.manifest(name, version), registry.address(name, version)
            data = ModelVersion(name=name, version=version, address=address, sha256=manifest.digest)
            events.append(Outgoing.of(ModelPublished(source="bench", data=data)))
    producer = writer.producer()
    producer.publish(events)
    producer.close()


def _fill(writer: Bus, movies: Sequence[int], n: int) -> dict[str, int]:
    """Publish n ratings of 1,000 users; return the end of each partition's log."""
    draw, first = random.Random(11), new_user()
    producer = writer.producer()
    ends: dict[str, int] = {}
    for start in range(0, n, BATCH):
        events = [
            rating(first + at % USERS, draw.choice(movies), STARS[at % len(STARS)])
            for at in range(start, min(n, start + BATCH))
        ]
        for place in producer.publish([Outgoing.of(event) for event in events]):
            ends[str(place.partition)] = place.offset + 1
    producer.close()
    return ends


def _learn_model(name: str, settings: Settings) -> None:
    """Run a consumer on the empty log until its rows are those of the published version."""
    keys = Keys(settings.namespace, name, settings.partitions)
    every = [*keys.all(MOVIES), *keys.all(RATINGS)]
    marks = [k.position if name == "gateway" else k.complete for k in every]
    with _consumer(name, settings), redis.Redis.from_url(_url(settings)) as client:
        _until(lambda: all(mark is not None for mark in _read(client, marks)))


def _timed(name: str, settings: Settings, ends: dict[str, int]) -> Replay:
    """Return how fast a consumer goes from its first step on, start time left out."""
    keys = Keys(settings.namespace, name, settings.partitions)
    positions = [k.position for k in keys.all(RATINGS)]
    wanted = sum(ends.values())
    with _consumer(name, settings), redis.Redis.from_url(_url(settings)) as client:

        def handled() -> int:
            return sum(int(value or 0) for value in _read(client, positions))

        _until(lambda: handled() > 0)
        first, began = handled(), time.perf_counter()
        _until(lambda: handled() >= wanted)
        seconds = time.perf_counter() - began
        return Replay(settings.bus, f"{name} consumer", wanted - first, seconds)


@contextlib.contextmanager
def _consumer(name: str, settings: Settings) -> Iterator[None]:
    environ = os.environ | {
        "MARQUEE_STATE": str(settings.state),
        "MARQUEE_BUS": settings.bus,
        "MARQUEE_REDIS_URL": _url(settings),
        "MARQUEE_KAFKA_SERVERS": settings.kafka_servers,
    }
    with (settings.state / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name(name)), "consumer"],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _url(settings: Settings) -> str:
    return settings.redis_url.get_secret_value()


def _read(client: Any, names: Sequence[str]) -> list[bytes | None]:
    return list(client.mget(names))


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("a consumer does not come to the end of its log; see its log file")
        time.sleep(0.01)
