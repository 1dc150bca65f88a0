"""The store: the names of all Redis keys, and the atomic step that writes results and position.

Every key of a service's partition carries the hash tag `{topic:partition}`, so that a step touches
one slot of a Redis Cluster. Names, under `<namespace>:<service>:{topic:partition}:`

    position           next offset to read; negative: the fence of a rebuild under way
    log                id of the topic that the position counts in
    window             sorted set: digest of (source, id) of recent events → offset
    updates            stream of what each step changed, for the apps: `from`, `to`, `version`, rows
    films              hash: movie id → film (JSON)                               fact
    changed            sorted set: movie or user id → offset of its last change   fact
    user:<id>          a viewer's packed ratings                                  fact
    erased             sorted set: digest of an erased viewer's id → offset       fact
    sums               hash: movie id → n, positive, half stars (12 bytes)        fact
    rules              hash: movie id → promotion and block (JSON)                fact
    rules_version      offset of the last change of a rule                        fact
    rows:<version>     hash: movie or user id → packed row of that model version  derived
                       (hybrid: `part:<movie id>`, `viewer:<user id>`, see hybrid.folding)
    versions           hash: model version that may have rows here → when they expire, if so
    complete           the model version whose rows hold all that changed since its training
    model              the published version that the service shall serve (in `{models:0}`)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from marquee.bus import TopicPartition
from marquee.errors import FenceLost
from marquee.events import MODELS, MOVIES, RATINGS
from marquee.partition import partition_of
from marquee.redis_calls import answered

Command = tuple[bytes | str | int | float, ...]
"""A Redis command: name, key, arguments."""


@dataclass(frozen=True)
class PartitionKeys:
    """The keys of one partition of one service."""

    prefix: str
    partition: TopicPartition

    def _key(self, name: str) -> str:
        return f"{self.prefix}:{{{self.partition}}}:{name}"

    @property
    def position(self) -> str:
        return self._key("position")

    @property
    def log(self) -> str:
        return self._key("log")

    @property
    def window(self) -> str:
        return self._key("window")

    @property
    def updates(self) -> str:
        return self._key("updates")

    @property
    def films(self) -> str:
        return self._key("films")

    @property
    def changed(self) -> str:
        return self._key("changed")

    @property
    def erased(self) -> str:
        return self._key("erased")

    @property
    def sums(self) -> str:
        return self._key("sums")

    @property
    def rules(self) -> str:
        return self._key("rules")

    @property
    def rules_version(self) -> str:
        return self._key("rules_version")

    @property
    def versions(self) -> str:
        return self._key("versions")

    @property
    def complete(self) -> str:
        return self._key("complete")

    @property
    def model(self) -> str:
        return self._key("model")

    def user(self, user_id: int) -> str:
        return self._key(f"user:{user_id}")

    def rows(self, version: str) -> str:
        return self._key(f"rows:{version}")


@dataclass(frozen=True)
class Keys:
    """All keys of one service; `partitions` is the number for `movies` and `ratings`."""

    namespace: str
    service: str
    partitions: int

    def of(self, partition: TopicPartition) -> PartitionKeys:
        return PartitionKeys(f"{self.namespace}:{self.service}", partition)

    def movie(self, movie_id: int) -> PartitionKeys:
        """Return the keys of the partition that a film belongs to."""
        return self.of(TopicPartition(MOVIES, partition_of(movie_id, self.partitions)))

    def user(self, user_id: int) -> PartitionKeys:
        """Return the keys of the partition that a viewer belongs to."""
        return self.of(TopicPartition(RATINGS, partition_of(user_id, self.partitions)))

    @property
    def model(self) -> str:
        """Where the published version stands."""
        return self.of(TopicPartition(MODELS, 0)).model

    def all(self, topic: str) -> list[PartitionKeys]:
        """Return the keys of every partition of a topic."""
        n = 1 if topic == MODELS else self.partitions
        return [self.of(TopicPartition(topic, p)) for p in range(n)]


@dataclass(frozen=True)
class Reads:
    """What to read in one round trip: strings, hash fields, members of sorted sets."""

    strings: Sequence[str] = ()
    fields: Mapping[str, Sequence[str]] | None = None
    scores: Mapping[str, Sequence[bytes]] | None = None


@dataclass(frozen=True)
class Found:
    """The values of a `Reads`; what does not exist is None."""

    strings: dict[str, bytes | None]
    fields: dict[tuple[str, str], bytes | None]
    scores: dict[tuple[str, bytes], float | None]


class Store(Protocol):
    """What a consumer needs of Redis. Every call may raise StoreUnavailable."""

    def position(self, keys: PartitionKeys) -> int | None:
        """Return the next offset to read, None for a partition that was never loaded."""
        ...

    def read(self, reads: Reads) -> Found:
        """Return values in one round trip."""
        ...

    def scan(self, key: str) -> dict[bytes, bytes]:
        """Return all fields of a hash."""
        ...

    def changed_since(self, keys: PartitionKeys, offset: int) -> list[int]:
        """Return the ids whose last change has at least this offset."""
        ...

    def write(
        self,
        keys: PartitionKeys,
        expected: int | None,
        position: int | None,
        commands: Sequence[Command],
    ) -> None:
        """Apply commands and set the position, all or nothing.

        FenceLost, and nothing is written, unless the stored position is `expected` (None: absent).
        `position` None leaves it absent. After StoreUnavailable the outcome is unknown.
        """
        ...


_TYPES = {
    "SET": "string", "HSET": "hash", "HDEL": "hash", "ZADD": "zset", "ZREM": "zset",
    "ZREMRANGEBYRANK": "zset", "XADD": "stream", "DEL": "", "EXPIRE": "", "PERSIST": "",
    "UNLINK": "",
}  # fmt: skip
"""Commands that a step may hold, with the type that their key must have (empty: any)."""
_STEP = """
local held = redis.call('GET', KEYS[1])
if (held or '') ~= ARGV[1] then return held or '' end
local at, commands = 3, {}
while at <= #ARGV do
  local n, kind = tonumber(ARGV[at]), ARGV[at + 1]
  local command = {}
  for i = 1, n do command[i] = ARGV[at + 1 + i] end
  local key = KEYS[tonumber(command[2])]
  if not key then return redis.error_reply('STEP no key for ' .. command[1]) end
  command[2] = key
  if kind ~= '' then
    local type = redis.call('TYPE', key).ok
    if type ~= 'none' and type ~= kind then
      return redis.error_reply('STEP ' .. key .. ' is a ' .. type .. ', not a ' .. kind)
    end
  end
  commands[#commands + 1] = command
  at = at + 2 + n
end
for i = 1, #commands do redis.call(unpack(commands[i])) end
if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[2]) end
return false
"""


class RedisStore:
    """The store on a real Redis; one connection a thread, no retries behind the caller's back."""

    def __init__(self, url: str, timeout: float = 5.0) -> None:
        self._redis: Any = redis.Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=min(timeout, 2.0),
            retry=Retry(NoBackoff(), 0),
        )
        self._step: Any = self._redis.register_script(_STEP)

    def position(self, keys: PartitionKeys) -> int | None:
        value = answered(lambda: self._redis.get(keys.position))
        return None if value is None else int(value)

    def get(self, key: str) -> bytes | None:
        """Return a string's value."""
        value: bytes | None = answered(lambda: self._redis.get(key))
        return value

    def read(self, reads: Reads) -> Found:
        fields, scores = reads.fields or {}, reads.scores or {}
        pipe = self._redis.pipeline(transaction=False)
        if reads.strings:
            pipe.mget(reads.strings)
        for key, names in fields.items():
            pipe.hmget(key, names)
        for key, members in scores.items():
            pipe.zmscore(key, members)
        replies = iter(answered(pipe.execute))
        return Found(
            dict(zip(reads.strings, next(replies), strict=True)) if reads.strings else {},
            _keyed(fields, replies),
            _keyed(scores, replies),
        )

    def scan(self, key: str) -> dict[bytes, bytes]:
        values: dict[bytes, bytes] = answered(lambda: self._redis.hgetall(key))
        return values

    def changed_since(self, keys: PartitionKeys, offset: int) -> list[int]:
        ids = answered(lambda: self._redis.zrangebyscore(keys.changed, offset, "+inf"))
        return [int(i) for i in ids]

    def write(
        self,
        keys: PartitionKeys,
        expected: int | None,
        position: int | None,
        commands: Sequence[Command],
    ) -> None:
        names: dict[str, int] = {keys.position: 1}
        argv: list[Any] = [_text(expected), _text(position)]
        for name, key, *arguments in commands:
            index = names.setdefault(str(key), len(names) + 1)
            argv += (len(arguments) + 2, _TYPES[str(name)], name, index, *arguments)
        held = answered(lambda: self._step(keys=list(names), args=argv))
        if held is not None:
            raise FenceLost(f"{keys.partition}: position is {held!r}, expected {expected}")

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()


def _text(position: int | None) -> str:
    return "" if position is None else str(position)


def _keyed(names: Mapping[str, Sequence[Any]], replies: Iterable[Any]) -> dict[Any, Any]:
    found = {}
    for (key, fields), values in zip(names.items(), replies, strict=False):
        found.update({(key, field): value for field, value in zip(fields, values, strict=True)})
    return found
