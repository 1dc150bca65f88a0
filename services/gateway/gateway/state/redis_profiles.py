"""Profiles and rules in Redis: one round trip a request, which concurrent requests share."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import redis

from gateway.state.profiles import Profile
from gateway.state.rules import MovieRules, Rules
from gateway.state.shared_reads import SharedReads
from gateway.upstream.circuit_breaker import CircuitBreaker
from marquee.bus.redis.faults import describe
from marquee.domain.packed_ratings import StoredRatings
from marquee.domain.ratings import Ratings
from marquee.errors import StoreUnavailable
from marquee.events import MOVIES
from marquee.serving.update_stream import connect
from marquee.store.keys import Keys, PartitionKeys

TIMEOUT_S = 0.25


class RedisProfiles:
    """Profiles and rules in Redis; rules are cached per partition and reloaded when they change."""

    def __init__(self, url: str, keys: Keys) -> None:
        self._redis: Any = connect(url, TIMEOUT_S, max_connections=512)
        self._keys = keys
        self._partitions = keys.all(MOVIES)
        self._versions = [partition.rules_version for partition in self._partitions]
        self._breaker = CircuitBreaker()
        self._cache: list[tuple[bytes | None, Mapping[int, MovieRules]]] = [
            (None, {}) for _ in self._partitions
        ]
        self._rules = Rules()
        self._loading = asyncio.Lock()
        self._reads = SharedReads(self._read_values, self._versions)

    async def read(self, user_id: int | None) -> Profile:
        """Return the facts of a user (None: nobody) and the rules; never raises."""
        try:
            facts, versions = await self._fetch(user_id)
            if any(known != now for (known, _), now in zip(self._cache, versions, strict=True)):
                await self._reload(versions)
        except StoreUnavailable:
            return Profile(rules=self._rules, known=False)
        return Profile(facts, self._rules)

    async def movie_texts(self, user_id: int, movie_ids: Sequence[int]) -> dict[int, str]:
        """See `Profiles.movie_texts`."""
        if not movie_ids:
            return {}
        key = self._keys.user(user_id).movie_texts
        try:
            texts = await self._guarded(self._redis.hmget(key, movie_ids))
        except StoreUnavailable:
            return {}
        return {i: text.decode() for i, text in zip(movie_ids, texts, strict=True) if text}

    async def history_bytes(self, user_id: int) -> int:
        """Return the size of a user's packed facts, 0 where it cannot be read; never raises."""
        key = self._keys.user(user_id).user(user_id)
        try:
            return int(await self._guarded(self._redis.strlen(key)))
        except StoreUnavailable:
            return 0

    async def _fetch(self, user_id: int | None) -> tuple[Ratings, Sequence[bytes | None]]:
        key = None if user_id is None else self._keys.user(user_id).user(user_id)
        packed, versions = await self._reads.read(key)
        return Ratings() if packed is None else StoredRatings(packed), versions

    async def _read_values(self, keys: list[str]) -> Sequence[bytes | None]:
        values: Sequence[bytes | None] = await self._guarded(self._redis.mget(keys))
        return values

    async def _reload(self, versions: Sequence[bytes | None]) -> None:
        async with self._loading:
            for i, version in enumerate(versions):
                if self._cache[i][0] != version:
                    self._cache[i] = await self._load(self._partitions[i])
            self._rules = Rules.of(rules for _, rules in self._cache)

    async def _load(
        self, partition: PartitionKeys
    ) -> tuple[bytes | None, Mapping[int, MovieRules]]:
        pipe = self._redis.pipeline(transaction=True)
        pipe.get(partition.rules_version).hgetall(partition.rules)
        version, rows = await self._guarded(pipe.execute())
        return version, {int(movie_id): MovieRules.parse(row) for movie_id, row in rows.items()}

    async def _guarded(self, reply: Any) -> Any:
        """Await a reply of Redis, behind the circuit breaker.

        Raises:
            StoreUnavailable: Redis does not answer, or the circuit is open.
        """
        if not self._breaker.allows():
            reply.close()
            raise StoreUnavailable("Redis is left alone for a moment after failed calls")
        try:
            value = await reply
        except (redis.TimeoutError, TimeoutError) as error:
            self._breaker.timed_out()
            raise StoreUnavailable(f"Redis: {describe(error)}") from None
        except (redis.RedisError, OSError) as error:
            # A server that answers with an error (a replica, a cluster, no rights) is of no more
            # use than one that is away.
            self._breaker.failed()
            raise StoreUnavailable(f"Redis: {describe(error)}") from None
        self._breaker.succeeded()
        return value

    async def close(self) -> None:
        """Close the connections."""
        await self._reads.close()
        await self._redis.aclose()
