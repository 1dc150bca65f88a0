"""Fills Redis anew: newest snapshot and segments of the history, then the log, in bulk.

A partition is taken by its fence, as steps do it: the position is exchanged for a negative number
that only this rebuild knows. No step of a consumer gets past that; a consumer that meets it waits.
Every write checks it, so that a rebuild that was put to sleep and overtaken changes nothing when it
wakes. Values are replaced before what is too many is removed, and the position comes last, so a
rebuild that dies can be run again.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from marquee.bus.api import TopicPartition
from marquee.bus.factory import open_bus
from marquee.consumer.decoding import DecodedMessage, decode_message
from marquee.consumer.deduplication import LOOKBACK
from marquee.consumer.handlers.by_service import FACTS_BY_SERVICE, FactSet
from marquee.consumer.update_entries import MAX_UPDATES
from marquee.errors import Conflict, FenceLost
from marquee.events import MODELS, MOVIES, RATINGS, ModelEvent
from marquee.settings import Settings
from marquee.store.api import Command
from marquee.store.keys import Keys, PartitionKeys
from marquee.store.redis import RedisStore
from trainer.facts.canonical import PackedFacts
from trainer.facts.fold import PartitionFacts
from trainer.facts.replay import Replay
from trainer.facts.restored import packed
from trainer.history.history import History
from trainer.operations.live_reader import LiveReader
from trainer.operations.log_reader import LogReader

CHUNK = 200
"""Keys or fields of one write, at most."""
CHUNK_BYTES = 100_000
"""Bytes of one write, about: it keeps Redis for a millisecond or two."""
FOREVER = 2**53
"""An update entry that begins there is a gap to every app: it reads all rows anew."""


T = TypeVar("T")


@dataclass(frozen=True)
class RebuiltPartition:
    """What was written of one partition of a service, and where it stands now."""

    service: str
    partition: TopicPartition
    position: int
    facts: int
    seconds: float


@dataclass
class PartitionContent:
    """What a service's partition shall hold."""

    position: int
    facts: PackedFacts
    changed: Mapping[int, int]
    window: Mapping[bytes, int]


class Rebuilder:
    """Rebuilds services of a system; `close` it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        url = settings.redis_url.get_secret_value()
        self._bus = open_bus(settings)
        self._log = LogReader(settings)
        self._store = RedisStore(url, timeout=30.0)
        self._live = LiveReader(url, settings.namespace, settings.partitions)
        self._history = History(settings.history, settings.partitions)
        self._token = -time.time_ns()

    def run(self, services: Sequence[str], replace: bool) -> Iterator[RebuiltPartition]:
        """Yield each partition that was rebuilt.

        Conflict: there are facts already and `replace` is not set, or history and log do not meet.
        """
        every = [TopicPartition(t, p) for t in (MOVIES, RATINGS) for p in range(self._partitions)]
        if not replace:
            self._refuse_to_replace(services, every)
        self._live.scan(services)
        for partition in every:
            yield from self._partition(partition, services)
        for service in services:
            self._point(service)

    def close(self) -> None:
        """Let go of bus and store."""
        self._log.close()
        self._bus.close()
        self._live.close()
        self._store.close()

    @property
    def _partitions(self) -> int:
        return self._settings.partitions

    def _keys(self, service: str) -> Keys:
        return Keys(self._settings.namespace, service, self._partitions)

    def _refuse_to_replace(self, services: Sequence[str], every: list[TopicPartition]) -> None:
        for service in services:
            for partition in every:
                position = self._store.position(self._keys(service).of(partition))
                if position is not None and position >= 0:
                    raise Conflict(
                        f"{service} {partition} holds facts at position {position};"
                        " give --replace to put all of them anew"
                    )

    # --- one partition

    def _partition(
        self, partition: TopicPartition, services: Sequence[str]
    ) -> Iterator[RebuiltPartition]:
        started = time.perf_counter()
        start = self._history.partition(partition.topic, partition.partition)
        self._check_that_they_meet(partition, start.position)
        for service in services:
            self._take(self._keys(service).of(partition))
        # Only now: what a consumer did until then has to be in what is read.
        begin, end = self._log.range(partition)
        reads = self._reads(partition, max(begin, start.position - LOOKBACK), end)
        contents: dict[FactSet, PartitionContent] = {}
        for service in services:
            kept = FACTS_BY_SERVICE[service][partition.topic]
            if kept not in contents:
                contents[kept] = _content(partition, kept, start, reads, end)
            self._write(self._keys(service).of(partition), kept, contents[kept])
            seconds, started = time.perf_counter() - started, time.perf_counter()
            yield RebuiltPartition(service, partition, end, len(contents[kept].facts), seconds)

    def _check_that_they_meet(self, partition: TopicPartition, position: int) -> None:
        begin, end = self._log.range(partition)
        if not begin <= position <= end:
            raise Conflict(
                f"{partition}: the history ends at {position}, but the log holds {begin} to {end}:"
                " events would be missing; restore the log or the history first"
            )

    def _reads(self, partition: TopicPartition, start: int, end: int) -> list[DecodedMessage]:
        pages = self._log.read(partition, start, end)
        return [decode_message(self._bus, partition, message) for page in pages for message in page]

    def _write(self, keys: PartitionKeys, kept: FactSet, content: PartitionContent) -> None:
        held = self._live.held(keys)
        commands = chain(_commands(keys, content), _removals(keys, held, content.facts))
        for chunk in _pages(commands):
            self._put(keys, None, chunk)
        self._put(keys, content.position, self._last(keys, kept, content.position))

    def _put(self, keys: PartitionKeys, position: int | None, commands: list[Command]) -> None:
        try:
            self._store.write(keys, self._token, position, commands)
        except FenceLost:
            raise Conflict(f"{keys.partition}: another rebuild has begun meanwhile") from None

    def _take(self, keys: PartitionKeys) -> None:
        """Exchange the position for the token, however often a step comes first."""
        while True:
            try:
                self._store.write(keys, self._store.position(keys), self._token, ())
                return
            except FenceLost:
                continue

    def _last(self, keys: PartitionKeys, kept: FactSet, position: int) -> list[Command]:
        """Derived rows go: the consumer derives them anew. Apps are told to read all anew.

        The topic's id goes as well: the position counts in the topic that is there now.
        """
        versions = [name.decode() for name in self._store.scan(keys.versions)]
        last: list[Command] = [("UNLINK", keys.rows(version)) for version in versions]
        last += [("DEL", keys.versions), ("DEL", keys.complete), ("DEL", keys.log)]
        if kept.has_rules:
            last.append(("SET", keys.rules_version, f"rebuilt{self._token}"))
        entry = ("from", FOREVER, "to", position, "version", "")
        return [*last, ("XADD", keys.updates, "MAXLEN", "~", MAX_UPDATES, "*", *entry)]

    # --- the pointer to the model

    def _point(self, service: str) -> None:
        """Set which version shall serve, from the log of `models`."""
        keys = self._keys(service).of(TopicPartition(MODELS, 0))
        begin, end = self._log.range(keys.partition)
        named = [
            one.event.data
            for one in self._reads(keys.partition, begin, end)
            if isinstance(one.event, ModelEvent) and one.event.data.name == service
        ]
        if not named:
            return
        value = named[-1].model_dump_json()
        entry = ("from", FOREVER, "to", end, "version", "", "model", value)
        self._take(keys)
        commands: list[Command] = [("SET", keys.model, value), ("DEL", keys.log)]
        commands.append(("XADD", keys.updates, "MAXLEN", "~", MAX_UPDATES, "*", *entry))
        self._put(keys, end, commands)


def _content(
    partition: TopicPartition,
    kept: FactSet,
    start: PartitionFacts,
    reads: list[DecodedMessage],
    end: int,
) -> PartitionContent:
    """Return what a service shall hold: the history's facts, and the rest of the log upon them."""
    facts = packed(start, kept)
    start_users = frozenset(facts.users)
    changed = dict.fromkeys(facts.movies or facts.users, start.since - 1)
    changed |= dict.fromkeys(start.catalogue.removed, start.since - 1)
    known = changed.keys()
    changed |= {entity: at for entity, at in start.changed.items() if entity in known}
    replay = Replay(partition, kept, facts, start.position)
    replay.remember(reads, start.position)
    replay.feed(reads, end)
    changed = {e: at for e, at in changed.items() if e in facts.users or e not in start_users}
    return PartitionContent(end, facts, changed | replay.changed, replay.window)


