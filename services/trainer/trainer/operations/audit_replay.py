"""The audit entries that the log still tells, for a rebuild of the gateway.

Entries need the state before each event. Rules are replayed from the log's first event, where it
has that; films, and rules of a log that has lost its beginning, from the oldest snapshot that the
log continues. Receipts of erasures need the event alone.
"""

from collections.abc import Collection, Iterator, Sequence

from marquee.bus.api import Bus, Message, TopicPartition
from marquee.consumer.decoding import decode_message
from marquee.consumer.deduplication import LOOKBACK
from marquee.consumer.handlers.audit import audited
from marquee.consumer.handlers.by_service import FactSet
from marquee.consumer.handlers.catalogue import MOVIE_HANDLERS
from marquee.consumer.handlers.curation import RULE_HANDLERS
from marquee.consumer.handlers.profiles import USER_HANDLERS
from marquee.events import RATINGS, UserErased
from marquee.settings import Settings
from marquee.store.api import Command
from marquee.store.keys import PartitionKeys
from trainer.facts.fold import PartitionFacts
from trainer.facts.replay import Replay
from trainer.facts.restored import packed
from trainer.history.history import History
from trainer.operations.log_reader import LogReader
from trainer.operations.log_replay import OffsetsByGroup, dead_letter_offsets, oldest_facts

GATEWAY = "gateway"
CHUNK = 200
"""Entries of one command."""
_ERASED = UserErased.model_fields["type"].default.encode()
_ERASURES = FactSet(audited({UserErased: USER_HANDLERS[UserErased]}))
_RULES = FactSet(audited(RULE_HANDLERS), has_rules=True)
_FILMS = FactSet(audited(MOVIE_HANDLERS))


class AuditReplay:
    """Replays a log for the audit entries of its events."""

    def __init__(self, settings: Settings, bus: Bus, log: LogReader, history: History) -> None:
        self._settings, self._bus, self._log, self._history = settings, bus, log, history
        self._dead_letters: OffsetsByGroup | None = None

    def commands(self, keys: PartitionKeys, end: int) -> Iterator[Command]:
        """Yield the commands that put the entries of a partition's events before an offset.

        Entries that are there stay: the replay makes the same ones again.
        """
        begin, _ = self._log.range(keys.partition)
        replays = self._replays(keys.partition, begin)
        firsts = [replay.position for replay in replays]
        start = max(begin, min(firsts, default=end) - LOOKBACK)
        for page in self._log.read(keys.partition, start, end):
            told = _told(page, keys.partition.topic)
            messages = [decode_message(self._bus, keys.partition, message) for message in told]
            for replay, first in zip(replays, firsts, strict=True):
                replay.remember(messages, first)
                replay.feed(messages, end)
        for replay in replays:
            targets = (keys.audit_rules, keys.audit_films, keys.erasures)
            for key, entries in zip(targets, replay.audit, strict=True):
                yield from _put(key, list(entries.items()), self._settings.audit_entries)

    def _replays(self, partition: TopicPartition, begin: int) -> list[Replay]:
        """Return the replays of a partition, each from the first position that it can begin at."""
        if self._dead_letters is None:
            self._dead_letters = dead_letter_offsets(self._bus, self._log)
        dead = self._dead_letters.get((GATEWAY, partition), frozenset())
        nothing = PartitionFacts(0)
        if partition.topic == RATINGS:
            return [_replay(partition, _ERASURES, PartitionFacts(begin), dead)]
        base = oldest_facts(self._settings, self._history, partition, begin)
        # Rules come from events alone; films from data sets too, which snapshots hold.
        of_rules = nothing if begin == 0 else base
        return [
            _replay(partition, fact_set, facts, dead)
            for fact_set, facts in ((_RULES, of_rules), (_FILMS, base))
            if facts is not None
        ]


def _replay(
    partition: TopicPartition, fact_set: FactSet, facts: PartitionFacts, dead: Collection[int]
) -> Replay:
    return Replay(partition, fact_set, packed(facts, fact_set), facts.position, dead)


def _told(page: Sequence[Message], topic: str) -> Sequence[Message]:
    """Return the messages of a page that may leave entries: of ratings few do."""
    return page if topic != RATINGS else [m for m in page if _ERASED in m.value]


def _put(key: str, entries: Sequence[tuple[bytes, int]], keep: int) -> Iterator[Command]:
    for at in range(0, len(entries), CHUNK):
        pairs = entries[at : at + CHUNK]
        yield "ZADD", key, *(part for member, ms in pairs for part in (ms, member))
    if entries:
        yield "ZREMRANGEBYRANK", key, 0, -keep - 1
