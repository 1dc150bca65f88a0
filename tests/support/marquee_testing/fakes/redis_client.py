"""In-memory Redis client of an app, with trimmed streams and lost connections."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from redis.exceptions import ConnectionError as Lost

from marquee_testing.fakes.store import MemoryStore

Entry = tuple[bytes, dict[bytes, bytes]]


class MemoryClient:
    """The calls of an asyncio client that apps use; entry ids ascend over all streams.

    Call `note` after each write, since an entry's id is given when it is first seen.
    """

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._ids: dict[str, list[int]] = {}
        self._dropped: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self._wake = asyncio.Event()
        self.broken = False
        """The next XREAD fails, as on a lost connection."""
        self.paused = False
        """No XREAD returns, as in a process that is stopped."""

    def note(self) -> None:
        """Give ids to new entries, forget those of entries that are gone, and wake the reader."""
        for key in self._store.values:
            if key.endswith(":updates"):
                self._numbered(key)
        self._wake.set()

    def trim(self, key: str, kept: int) -> None:
        """Drop all but the last entries of a stream."""
        self._dropped[key] = max(self._dropped.get(key, 0), len(self._ids.get(key, [])) - kept)

    async def get(self, key: str) -> Any:
        """See GET."""
        return self._store.values.get(key)

    async def mget(self, keys: list[str]) -> list[Any]:
        """See MGET."""
        return [self._store.values.get(key) for key in keys]

    async def hgetall(self, key: str) -> dict[bytes, bytes]:
        """See HGETALL; others have a turn meanwhile."""
        await asyncio.sleep(0)
        return self._store.scan(key)

    async def zrange(
        self, key: str, start: int, end: int, withscores: bool
    ) -> list[tuple[bytes, float]]:
        """See ZRANGE: a whole sorted set with its scores."""
        assert (start, end, withscores) == (0, -1, True)
        members = self._store.values.get(key, {})
        return [(member, float(score)) for member, score in members.items()]

    async def hscan_iter(self, key: str, match: str) -> AsyncIterator[tuple[bytes, bytes]]:
        """See HSCAN."""
        for name, value in self._store.scan(key).items():
            if fnmatchcase(name.decode(), match):
                yield name, value

    async def xrevrange(self, key: str, count: int) -> list[Entry]:
        """See XREVRANGE."""
        return self._entries(key)[::-1][:count]

    async def xread(self, ids: Mapping[str, str], count: int, block: int) -> list[Any]:
        """See XREAD; it waits for entries, however long, and for the end of a pause."""
        while True:
            self._wake.clear()
            if self.broken and not self.paused:
                self.broken = False
                raise Lost("the connection was lost")
            found = [] if self.paused else self._after(ids, count)
            if found or block < 0:
                return found
            await self._wake.wait()

    def pipeline(self, transaction: bool) -> "MemoryPipeline":
        """See `redis.asyncio.Redis.pipeline`."""
        assert not transaction
        return MemoryPipeline(self)

    def _entries(self, key: str) -> list[Entry]:
        entries = self._store.values.get(key, [])
        numbered = zip(self._numbered(key), entries, strict=True)
        every = [(b"%d-0" % number, entry) for number, entry in numbered]
        return every[self._dropped.get(key, 0) :]

    def _numbered(self, key: str) -> list[int]:
        ids, count = self._ids.setdefault(key, []), len(self._store.values.get(key, []))
        del ids[count:]
        self._dropped[key] = min(self._dropped.get(key, 0), count)
        ids += itertools.islice(self._numbers, count - len(ids))
        return ids

    def _after(self, ids: Mapping[str, str], count: int) -> list[Any]:
        found = []
        for key, last in ids.items():
            after = int(last.partition("-")[0])
            new = [e for e in self._entries(key) if int(e[0].partition(b"-")[0]) > after]
            if new:
                found.append((key.encode(), new[:count]))
        return found


class MemoryPipeline:
    """Calls that are carried out one after the other."""

    def __init__(self, client: MemoryClient) -> None:
        self._client = client
        self._calls: list[Callable[[], Any]] = []

    def xrevrange(self, key: str, count: int) -> None:
        """See XREVRANGE."""
        self._calls.append(lambda: self._client.xrevrange(key, count))

    def get(self, key: str) -> None:
        """See GET."""
        self._calls.append(lambda: self._client.get(key))

    async def execute(self) -> list[Any]:
        """Return the replies."""
        return [await call() for call in self._calls]