def _commands(keys: PartitionKeys, content: PartitionContent) -> Iterator[Command]:
    facts = content.facts
    hashes = ((keys.movies, facts.movies), (keys.rules, facts.rules), (keys.sums, facts.sums))
    for key, held in hashes:
        for pairs in _pages(held.items()):
            yield "HSET", key, *(part for pair in pairs for part in pair)
    for listed in _pages(facts.erased.items()):
        yield "ZADD", keys.erased, *(part for digest, at in listed for part in (at, digest))
    for user_id, value in facts.users.items():
        yield "SET", keys.user(user_id), value
    yield "DEL", keys.changed
    yield "DEL", keys.window
    for changes in _pages(content.changed.items()):
        yield "ZADD", keys.changed, *(part for entity, at in changes for part in (at, entity))
    for recent in _pages(content.window.items()):
        yield "ZADD", keys.window, *(part for event, at in recent for part in (at, event))


def _removals(keys: PartitionKeys, held: PackedFacts, wanted: PackedFacts) -> Iterator[Command]:
    hashes = (
        (keys.movies, held.movies, wanted.movies),
        (keys.rules, held.rules, wanted.rules),
        (keys.sums, held.sums, wanted.sums),
    )
    for key, found, kept in hashes:
        for ids in _pages(found.keys() - kept.keys()):
            yield "HDEL", key, *ids
    for digests in _pages(held.erased.keys() - wanted.erased.keys()):
        yield "ZREM", keys.erased, *digests
    for user_id in held.users.keys() - wanted.users.keys():
        yield "UNLINK", keys.user(user_id)


def _pages(items: Iterable[T]) -> Iterator[list[T]]:
    """Yield items in pages of a bounded size."""
    page: list[T] = []
    size = 0
    for item in items:
        page.append(item)
        size += _size(item)
        if len(page) >= CHUNK or size >= CHUNK_BYTES:
            yield page
            page, size = [], 0
    if page:
        yield page


def _size(item: object) -> int:
    parts = item if isinstance(item, tuple) else (item,)
    return sum(len(part) if isinstance(part, bytes | str) else 8 for part in parts)
