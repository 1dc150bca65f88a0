"""Update streams in Redis, read side: load all rows once, then apply every change."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from marquee import telemetry
from marquee.bus.redis.faults import describe
from marquee.store.keys import PartitionKeys

BLOCK_MS = 1000
RETRY_SECONDS = 0.2
SILENCE_S = 2.5 * BLOCK_MS / 1000
"""Seconds without an answer after which the rows in memory may be behind."""


@dataclass(frozen=True)
class Update:
    """An entry of an update stream: what one unit of work changed.

    Attributes:
        start: offset of the first message it covers.
        end: offset after the last one.
        version: model version of its rows.
        values: changed values by name.
        since: when its oldest event happened, seconds since 1970; None without events.
        entry: id of the entry.
    """

    start: int
    end: int
    version: str
    values: dict[str, bytes]
    since: float | None = None
    entry: str = ""


Load = Callable[[], Awaitable[None]]
Apply = Callable[[PartitionKeys, Update], None]


class _Closable:
    """Turns the RuntimeError of uvloop on a reset connection into a ConnectionError of redis."""

    async def send_packed_command(self, *arguments: Any, **options: Any) -> None:
        parent: Any = super()
        try:
            await parent.send_packed_command(*arguments, **options)
        except RuntimeError as error:
            raise RedisConnectionError(str(error)) from error


class _Connection(_Closable, aioredis.Connection):
    """A plain connection."""


class _TlsConnection(_Closable, aioredis.SSLConnection):
    """A connection with TLS."""


def connect(url: str, timeout: float = 5.0, **options: Any) -> Any:
    """Return an asyncio client of Redis that connects on first use and never retries by itself."""
    client = aioredis.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=min(timeout, 2.0),
        retry=Retry(NoBackoff(), 0),
        **options,
    )
    tls = url.startswith("rediss:")
    client.connection_pool.connection_class = _TlsConnection if tls else _Connection
    return client


class Tail:
    """Follower of the update streams of one or more services."""

    def __init__(
        self,
        client: Any,
        streams: Sequence[PartitionKeys],
        load: Load,
        apply: Apply,
        is_measured: bool = True,
    ) -> None:
        """Follow nothing yet.

        Args:
            client: asyncio client of Redis.
            streams: keys of the partitions to follow.
            load: reads all rows. It is called at the start and whenever entries may have been
                missed: after a lost connection, a gap in a stream, or a Redis that lost its last
                writes.
            apply: applies one entry; must be idempotent, as `load` may have seen it already.
            is_measured: whether the age of events is measured when their entries come.
        """
        self._redis = client
        self._streams = {keys.updates: keys for keys in streams}
        self._load, self._apply, self._is_measured = load, apply, is_measured
        self._ids: dict[str, str] = {}
        self.moves = 0
        """Grows whenever `entries` or `positions` change."""
        self._positions: dict[str, int] = {}
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.closed = False
        self._agrees = False
        self.last_answer = 0.0
        """When Redis has answered last, by the monotonic clock."""
        self._reported: str | None = None

    @property
    def connected(self) -> bool:
        """Whether the rows in memory are those of Redis, as far as is known.

        A server that stands still holds its connections: after `SILENCE_S` without an answer it
        counts as away, though its entries go on where they ended once it answers.
        """
        return self._agrees and time.monotonic() - self.last_answer < SILENCE_S

    @property
    def entries(self) -> Mapping[str, str]:
        """Id of the last entry of each stream that memory has, by the key of the stream."""
        return self._ids

    @property
    def positions(self) -> dict[str, int]:
        """Next offset of each stream, by the key of the stream."""
        return dict(self._positions)

    def position(self, keys: PartitionKeys) -> int:
        """Return the next offset of a followed partition, 0 before the first."""
        return self._positions.get(keys.updates, 0)

    def start(self) -> None:
        """Start following in a task of the event loop; errors of Redis are retried."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop following."""
        self.closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        # A client may swallow the one cancellation that it gets, hence the flag.
        while not self.closed:
            try:
                await self._reload()
                await self._follow()
            except Exception as error:
                # What listens there may be no Redis, or hold what no release has written.
                self._report(describe(error))
                self._agrees = False
                await asyncio.sleep(RETRY_SECONDS)

    async def passed(self, after: Mapping[str, int], seconds: float) -> bool:
        """Wait until streams have passed offsets.

        Args:
            after: key of a stream → offset.
            seconds: how long to wait at most.

        Returns:
            Whether all have passed.
        """
        deadline = time.monotonic() + seconds
        while not self._has_passed(after):
            moved, left = self._moved, deadline - time.monotonic()
            if left <= 0:
                return False
            try:
                await asyncio.wait_for(moved.wait(), left)
            except TimeoutError:
                return False
        return True

    def _has_passed(self, after: Mapping[str, int]) -> bool:
        return self._agrees and all(
            self._positions.get(key, 0) >= offset for key, offset in after.items()
        )

    async def _reload(self) -> None:
        pipe = self._redis.pipeline(transaction=False)
        for key, keys in self._streams.items():
            pipe.xrevrange(key, count=1)
            pipe.get(keys.position)
        replies = iter(await pipe.execute())
        ids, positions = {}, {}
        for key in self._streams:
            last, position = next(replies), next(replies)
            ids[key] = last[0][0].decode() if last else "0-0"
            positions[key] = int((last[0][1][b"to"] if last else position) or 0)
        await self._load()
        self._ids, self._positions, self.moves = ids, positions, self.moves + 1
        self._agrees, self.last_answer = True, time.monotonic()
        self._report(None)
        self._wake()

    async def _follow(self) -> None:
        while not self.closed:
            entries = await self._redis.xread(self._ids, count=500, block=BLOCK_MS)
            self.last_answer = time.monotonic()
            for key, messages in _pairs(entries):
                name = key.decode()
                for entry_id, fields in messages:
                    update = _update(entry_id.decode(), fields)
                    if not self._continues(name, update):
                        return
                    self._apply(self._streams[name], update)
                    if self._is_measured:
                        _measure(self._streams[name], update)
                    self._ids[name] = update.entry
                    self._positions[name] = max(self._positions.get(name, 0), update.end)
                    self.moves += 1
            if entries:
                self._wake()

    def _continues(self, name: str, update: Update) -> bool:
        position = self._positions.get(name, 0)
        if update.start > position or update.end < position:
            detail = f"at {position}, entry from {update.start} to {update.end}"
            telemetry.log.warning("update stream has a gap, reading anew", key=name, detail=detail)
            return False
        return True

    def _report(self, fault: str | None) -> None:
        """Log each fault once, and its end."""
        if fault == self._reported:
            return
        if fault is None:
            telemetry.log.info("tail follows Redis again", waited_for=self._reported)
        else:
            telemetry.log.warning("tail waits for Redis", detail=fault)
        self._reported = fault

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()


def _measure(keys: PartitionKeys, update: Update) -> None:
    if update.since is not None:
        service = keys.prefix.rpartition(":")[2]
        age = max(0.0, time.time() - update.since)
        telemetry.VISIBLE.labels(service, keys.partition.topic).observe(age)


def _pairs(entries: Any) -> Any:
    return entries.items() if isinstance(entries, dict) else entries


def _update(entry: str, fields: Mapping[bytes, bytes]) -> Update:
    values = {name.decode(): value for name, value in fields.items()}
    start, end = int(values.pop("from")), int(values.pop("to"))
    since = values.pop("since", None)
    version = values.pop("version").decode()
    return Update(start, end, version, values, None if since is None else float(since), entry)
