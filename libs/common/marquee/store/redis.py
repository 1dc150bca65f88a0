"""The fact store on Redis: fenced, atomic writes of results and position by one script.

Every key of a service's partition has the hash tag `{topic:partition}`, so that a write touches one
slot of a Redis Cluster. Ids stand as their numbers (`marquee.domain.ids`). Names, under
`<namespace>:<service>:{topic:partition}:`

    position           next offset to read; negative: the fence of a rebuild under way
    log                id of the topic that the position counts in
    window             sorted set: digest of (source, id) of recent events → offset
    updates            stream of changes, for the apps: `from`, `to`, `version`, changed values
    films              hash: movie id → movie (JSON)                               fact
    changed            sorted set: movie or user id → offset of its last change   fact
    user:<id>          a user's packed ratings                                  fact
    movie_texts        hash, gateway: number of a rated, viewed or dismissed movie whose id is
                       a string → that string; the catalogue may not have the movie
    erased             sorted set: digest of an erased user's id → offset       fact
    sums               hash: movie id → n, positive, half stars (12 bytes), then  fact
                       by period of 28 days its ratings and positive ratings
                       (marquee.domain.rating_sums); apps of all models follow
                       those of content
    rules              hash: movie id → promotion and block (JSON)                fact
    rules_version      offset of the last change of a rule                        fact
    audit_rules        sorted set, gateway: audit entry of a change of a rule → its
                       time in milliseconds (marquee.audit.entries)
    audit_films        the same of changes of the catalogue
    erasures           the same of erasures: their receipts
    rows:<version>     hash: movie or user id → packed row of that model version  derived
                       (hybrid: `part:<movie id>`, `viewer:<user id>`, see hybrid.als_fold_in)
    versions           hash: model version that may have rows here → time of expiry, if any
    complete           the model version whose rows include all changes since its training
    model              the published version that the service shall serve (in `{models:0}`)
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from marquee.bus.redis.faults import describe, is_refusal
from marquee.errors import FenceLost, StoreUnavailable
from marquee.store.api import Command, ReadRequest, ReadResult
from marquee.store.keys import PartitionKeys

_TYPES = {
    "SET": "string",
    "HSET": "hash",
    "HDEL": "hash",
    "ZADD": "zset",
    "ZREM": "zset",
    "ZREMRANGEBYRANK": "zset",
    "XADD": "stream",
    "DEL": "",
    "EXPIRE": "",
    "PERSIST": "",
    "UNLINK": "",
}
"""Commands that a write may contain, with the type that their key must have (empty: any)."""
_WRITE = """
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
        self._script: Any = self._redis.register_script(_WRITE)

    def position(self, keys: PartitionKeys) -> int | None:
        """See `Store.position`."""
        value = translate_errors(lambda: self._redis.get(keys.position))
        return None if value is None else int(value)

    def get(self, key: str) -> bytes | None:
        """Return the value of a string, None when there is none."""
        value: bytes | None = translate_errors(lambda: self._redis.get(key))
        return value

    def read(self, request: ReadRequest) -> ReadResult:
        """See `Store.read`."""
        fields, scores = request.fields or {}, request.scores or {}
        pipe = self._redis.pipeline(transaction=False)
        if request.strings:
            pipe.mget(request.strings)
        for key, names in fields.items():
            pipe.hmget(key, names)
        for key, members in scores.items():
            pipe.zmscore(key, members)
        replies = iter(translate_errors(pipe.execute))
        return ReadResult(
            dict(zip(request.strings, next(replies), strict=True)) if request.strings else {},
            _keyed(fields, replies),
            _keyed(scores, replies),
        )

    def scan(self, key: str) -> dict[bytes, bytes]:
        """See `Store.scan`."""
        values: dict[bytes, bytes] = translate_errors(lambda: self._redis.hgetall(key))
        return values

    def changed_since(self, keys: PartitionKeys, offset: int) -> list[int]:
        """See `Store.changed_since`."""
        ids = translate_errors(lambda: self._redis.zrangebyscore(keys.changed, offset, "+inf"))
        return [int(i) for i in ids]

    def write(
        self,
        keys: PartitionKeys,
        expected: int | None,
        position: int | None,
        commands: Sequence[Command],
    ) -> None:
        """See `Store.write`."""
        names: dict[str, int] = {keys.position: 1}
        argv: list[Any] = [_text(expected), _text(position)]
        for name, key, *arguments in commands:
            index = names.setdefault(str(key), len(names) + 1)
            argv += (len(arguments) + 2, _TYPES[str(name)], name, index, *map(_plain, arguments))
        stored = translate_errors(lambda: self._script(keys=list(names), args=argv))
        if stored is not None:
            raise FenceLost(f"{keys.partition}: position is {stored!r}, expected {expected}")

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()


def _plain(argument: bytes | str | int | float) -> bytes | str | int | float:
    """Return an id that carries its text as its number: the client knows no other integers."""
    return int(argument) if isinstance(argument, int) else argument


def _text(position: int | None) -> str:
    return "" if position is None else str(position)


def _keyed(names: Mapping[str, Sequence[Any]], replies: Iterable[Any]) -> dict[Any, Any]:
    keyed = {}
    for (key, fields), values in zip(names.items(), replies, strict=False):
        keyed.update({(key, field): value for field, value in zip(fields, values, strict=True)})
    return keyed


def translate_errors(call: Callable[[], Any]) -> Any:
    """Call the client and return its answer.

    Raises:
        StoreUnavailable: The server is out of reach, or refuses for its state or its settings.
    """
    with translated_errors():
        return call()


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise what the client raises in the block as StoreUnavailable, where waiting may mend it."""
    try:
        yield
    except redis.RedisError as error:
        if is_refusal(error):
            raise StoreUnavailable(f"Redis: {describe(error)}") from None
        raise
    except OSError as error:
        raise StoreUnavailable(f"Redis: {describe(error)}") from None
