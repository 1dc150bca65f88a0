"""The gateway's own popular list: all movies by popularity, updated live."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from gateway.catalogue.catalogue import Catalogue, MovieFilter, Row
from marquee.domain.recommendation import Reason, Scored
from marquee.features.movie_table import MovieTable
from marquee.features.popularity import LivePopularity, MovieSums, Popularity

PopularityKey = tuple[float, float, int]
"""What the list is sorted by, rising: popularity and mean rating, negative, and the movie's id."""
MAX_AGE_S = 1.0
"""Seconds between two sorts: sums change with every rating."""

_ANY = MovieFilter()


class PopularList:
    """Movies by popularity; the order follows the catalogue at once, rating sums in a second."""

    def __init__(
        self, catalogue: Catalogue, sums: MovieSums, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.catalogue = catalogue
        self.sums = sums
        self._clock = clock
        self._table: MovieTable | None = None
        self._live: LivePopularity
        self._sorted_at: tuple[int, float]
        self._popularity: Popularity
        self._order: npt.NDArray[np.int64]

    def update(self, movie_id: int) -> None:
        """Apply a change of a movie's sums or row."""
        if self._table is self.catalogue.table:
            self._live.update(movie_id)

    def movies(self, allowed: MovieFilter, also: MovieFilter = _ANY) -> Iterator[Scored]:
        """Yield the movies that a filter allows, and a second one too, most popular first."""
        is_of_genres = allowed.genres or also.genres
        reason = Reason.POPULAR_IN_GENRE if is_of_genres else Reason.POPULAR
        for row in self.rows(allowed, also):
            yield Scored(row.movie_id, self.score(row.movie_id), reason)

    def rows(
        self,
        allowed: MovieFilter,
        also: MovieFilter = _ANY,
        after: PopularityKey | None = None,
    ) -> Iterator[Row]:
        """Yield the rows of these movies, most popular first; those behind the key `after`."""
        self._refresh()
        mask = self.catalogue.filter_mask(allowed)
        if also != _ANY:
            mask &= self.catalogue.filter_mask(also)
        if after is not None:
            mask &= self._behind(after)
        order = self._order[mask[self._order]]
        for movie_id in self.catalogue.table.movie_ids[order]:
            row = self.catalogue.get(int(movie_id))
            if row is not None:
                yield row

    def key(self, movie_id: int) -> PopularityKey:
        """Return a movie's place in the order; an unknown movie comes last."""
        self._refresh()
        row = self.catalogue.table.index(movie_id)
        if row < 0:
            return 0.0, 0.0, int(movie_id)
        popularity = self._popularity
        return -float(popularity.popularity[row]), -float(popularity.mean[row]), int(movie_id)

    def _behind(self, key: PopularityKey) -> npt.NDArray[np.bool_]:
        """Return the mask of the rows that come behind a key, shape (n_rows,)."""
        popularity, mean, movie_id = -key[0], -key[1], key[2]
        behind: npt.NDArray[np.bool_] = self._popularity.mean < mean
        behind |= (self._popularity.mean == mean) & (self.catalogue.table.movie_ids > movie_id)
        behind &= self._popularity.popularity == popularity
        return behind | (self._popularity.popularity < popularity)

    def score(self, movie_id: int) -> float:
        """Return a movie's popularity, 0 for an unknown movie."""
        self._refresh()
        row = self.catalogue.table.index(movie_id)
        return float(self._popularity.popularity[row]) if row >= 0 else 0.0

    def mean(self, movie_id: int) -> float | None:
        """Return a movie's shrunk mean rating in stars, None for an unknown movie."""
        self._refresh()
        row = self.catalogue.table.index(movie_id)
        return float(self._popularity.mean[row]) if row >= 0 else None

    def _refresh(self) -> None:
        now = self._clock()
        if self._table is self.catalogue.table:
            version, at = self._sorted_at
            if version == self.catalogue.version and now - at < MAX_AGE_S:
                return
        else:
            self._table = self.catalogue.table
            self._live = LivePopularity(self._table, self.sums)
        self._sorted_at = (self.catalogue.version, now)
        self._sort(self._table)

    def _sort(self, table: MovieTable) -> None:
        self._popularity = self._live.now()
        self._order = self._popularity.order(table.movie_ids, np.ones(len(table), bool), len(table))
