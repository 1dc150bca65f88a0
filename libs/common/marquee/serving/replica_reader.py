"""Reads of a replica: a service's rows, erasures and published version, and sums in Redis."""

from collections.abc import Sequence
from typing import Any

from marquee.domain.rating_sums import RatingSums
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import UserFeatures
from marquee.events import MOVIES, RATINGS, ModelVersion
from marquee.events.erasure import ErasureLists
from marquee.features.popularity import MovieSums
from marquee.serving.movie_rows import MovieTableWriter
from marquee.store.codec import DerivedUserRow
from marquee.store.keys import Keys, PartitionKeys

_PART = "part:"
"""Prefix of the fields that hold what a partition's raters tell of a movie."""


async def read_sums(client: Any, partitions: Sequence[PartitionKeys], sums: MovieSums) -> None:
    """Replace the sums of partitions of ratings by those in Redis."""
    for keys in partitions:
        fields = await client.hgetall(keys.sums)
        rows = {int(movie_id): RatingSums.unpack(value) for movie_id, value in fields.items()}
        sums.replace(keys.partition.partition, rows)


class ReplicaReader:
    """Reads, all without side effects on Redis."""

    def __init__(self, keys: Keys, client: Any) -> None:
        self._keys, self._redis = keys, client
        self.movies = keys.all(MOVIES)
        self.ratings = keys.all(RATINGS)

    async def published(self) -> ModelVersion | None:
        """Return the version that was announced last, if there is one."""
        value = await self._redis.get(self._keys.model)
        return None if value is None else ModelVersion.model_validate_json(value)

    async def is_complete(self, published: ModelVersion) -> bool:
        """Return whether every partition's rows are derived under a version."""
        keys = [partition.complete for partition in (*self.movies, *self.ratings)]
        versions = await self._redis.mget(keys)
        expected = published.version
        return all(value is not None and value.decode() == expected for value in versions)

    async def read_erasures(self, erased: ErasureLists) -> None:
        """Replace all erasure lists by those in Redis."""
        for keys in self.ratings:
            digests = await self._redis.zrange(keys.erased, 0, -1, withscores=True)
            lists = {digest: int(offset) for digest, offset in digests}
            erased.replace(keys.partition.partition, lists)

    async def read_rows(self, rows: MovieTableWriter[Any], version: str) -> None:
        """Put all movie rows of a version."""
        for keys in self.movies:
            fields = await self._redis.hgetall(keys.rows(version))
            for movie_id, row in fields.items():
                rows.put(int(movie_id), row)

    async def read_parts(self, rows: MovieTableWriter[Any], version: str) -> None:
        """Put what raters tell of movies under a version."""
        for keys in self.ratings:
            async for name, part in self._redis.hscan_iter(keys.rows(version), f"{_PART}*"):
                movie_id = int(name[len(_PART) :])
                rows.put_part(movie_id, keys.partition.partition, part)

    async def user_features(self, user_id: int, version: str) -> dict[str, Any]:
        """Return the derived features of a user under a version, as `UserFeatures`."""
        keys = self._keys.user(user_id)
        pipe = self._redis.pipeline(transaction=False)
        pipe.hget(keys.rows(version), user_id)
        pipe.get(keys.position)
        row, position = await pipe.execute()
        return UserFeatures(
            user_id=user_id,
            cluster=DerivedUserRow.unpack(row).cluster if row else None,
            model_version=version,
            position=None if position is None else int(position),
        ).model_dump()

    async def facts(self, user_id: int) -> Ratings:
        """Return the service's facts of a user: ratings, views, dismissals."""
        return Ratings.unpack(await self._redis.get(self._keys.user(user_id).user(user_id)))
