"""Receipts of erasures: the stores that no longer hold data of a user, with dates.

Every store is searched each time. The time when a store was first found clean is kept in
`STATE/erasures`, under a digest of the user's id.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import redis

from marquee.bus.api import Message, TopicPartition
from marquee.bus.factory import open_bus
from marquee.counts import counted
from marquee.dead_letters.queue import open_dead_letters
from marquee.domain.ids import id_text
from marquee.domain.models import MODEL_NAMES, USER_MODEL
from marquee.errors import NotFound
from marquee.events import RATINGS
from marquee.events.erasure import digest_of_user
from marquee.events.partitioning import partition_of
from marquee.files import replace_file
from marquee.registry.registry import Registry
from marquee.settings import Settings
from marquee.store.keys import Keys, PartitionKeys
from marquee.store.redis import translated_errors
from trainer.history.history import History
from trainer.operations.history_search import files_about
from trainer.operations.inspection import SERVICES
from trainer.operations.log_reader import LogReader
from trainer.operations.work_search import work_about
from trainer.own_ratings.unmatched import UnmatchedFilms

MASKED = USER_MODEL.name
"""The only model that serves from users of its training; its apps mask erased users."""


@dataclass(frozen=True)
class StoreReceipt:
    """The data of a user in one store; `left` is empty if there are none."""

    store: str
    left: str = ""
    """The data that are left, and until when."""
    since: str | None = None
    """When the store was first found to hold nothing; None: pending."""


class ErasureReceipts:
    """Searches all stores of a system for an erased user; `close` it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bus = open_bus(settings)
        self._log = LogReader(settings)
        self._redis: Any = redis.Redis.from_url(settings.redis_address)
        self._history = History(settings.history, settings.partitions)

    def close(self) -> None:
        """Close the connections to bus and store."""
        self._log.close()
        self._bus.close()
        self._redis.close()

    def finish(self, user_id: int) -> None:
        """Clean files and dead letters at once, rather than at the next training or expiry."""
        if (erased_at := self._erased_at(user_id)) is not None:
            UnmatchedFilms(self._settings.state).forget(user_id, erased_at)
        if self._history.erases():
            self._history.compact()
        dead_letters = open_dead_letters(self._settings)
        dead_letters.remove_user(user_id)
        dead_letters.close()

    def receipt(self, user_id: int) -> list[StoreReceipt]:
        """Return the data of an erased user in each store, with dates.

        Raises:
            NotFound: The gateway has no such user on its erasure list.
            StoreUnavailable: Redis does not answer.
        """
        if self._erased_at(user_id) is None:
            raise NotFound(
                f"viewer {id_text(user_id)} was not erased, or the consumers have not come to"
                f" it yet; DELETE /v1/users/{id_text(user_id)} erases them"
            )
        with translated_errors():
            receipts = list(self._receipts(user_id))
        return self._dated(user_id, receipts)

    def _erased_at(self, user_id: int) -> int | None:
        """Return the offset of the erasure in the gateway's list, or None."""
        keys = self._keys("gateway", user_id)
        with translated_errors():
            offset = self._redis.zscore(keys.erased, digest_of_user(user_id))
        return None if offset is None else int(offset)

    def _receipts(self, user_id: int) -> Iterator[StoreReceipt]:
        for service in SERVICES:
            yield StoreReceipt(f"redis: {service}", self._left_in_redis(service, user_id))
        yield StoreReceipt("history", self._left_in_history(user_id))
        yield StoreReceipt("work folders", self._left_in_work(user_id))
        yield StoreReceipt("unmatched films", self._left_unmatched(user_id))
        yield StoreReceipt("dead letters", self._left_in_letters(user_id))
        yield StoreReceipt("log", self._left_in_log(user_id))
        for name in MODEL_NAMES:
            yield StoreReceipt(f"versions: {name}", self._left_in_versions(name, user_id))

    def _keys(self, service: str, user_id: int) -> PartitionKeys:
        return Keys(self._settings.namespace, service, self._settings.partitions).user(user_id)

    def _left_in_redis(self, service: str, user_id: int) -> str:
        keys = self._keys(service, user_id)
        if self._redis.zscore(keys.erased, digest_of_user(user_id)) is None:
            return "the consumer has not come to the erasure yet"
        left = []
        if self._redis.exists(keys.user(user_id)):
            left.append("facts: the viewer came back")
        elif self._redis.zscore(keys.changed, int(user_id)) is not None:
            left.append("the set of changes")
        if any(self._in_rows(keys.rows(v.decode()), user_id) for v in self._versions(keys)):
            left.append("derived rows")
        entries = self._redis.xrange(keys.updates, count=20_000)
        if any(_names(user_id, name, value) for _, f in entries for name, value in f.items()):
            left.append("the update stream, which keeps some 10,000 steps")
        return ", ".join(left)

    def _versions(self, keys: PartitionKeys) -> list[bytes]:
        return list(self._redis.hkeys(keys.versions))

    def _in_rows(self, key: str, user_id: int) -> bool:
        if any(self._redis.hmget(key, [str(user_id), f"viewer:{user_id}"])):
            return True
        parts = self._redis.hscan_iter(key, "part:*", count=500)
        return any(_names(user_id, name, part) for name, part in parts)

    def _left_in_history(self, user_id: int) -> str:
        partition = partition_of(user_id, self._partitions)
        files = files_about(self._settings.history, user_id, partition)
        if not files:
            return ""
        return f"{', '.join(files)}: until the next compaction, at the latest after a training"

    def _left_in_work(self, user_id: int) -> str:
        partition, offset = partition_of(user_id, self._partitions), self._erased_at(user_id) or 0
        folders = work_about(self._settings.state, user_id, partition, offset)
        if not folders:
            return ""
        return f"{', '.join(folders)}: until the next training, under airflow for 7 days at most"

    def _left_unmatched(self, user_id: int) -> str:
        films = UnmatchedFilms(self._settings.state)
        n = len(films.of(user_id)) - len(films.of(user_id, self._erased_at(user_id)))
        return (
            f"{counted(n, 'film')} of imports: until the trainer's consumer comes to the erasure"
            if n
            else ""
        )

    def _left_in_letters(self, user_id: int) -> str:
        dead_letters = open_dead_letters(self._settings)
        n = sum(letter.names_user(user_id) for letter in dead_letters.all())
        dead_letters.close()
        return f"{counted(n, 'dead letter')}: until removed or expired" if n else ""

    def _left_in_log(self, user_id: int) -> str:
        partition = TopicPartition(RATINGS, partition_of(user_id, self._partitions))
        about = [m for m in self._messages(partition) if _is_about(user_id, m)]
        if not about:
            return ""
        left = counted(len(about), "message")
        if self._settings.bus == "redis":
            return f"{left}: until the stream is trimmed, since nothing in it expires"
        return f"{left}: {kept_until(about, self._settings.kafka_retention_days)}"

    def _messages(self, partition: TopicPartition) -> Iterator[Message]:
        try:
            self._bus.partitions(partition.topic)
        except NotFound:
            return
        begin, end = self._log.range(partition)
        for page in self._log.read(partition, begin, end):
            yield from page

    def _left_in_versions(self, name: str, user_id: int) -> str:
        """Name the versions that were trained before the user was erased."""
        registry, offset = Registry(self._settings.registry), self._erased_at(user_id) or 0
        partition = f"{RATINGS}:{partition_of(user_id, self._partitions)}"
        versions = registry.versions(name) if self._settings.registry.is_dir() else []
        old = [v for v in versions if registry.manifest(name, v).cut.get(partition, 0) <= offset]
        if not old:
            return ""
        masked = "masked where it serves; " if name == MASKED else ""
        return f"{masked}{len(old)} trained before: until they expire, the last {max(old)}"

    @property
    def _partitions(self) -> int:
        return self._settings.partitions

    def _dated(self, user_id: int, receipts: list[StoreReceipt]) -> list[StoreReceipt]:
        """Return receipts with the times when their stores were first found clean."""
        path = self._path(user_id)
        known: dict[str, str] = orjson.loads(path.read_bytes()) if path.exists() else {}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        clean = {
            receipt.store: known.get(receipt.store, now) for receipt in receipts if not receipt.left
        }
        if clean != known:
            replace_file(path, orjson.dumps(clean, option=orjson.OPT_INDENT_2))
        return [replace(receipt, since=clean.get(receipt.store)) for receipt in receipts]

    def _path(self, user_id: int) -> Path:
        return self._settings.state / "erasures" / f"{digest_of_user(user_id).hex()}.json"


def kept_until(messages: Sequence[Message], days: int) -> str:
    """Return until when Kafka keeps some messages, by their events' times and the retention."""
    last = max(map(_time_of, messages)) + timedelta(days=days)
    return f"until the log's retention of {counted(days, 'day')} is over, about {last:%Y-%m-%d}"


def _time_of(message: Message) -> datetime:
    """Return the time of an event; for one that cannot be read, the latest that it may have."""
    now = datetime.now(UTC)
    try:
        return min(datetime.fromisoformat(orjson.loads(message.value)["time"]), now)
    except (ValueError, KeyError, TypeError):
        return now


def _names(user_id: int, name: bytes, value: bytes) -> bool:
    """Return whether a field or its value names a user, by the number in digits or 8 bytes."""
    digits = str(user_id).encode()
    if name.rpartition(b":")[2] == digits and not name.startswith((b"film:", b"sums:", b"rules:")):
        return not name.startswith(b"part:")
    return name.startswith(b"part:") and struct.pack("<q", user_id) in value


def _is_about(user_id: int, message: Message) -> bool:
    text = id_text(user_id).encode()
    named = rb'"user_id"\s*:\s*"?%b"?\s*[,}]' % re.escape(text)
    return message.key == text or re.search(named, message.value) is not None
