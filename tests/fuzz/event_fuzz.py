"""Odd events over HTTP and on the bus: what the gateway refuses is a dead letter, and no more.

Each message goes both ways, with the same bytes. Besides, some go to the bus with another key, on
another partition, or with odd headers.
"""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from event_calls import REFUSED, TAKEN, EventCalls, Verdict
from event_mutations import mutated
from fuzz_system import System
from marquee.bus.api import TopicPartition
from marquee.errors import UnreadableEvent
from marquee.events import MODELS, MOVIES, RATINGS, decode
from marquee.events.partitioning import partition_of
from marquee_testing.servers.raw_producers import RawMessage, RawProducer
from schema_values import events

FROM_ONE = 10
"""Messages that are made of one valid event."""
AT_ONCE = 100
TOPICS = (MOVIES, RATINGS, MODELS)
MISPLACED = "by a wrong key or partition"
HEADERS: Sequence[Mapping[str, bytes]] = (
    {},
    {},
    {},
    {"traceparent": b"00-1-2-3"},
    {"marquee-settles": b"ratings-0-0"},
    {"marquee-id": b"x"},
    {"": b""},
    {"h\xe9": b"\xff\xfe"},
    {"x" * 500: b"y" * 5000},
    {"content-type": b"application/avro"},
    {"nul\x00": b"\x00"},
)


@dataclass(frozen=True)
class Sent:
    """A message on the bus, and whether it has to become a dead letter."""

    kind: str
    value: bytes
    verdict: Verdict
    is_misplaced: bool


@dataclass
class EventResult:
    """What the messages came to."""

    verdicts: dict[str, Counter[str]] = field(default_factory=dict)
    """By change: what was answered over HTTP."""
    statuses: Counter[int] = field(default_factory=Counter)
    sent: dict[str, Sent] = field(default_factory=dict)
    """By the id of the dead letter that a message on the bus would be."""
    faults: list[str] = field(default_factory=list)

    @property
    def messages(self) -> int:
        return sum(counts.total() for counts in self.verdicts.values())


class EventFuzz:
    """Sends a number of generated events to a system, both ways."""

    def __init__(self, system: System, bus: RawProducer, calls: EventCalls, seed: int) -> None:
        self._system, self._bus, self._calls = system, bus, calls
        self._seed, self._draw = seed, random.Random(seed)
        self._partitions = system.settings.partitions
        self.result = EventResult()

    def run(self, messages: int) -> EventResult:
        """Send the messages; return what they came to."""
        batch: list[tuple[str, bytes]] = []
        for kind_and_value in self._messages(messages):
            batch.append(kind_and_value)
            if len(batch) == AT_ONCE:
                self._send(batch)
                batch = []
        self._send(batch)
        self.result.statuses = self._calls.statuses
        self.result.faults += self._calls.faults
        return self.result

    def _messages(self, n: int) -> Iterator[tuple[str, bytes]]:
        drawn = valid_events(self._seed, n // FROM_ONE + 1)
        for number in range(n):
            event = drawn[number // FROM_ONE]
            # With one id all but the first would be repeats, which have no effect.
            named = {**event, "id": f"{event.get('id', '')[:100]}-{number}"}
            yield mutated(named, self._draw, number)

    def _send(self, batch: Sequence[tuple[str, bytes]]) -> None:
        """Send messages both ways; which one is the first is drawn."""
        values = [value for _, value in batch]
        if self._draw.random() < 0.5:
            places = self._put(values)
            verdicts = self._calls.verdicts(values)
        else:
            verdicts = self._calls.verdicts(values)
            places = self._put(values)
        for (kind, value), verdict, (name, misplaced) in zip(batch, verdicts, places, strict=True):
            self.result.verdicts.setdefault(kind, Counter())[verdict.word] += 1
            self.result.sent[name] = Sent(kind, value, verdict, misplaced)

    def _put(self, values: Sequence[bytes]) -> list[tuple[str, bool]]:
        """Put messages on the bus; return the name of each as a dead letter, and if misplaced."""
        messages, misplaced = [], []
        for value in values:
            message, is_misplaced = self._placed(value)
            messages.append(message)
            misplaced.append(is_misplaced)
        places = self._bus.put_many(messages)
        names = [f"{p.partition.topic}-{p.partition.partition}-{p.offset}" for p in places]
        return list(zip(names, misplaced, strict=True))

    def _placed(self, value: bytes) -> tuple[RawMessage, bool]:
        draw = self._draw
        try:
            event = decode(value)
        except UnreadableEvent:
            # Where it lies does not matter: it cannot be read anyway.
            topic = draw.choice(TOPICS)
            key = draw.choice((b"", b"1", b"\x00\xff", b"x" * 2000, b"none"))
            at = TopicPartition(topic, draw.randrange(self._partitions) if topic != MODELS else 0)
            return RawMessage(at, key, value, draw.choice(HEADERS)), False
        partitions = 1 if event.topic == MODELS else self._partitions
        right = TopicPartition(event.topic, partition_of(event.key, partitions))
        key, at = event.key.encode(), right
        if draw.random() < 0.05:
            key, at = draw.choice(
                ((b"", right), (b"\xff", right), (key + b" ", right), (key, self._beside(right)))
            )
        is_misplaced = (key, at) != (event.key.encode(), right)
        return RawMessage(at, key, value, draw.choice(HEADERS)), is_misplaced

    def _beside(self, at: TopicPartition) -> TopicPartition:
        if at.topic == MODELS:
            return TopicPartition(MOVIES, 0)
        return TopicPartition(at.topic, (at.partition + 1) % self._partitions)


def valid_events(seed: int, n: int) -> list[dict[str, Any]]:
    """Return valid events by the published schemas."""
    drawn: list[dict[str, Any]] = []

    @seeded(seed)
    @settings(
        max_examples=n,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(events())
    def draw(event: dict[str, Any]) -> None:
        drawn.append(event)

    draw()
    return drawn


def disagreements(result: EventResult, dead: Mapping[str, str]) -> list[str]:
    """Return where HTTP and bus decided otherwise, in words.

    Args:
        result: What was sent.
        dead: Reason of each dead letter, by its name.
    """
    found = []
    for name, sent in result.sent.items():
        reason, verdict = dead.get(name), sent.verdict
        if sent.is_misplaced:
            if reason is None:
                found.append(f"{name}, {MISPLACED}, is no dead letter: {sent.value[:300]!r}")
        elif verdict.word == REFUSED and reason is None and not verdict.is_only_http:
            found.append(f"{name} is refused over HTTP alone, {verdict.why}: {shown(sent)}")
        elif verdict.word == TAKEN and reason is not None:
            found.append(f"{name} is refused on the bus alone, {reason}: {shown(sent)}")
    found += [
        f"{name} was accepted by the gateway and is a dead letter: {reason}"
        for name, reason in dead.items()
        if name not in result.sent
    ]
    return found


def shown(sent: Sent) -> str:
    """Return a message in short, with how it was made and sent."""
    return f"[{sent.kind}, {sent.verdict.form}] {sent.value[:400]!r}"
