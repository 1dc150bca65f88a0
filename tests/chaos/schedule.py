"""Schedule of faults: named troubles at random times; the same seed gives the same list."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

SERVICES = ("content", "hybrid", "user-model", "neural", "trainer")
APPS = tuple(f"{name} app" for name in SERVICES)
CONSUMERS = tuple(f"{name} consumer" for name in ("gateway", *SERVICES))
GATEWAY = "gateway app"
"""The one process that nothing kills: it is what answers."""
PROCESSES = (GATEWAY, *APPS, *CONSUMERS)
REDIS, KAFKA = "valkey-server", "kafka.Kafka"
FIRST_SECONDS = 2.0
GAPS = (0.4, 1.6)
"""Seconds of quiet between two rounds, from and to."""
LONG = 30.0
"""Seconds for which a stopped process stands once in each whole run."""


@dataclass(frozen=True)
class Trouble:
    """A kind of trouble: what it can meet, how many of it at once, and for how many seconds."""

    name: str
    targets: tuple[str, ...]
    at_once: int = 1
    seconds: tuple[float, float] = (0.0, 0.0)
    weight: int = 1
    bus: str = ""
    """On which bus it can happen; empty: on each."""


TROUBLES = (
    Trouble("kill an app", APPS, weight=3),
    Trouble("kill a consumer", CONSUMERS, weight=4),
    Trouble("kill three at once", (*APPS, *CONSUMERS), at_once=3),
    Trouble("kill Redis", (REDIS,), weight=2),
    Trouble("kill Kafka", (KAFKA,), bus="kafka", weight=2),
    Trouble("stop a consumer", CONSUMERS, seconds=(1.0, 4.0)),
    Trouble("stop Redis", (REDIS,), seconds=(0.5, 3.0)),
    Trouble("stop Kafka", (KAFKA,), seconds=(0.5, 3.0), bus="kafka"),
    Trouble("cut one off Redis", PROCESSES, seconds=(0.5, 4.0), weight=2),
    Trouble("cut all off Redis", PROCESSES, at_once=len(PROCESSES), seconds=(0.5, 3.0)),
    Trouble("slow Redis", PROCESSES, at_once=len(PROCESSES), seconds=(1.0, 3.0)),
    Trouble("reset Redis", PROCESSES, at_once=len(PROCESSES)),
    Trouble("lose replies of Redis", CONSUMERS, at_once=3, seconds=(0.5, 2.0), weight=2),
    Trouble("cut off Kafka", ("bus",), seconds=(0.5, 4.0), bus="kafka"),
    Trouble("slow Kafka", ("bus",), seconds=(1.0, 3.0), bus="kafka"),
    Trouble("reset Kafka", ("bus",), bus="kafka"),
    Trouble("lose replies of Kafka", ("bus",), seconds=(0.5, 2.0), bus="kafka", weight=2),
)


@dataclass(frozen=True)
class Round:
    """One trouble: its start in seconds from the beginning, its targets, and its duration."""

    number: int
    at: float
    trouble: str
    targets: tuple[str, ...]
    seconds: float


def schedule(seed: int, bus: str, seconds: float, long: bool) -> list[Round]:
    """Return the rounds of a run: every trouble of the bus comes once before one comes again.

    `long`: one consumer and Redis are each stopped for 30 seconds, too.
    """
    draw = random.Random(f"{seed} {bus}")
    rounds: list[Round] = []
    at = FIRST_SECONDS
    for trouble, fixed in _drawn(draw, bus, long):
        length = fixed or draw.uniform(*trouble.seconds)
        if at + length > seconds:
            if fixed:
                continue
            return rounds
        targets = tuple(draw.sample(trouble.targets, trouble.at_once))
        rounds.append(Round(len(rounds) + 1, round(at, 2), trouble.name, targets, round(length, 2)))
        at += length + draw.uniform(*GAPS)
    return rounds


def _drawn(draw: random.Random, bus: str, long: bool) -> Iterator[tuple[Trouble, float]]:
    possible = [one for one in TROUBLES if one.bus in ("", bus)]
    stops = [one for one in possible if one.name in ("stop a consumer", "stop Redis")]
    yield from ((one, LONG) for one in stops if long)
    first = True
    while True:
        bag = [one for one in possible for _ in range(1 if first else one.weight)]
        draw.shuffle(bag)
        yield from ((one, 0.0) for one in bag)
        first = False
