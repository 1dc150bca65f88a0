"""Streams on Redis as logs with dense offsets: the message with id `0-n` has offset n − 1.

A stream exists from the topic's creation on and XADD never creates one, so that a lost log is
noticed. Reading checks that no offset is missing: a trimmed message raises PositionLost.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from marquee.bus.api import Message, Outgoing, Published, TopicPartition
from marquee.bus.assignment import position_lost
from marquee.bus.redis.faults import describe
from marquee.errors import BusUnavailable, NotFound

_HEADER = b"h:"
_SCRIPT_FROM = 32
"""Number of messages from which a script appends them, at the cost of a round trip first."""
_SCRIPT_MESSAGES = 400
"""Messages of one call of the script: about a millisecond of the server's time."""
_APPEND = """
local ids, at = {}, 1
while at <= #ARGV do
  local n = tonumber(ARGV[at])
  ids[#ids + 1] = redis.call(
    'XADD', KEYS[1], 'NOMKSTREAM', '0-*', unpack(ARGV, at + 1, at + n))
  at = at + n + 1
end
return ids
"""


@contextlib.contextmanager
def translate_redis_errors() -> Iterator[None]:
    """Raise errors of the client as BusUnavailable."""
    try:
        yield
    except RedisError as error:
        raise BusUnavailable(f"Redis: {describe(error)}") from error


class Streams:
    """One stream a partition; every call may raise BusUnavailable.

    Args:
        client: The Redis client.
        prefix: Prefix of the keys.
    """

    def __init__(self, client: "Redis", prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._append: Any = client.register_script(_APPEND)

    def create(self, partitions: Iterable[TopicPartition]) -> None:
        """Create empty streams; those that exist stay unchanged."""
        # No command creates an empty stream, but creating a group does; the group is not needed.
        pipe = self._client.pipeline(transaction=False)
        for partition in partitions:
            pipe.xgroup_create(self.key(partition), "maker", "$", mkstream=True)
            pipe.xgroup_destroy(self.key(partition), "maker")
        with translate_redis_errors():
            for reply in pipe.execute(raise_on_error=False):
                # Another process may create the same streams at this moment.
                if isinstance(reply, Exception) and "BUSYGROUP" not in str(reply):
                    raise reply

    def append(self, items: Iterable[tuple[TopicPartition, Outgoing]]) -> list[Published]:
        """Append messages, those of a partition in order.

        Raises:
            NotFound: The stream of a partition is gone.
        """
        ordered = list(items)
        ids = (
            self._by_script(ordered) if len(ordered) >= _SCRIPT_FROM else self._one_by_one(ordered)
        )
        return [_published(target, id_) for (target, _), id_ in zip(ordered, ids, strict=True)]

    def _one_by_one(self, items: list[tuple[TopicPartition, Outgoing]]) -> list[bytes | None]:
        pipe: Any = self._client.pipeline(transaction=False)
        for target, message in items:
            fields = _fields(message)
            pipe.execute_command("XADD", self.key(target), "NOMKSTREAM", "0-*", *fields)
        with translate_redis_errors():
            ids: list[bytes | None] = pipe.execute()
        return ids

    def _by_script(self, items: list[tuple[TopicPartition, Outgoing]]) -> list[bytes | None]:
        """Append many messages by one call for each partition: a fifth of the client's work."""
        indices_of: dict[TopicPartition, list[int]] = {}
        for index, (target, _) in enumerate(items):
            indices_of.setdefault(target, []).append(index)
        pipe: Any = self._client.pipeline(transaction=False)
        calls: list[list[int]] = []
        for target, indices in indices_of.items():
            for at in range(0, len(indices), _SCRIPT_MESSAGES):
                calls.append(indices[at : at + _SCRIPT_MESSAGES])
                arguments: list[bytes | int] = []
                for index in calls[-1]:
                    fields = _fields(items[index][1])
                    arguments += (len(fields), *fields)
                self._append(keys=[self.key(target)], args=arguments, client=pipe)
        ids: list[bytes | None] = [None] * len(items)
        with translate_redis_errors():
            for indices, call_ids in zip(calls, pipe.execute(), strict=True):
                for index, id_ in zip(indices, call_ids, strict=True):
                    ids[index] = id_
        return ids

    def read(
        self, positions: Mapping[TopicPartition, int], count: int, seconds: float
    ) -> dict[TopicPartition, list[Message]]:
        """Return up to `count` messages of each partition, waiting `seconds` for the first."""
        names = {self.key(partition).encode(): partition for partition in positions}
        streams: Any = {name: f"0-{positions[names[name]]}" for name in names}
        # BLOCK 0 would wait for ever.
        block = max(1, int(seconds * 1000)) if seconds > 0 else None
        with translate_redis_errors():
            reply: Any = self._client.xread(streams, count=count, block=block)
        batches = {}
        for name, entries in reply:
            partition = names[name]
            position = positions[partition]
            # Ids ascend, so first and last tell whether one in between is missing.
            if (offset_of(entries[0][0]), offset_of(entries[-1][0]) + 1) != (
                position,
                position + len(entries),
            ):
                raise position_lost(partition, position, *self.ranges([partition])[partition])
            batches[partition] = [
                message_from_entry(at, fields) for at, (_, fields) in enumerate(entries, position)
            ]
        return batches

    def ranges(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """Return the first offset and the end of each partition's log."""
        ordered = list(partitions)
        pipe = self._client.pipeline(transaction=False)
        for partition in ordered:
            pipe.xinfo_stream(self.key(partition))
        with translate_redis_errors():
            replies = pipe.execute(raise_on_error=False)
            return dict(zip(ordered, map(_range, replies), strict=True))

    def trim(self, partition: TopicPartition, keep: int) -> int:
        """Drop all but about the last `keep` messages; return how many went."""
        with translate_redis_errors():
            return int(self._client.xtrim(self.key(partition), maxlen=keep, approximate=True))

    def key(self, partition: TopicPartition) -> str:
        """Return the key of a partition's stream."""
        return f"{self._prefix}log:{{{partition}}}"


def _fields(message: Outgoing) -> list[bytes]:
    fields = [b"k", message.key, b"v", message.value]
    for name, value in message.headers.items():
        fields += [_HEADER + name.encode(), value.encode()]
    return fields


def _published(target: TopicPartition, id_: bytes | None) -> Published:
    if id_ is None:
        raise NotFound(f"the log of {target} is gone")
    return Published(target, offset_of(id_))


def offset_of(id_: bytes) -> int:
    """Return the offset of the message with an id."""
    return int(id_.partition(b"-")[2]) - 1


def _range(info: Any) -> tuple[int, int]:
    if isinstance(info, Exception):
        if "no such key" in str(info):
            return 0, 0
        raise info
    end = offset_of(info["last-generated-id"]) + 1
    first = info["first-entry"]
    return (end if first is None else offset_of(first[0])), end


def message_from_entry(offset: int, fields: dict[bytes, bytes]) -> Message:
    """Return the message of an entry; a field that a foreign producer left out is empty."""
    key, value = fields.pop(b"k", b""), fields.pop(b"v", b"")
    if not fields:
        return Message(offset, key, value)
    headers = {
        name.removeprefix(_HEADER).decode(errors="replace"): text.decode(errors="replace")
        for name, text in fields.items()
    }
    return Message(offset, key, value, headers)
