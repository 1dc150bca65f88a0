"""Inspection of a movie or user: each service's facts, derived row, version and position."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson

from marquee.domain.genres import multi_hot
from marquee.domain.models import CONTENT, MODEL_NAMES, MODEL_SPECS
from marquee.domain.rating_sums import RatingSums
from marquee.domain.ratings import RatedMovies, Ratings
from marquee.events import RATINGS, ModelVersion
from marquee.features.movie_table import MovieTable
from marquee.registry.registry import Registry
from marquee.serving.movie_rows import MovieTableWriter
from marquee.settings import Settings
from marquee.store.api import ReadRequest
from marquee.store.codec import DerivedUserRow
from marquee.store.keys import Keys, PartitionKeys
from marquee.store.redis import RedisStore
from trainer.models.classes import model_class

SERVICES: tuple[str, ...] = ("gateway", *MODEL_NAMES)
EVENTS, TRAINING = "events", "training"
SEGMENTED = frozenset(spec.name for spec in MODEL_SPECS.values() if spec.has_segments)
FOLDED = frozenset(spec.name for spec in MODEL_SPECS.values() if spec.folds_raters)

_TOTALS = ("n", "positive", "half_stars")


@dataclass(frozen=True)
class DerivedView:
    """A derived row; `source` is `events`, or `training` if nothing has changed since."""

    vector: list[float]
    cluster: int
    source: str
    segment: int | None = None


@dataclass(frozen=True)
class ServiceView:
    """The data of one service about a movie or user; `facts` is None if it has none."""

    service: str
    partition: str
    position: int | None
    version: str | None
    facts: dict[str, Any] | None
    derived: DerivedView | None

    def as_json(self) -> dict[str, Any]:
        """Return the view as a JSON object."""
        derived = self.derived
        return {
            "service": self.service,
            "partition": self.partition,
            "position": self.position,
            "version": self.version,
            "facts": self.facts,
            "vector": derived.vector if derived else None,
            "cluster": derived.cluster if derived else None,
            "segment": derived.segment if derived else None,
            "from": derived.source if derived else None,
        }


class Inspection:
    """Reads the store, and published bundles for rows that have not changed since the training."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = RedisStore(settings.redis_address, timeout=2.0)
        self._registry = Registry(settings.registry)

    def movie(self, movie_id: int) -> list[ServiceView]:
        """Return each service's view of a movie."""
        return [self._movie(service, movie_id) for service in SERVICES]

    def user(self, user_id: int) -> list[ServiceView]:
        """Return each service's view of a user."""
        return [self._user(service, user_id) for service in SERVICES]

    def close(self) -> None:
        """Close the connection to the store."""
        self._store.close()

    def _keys(self, service: str) -> Keys:
        return Keys(self._settings.namespace, service, self._settings.partitions)

    def _movie(self, service: str, movie_id: int) -> ServiceView:
        keys = self._keys(service)
        partition, name = keys.movie(movie_id), str(movie_id)
        hashes = {key: [name] for key in (partition.movies, partition.rules)}
        fields = self._store.read(ReadRequest((), hashes)).fields
        facts: dict[str, Any] = {}
        if movie := fields[partition.movies, name]:
            facts["film"] = orjson.loads(movie)
        if rules := fields[partition.rules, name]:
            facts["rules"] = orjson.loads(rules)
        facts |= self._sums(keys, movie_id)
        published = self._published(service)
        row = self._row(partition, published, movie_id)
        derived = None
        if published and row != b"":
            derived = self._movie_row(service, published, movie_id, row)
        if derived and published and service in SEGMENTED:
            segment = self._movie_segment(service, published, movie, movie_id)
            derived = replace(derived, segment=segment)
        return self._view(service, partition, published, facts, derived)

    def _user(self, service: str, user_id: int) -> ServiceView:
        partition = self._keys(service).user(user_id)
        packed = self._store.get(partition.user(user_id))
        ratings = Ratings.unpack(packed)
        texts = {} if packed is None else self._movie_texts(self._keys(service), partition, ratings)
        facts = {} if packed is None else _ratings_json(ratings, texts)
        published = self._published(service)
        row = self._row(partition, published, user_id)
        derived = None
        if row:
            unpacked = DerivedUserRow.unpack(row)
            derived = DerivedView(unpacked.code.tolist(), unpacked.cluster, EVENTS)
        elif published and MODEL_SPECS[service].derives_user_rows and ratings.rated:
            code, cluster = self._load(service, published).encode(RatedMovies.of(ratings))
            derived = DerivedView(code.tolist(), int(cluster), TRAINING)
        if derived and published and service in SEGMENTED:
            segment = self._load(service, published).segment(RatedMovies.of(ratings))
            derived = replace(derived, segment=segment)
        return self._view(service, partition, published, facts, derived)

    def _movie_texts(self, keys: Keys, user: PartitionKeys, ratings: Ratings) -> dict[int, str]:
        """Return the ids of a user's movies that are strings, where the service knows them."""
        hashes: dict[str, list[str]] = {}
        known = (*ratings.seen, *ratings.watchlist)
        for name in (str(movie_id) for movie_id in known if movie_id < 0):
            hashes.setdefault(keys.movie(int(name)).movies, []).append(name)
            hashes.setdefault(user.movie_texts, []).append(name)
        fields = self._store.read(ReadRequest((), hashes)).fields if hashes else {}
        return {
            int(name): value.decode()
            if key == user.movie_texts
            else str(orjson.loads(value)["movie_id"])
            for (key, name), value in fields.items()
            if value
        }

    def _view(
        self,
        service: str,
        partition: PartitionKeys,
        published: ModelVersion | None,
        facts: dict[str, Any],
        derived: DerivedView | None,
    ) -> ServiceView:
        return ServiceView(
            service=service,
            partition=str(partition.partition),
            position=self._store.position(partition),
            version=published.version if published else None,
            facts=facts or None,
            derived=derived,
        )

    def _published(self, service: str) -> ModelVersion | None:
        value = self._store.get(self._keys(service).model)
        return None if value is None else ModelVersion.model_validate_json(value)

    def _row(
        self, partition: PartitionKeys, published: ModelVersion | None, entity: int
    ) -> bytes | None:
        """Return the derived row, b"" for a removed movie, None if unchanged since the training."""
        if published is None:
            return None
        key = partition.rows(published.version)
        return self._store.read(ReadRequest((), {key: [str(entity)]})).fields[key, str(entity)]

    def _movie_row(
        self, service: str, published: ModelVersion, movie_id: int, row: bytes | None
    ) -> DerivedView | None:
        """Return a movie's row as apps serve it: of events or training, with raters folded in."""
        model = self._load(service, published)
        movies: MovieTable = model.movies()
        if row is None and movies.index(movie_id) < 0:
            return None
        parts = self._parts(service, published, movie_id) if service in FOLDED else {}
        rows = MovieTableWriter(model, movies, type(model).folded if service in FOLDED else None)
        if row is not None:
            rows.put(movie_id, row)
        for partition, part in parts.items():
            rows.put_part(movie_id, partition, part)
        i = movies.index(movie_id)
        source = EVENTS if row is not None or parts else TRAINING
        return DerivedView(movies.vectors[i].tolist(), int(movies.clusters[i]), source)

    def _parts(self, service: str, published: ModelVersion, movie_id: int) -> dict[int, bytes]:
        """Return the parts of a movie's row by partition of its raters, where there are any."""
        keys_by_rows = {k.rows(published.version): k for k in self._keys(service).all(RATINGS)}
        name = f"part:{movie_id}"
        fields = self._store.read(ReadRequest((), {key: [name] for key in keys_by_rows})).fields
        return {
            keys_by_rows[key].partition.partition: part for (key, _), part in fields.items() if part
        }

    def _movie_segment(
        self, service: str, published: ModelVersion, movie: bytes | None, movie_id: int
    ) -> int | None:
        """Return a movie's segment by its genres and, as the app does, by the sums of content."""
        segments = self._load(service, published).segments
        if segments is None or movie is None:
            return None
        genres = multi_hot([orjson.loads(movie)["genres"]], segments.movies.genres)
        known = self._sums(self._keys(CONTENT.name), movie_id)
        sums = np.array([[known.get(name, 0) for name in _TOTALS]])
        return int(segments.movies.assign(genres, sums)[0])

    def _sums(self, keys: Keys, movie_id: int) -> dict[str, int]:
        """Return the rating sums that a service keeps of a movie, empty if it keeps none."""
        hashes = {partition.sums: [str(movie_id)] for partition in keys.all(RATINGS)}
        values = self._store.read(ReadRequest((), hashes)).fields.values()
        totals = [RatingSums.unpack(value).totals for value in values if value]
        return dict(zip(_TOTALS, map(sum, zip(*totals, strict=True)), strict=False))

    def _load(self, service: str, published: ModelVersion) -> Any:
        return model_class(service).load(self._registry.open(published.address, published.sha256))


def _ratings_json(ratings: Ratings, texts: Mapping[int, str]) -> dict[str, Any]:
    """Return a user's facts as JSON, with the movies' ids as they were given where it is known."""
    return {
        "ratings": [[texts.get(i, i), half / 2] for i, half in ratings.rated.items()],
        "positive": ratings.positive,
        "viewed": [texts.get(i, i) for i in ratings.viewed],
        "dismissed": [texts.get(i, i) for i in ratings.dismissed],
        "watchlist": [texts.get(i, i) for i in ratings.watchlist],
    }
