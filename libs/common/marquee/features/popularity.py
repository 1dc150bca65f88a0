"""Popularity of movies: sums per partition of `ratings`, added up by readers."""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints, Mask, Reals
from marquee.domain.likes import likes_rule
from marquee.domain.rating_sums import RatingSums, period_of, record_dtype, sums_by_movie
from marquee.features.movie_table import MovieTable
from marquee.features.trend import period_weights, trend

SHRINKAGE = 25.0
"""Pseudo-ratings at the global mean in a movie's shrunk (damped) mean."""


class MovieSums:
    """Sums of each movie over all users: ratings, positive ratings, half stars, likes by period.

    Keyed by movie id, not by row, since ratings may arrive before their movie. Stored are positive
    ratings by stars; where every rating is a like (`marquee.domain.likes`), all are read as such.
    """

    def __init__(self) -> None:
        self._parts: dict[int, dict[int, RatingSums]] = {}

    def __bool__(self) -> bool:
        return any(self._parts.values())

    def put(self, partition: int, movie_id: int, sums: RatingSums) -> None:
        """Set one partition's sums of a movie."""
        self._parts.setdefault(partition, {})[movie_id] = sums

    def replace(self, partition: int, rows: Mapping[int, RatingSums]) -> None:
        """Set one partition's sums of all movies."""
        self._parts[partition] = dict(rows)

    def of(self, movie_id: int) -> tuple[int, int, int]:
        """Return (ratings, positive, half stars) of a movie over all partitions."""
        n = positive = half = 0
        for sums in self._of(movie_id):
            n, positive, half = n + sums.n, positive + sums.positive, half + sums.half_stars
        return n, n if likes_rule() == "every-rating" else positive, half

    def arrays(self, movie_ids: Ints) -> Ints:
        """Return the sums of m movies, int64 m × 3: ratings, positive, half stars."""
        totals = np.zeros((len(movie_ids), 3), np.int64)
        for row, sums in self._by_row(movie_ids):
            totals[row] += sums.totals
        if likes_rule() == "every-rating":
            totals[:, 1] = totals[:, 0]
        return totals

    def decayed_of(self, movie_id: int, half_life: float, now: int) -> float:
        """Return a movie's likes, which count half as much after each half-life (`decayed`)."""
        return float(_decayed(((0, sums) for sums in self._of(movie_id)), 1, half_life, now)[0])

    def decayed(self, movie_ids: Ints, half_life: float, now: int) -> Reals:
        """Return the likes of m movies, which count half as much after each half-life.

        Args:
            movie_ids: m.
            half_life: in days.
            now: the present period, which counts whole; later ones do not count.
        """
        return _decayed(self._by_row(movie_ids), len(movie_ids), half_life, now)

    def _of(self, movie_id: int) -> Iterable[RatingSums]:
        for _, part in sorted(self._parts.items()):
            if (sums := part.get(movie_id)) is not None:
                yield sums

    def _by_row(self, movie_ids: Ints) -> Iterable[tuple[int, RatingSums]]:
        rows = {int(movie_id): i for i, movie_id in enumerate(movie_ids)}
        for _, part in sorted(self._parts.items()):
            for movie_id, sums in part.items():
                if (row := rows.get(movie_id)) is not None:
                    yield row, sums


def _decayed(
    sums_by_row: Iterable[tuple[int, RatingSums]], n_rows: int, half_life: float, now: int
) -> Reals:
    """Return the decayed likes of rows, added up in the same order for one row as for many."""
    by_width: dict[int, list[tuple[int, bytes]]] = {}
    for row, sums in sums_by_row:
        if sums.records:
            by_width.setdefault(sums.records[0], []).append((row, sums.records[1:]))
    likes = "ratings" if likes_rule() == "every-rating" else "positive"
    decayed = np.zeros(n_rows)
    for width, rows in sorted(by_width.items()):
        dtype = record_dtype(width)
        table = np.frombuffer(b"".join(packed for _, packed in rows), dtype)
        sizes = [len(packed) // dtype.itemsize for _, packed in rows]
        owners = np.repeat([row for row, _ in rows], sizes)
        weights = period_weights(table["period"], now, half_life)
        decayed += np.bincount(owners, table[likes] * weights, n_rows)
    return decayed


def sums_of(movie_ids: Ints, half_stars: npt.NDArray[np.uint8]) -> dict[int, tuple[int, int, int]]:
    """Return movie id → (ratings, positive, half stars) of m ratings."""
    return {
        movie_id: sums.totals for movie_id, sums in sums_by_movie(movie_ids, half_stars).items()
    }


class Popularity:
    """Popularity ranking: log(1 + positive ratings), ties by shrunk mean, then by movie id.

    Rows are those of a `MovieTable`: `popularity` and `mean` (stars) float64, `n` int64.
    """

    def __init__(self, sums: Ints, decayed: Reals | None = None) -> None:
        """Take what is known of m movies.

        Args:
            sums: m × 3: ratings, positive, half stars.
            decayed: m, sums of likes that count less with age; None: no trend is known.
        """
        self._sums = sums.astype(np.int64)
        self._decayed = decayed
        self._total = self._sums.sum(axis=0) if len(sums) else np.zeros(3, np.int64)

    @cached_property
    def global_mean(self) -> float:
        """Mean of all ratings in stars; 3.5 without ratings."""
        return float(self._total[2] / (2 * self._total[0])) if self._total[0] else 3.5

    @property
    def sums(self) -> Ints:
        return self._sums

    @property
    def n(self) -> Ints:
        return self._sums[:, 0]

    @property
    def positive(self) -> Ints:
        return self._sums[:, 1]

    @cached_property
    def popularity(self) -> Reals:
        """log(1 + positive ratings) of each movie."""
        return np.log1p(self._sums[:, 1])

    @property
    def has_trend(self) -> bool:
        """Whether likes by period of time are known."""
        return self._decayed is not None

    @cached_property
    def trend(self) -> Reals:
        """Log of each movie's share of recent likes over its share of all; 0 where not known."""
        if self._decayed is None:
            return np.zeros(len(self._sums))
        return trend(self._decayed, self.positive)

    @cached_property
    def mean(self) -> Reals:
        """Shrunk mean rating of each movie in stars: (sum + 25 μ) / (n + 25)."""
        return (self._sums[:, 2] / 2 + SHRINKAGE * self.global_mean) / (
            self._sums[:, 0] + SHRINKAGE
        )

    def order(self, movie_ids: Ints, mask: Mask, k: int) -> Ints:
        """Return up to k rows where `mask` holds, most popular first."""
        rows = np.flatnonzero(mask)
        keys = (movie_ids[rows], -self.mean[rows], -self._sums[rows, 1])
        return rows[np.lexsort(keys)][:k]


class LivePopularity:
    """Popularity of a table's rows, kept up to date while sums and rows change.

    With a half-life, a rating changes the decayed likes of its movie, a new period those of all.
    """

    def __init__(
        self,
        movies: MovieTable,
        sums: MovieSums,
        half_life: float | None = None,
        clock: Callable[[], float] = time.time,
        max_age: float = 0.0,
    ) -> None:
        """Read the sums of all rows.

        Args:
            movies: the table.
            sums: of the movies; changes are told by `update` and `reload`.
            half_life: of likes in the trend, in days; None: no trend.
            clock: seconds since 1970.
            max_age: for how many seconds a computed popularity may be used in spite of changes.
        """
        self._movies, self._sums = movies, sums
        self._half_life, self._clock, self._max_age = half_life, clock, max_age
        self._current: Popularity | None = None
        self.reload()

    @property
    def is_known(self) -> bool:
        """Whether there are any sums: without them nothing can be said of popularity."""
        return bool(self._sums)

    @property
    def lags(self) -> bool:
        """Whether changes are not in what `now` has returned last, for `max_age` at most."""
        return self._is_stale

    def reload(self) -> None:
        """Read the sums of all rows again."""
        self._totals = self._sums.arrays(self._movies.movie_ids)
        self._begin_period(self._clock())

    def update(self, movie_id: int) -> None:
        """Read a movie's sums again, and append its row if it is new."""
        self._append_missing()
        if (row := self._movies.index(movie_id)) >= 0:
            self._totals[row] = self._sums.of(movie_id)
            if self._half_life is not None:
                decayed = self._sums.decayed_of(movie_id, self._half_life, self._period)
                self._decayed[row] = decayed
        self._is_stale = True

    def now(self) -> "Popularity":
        """Return the current popularity of all rows; computed once between changes."""
        now = self._clock()
        self._append_missing()
        if self._half_life is not None and period_of(int(now)) != self._period:
            self._begin_period(now)
        current = self._current
        if current is None or len(current.n) != len(self._totals) or self._must_compute(now):
            # Sums stored before there were periods know nothing of a trend.
            decayed = self._decayed.copy() if self._decayed.any() else None
            current = self._current = Popularity(self._totals, decayed)
            self._computed_at, self._is_stale = now, False
        return current

    def _must_compute(self, now: float) -> bool:
        return self._is_stale and not 0 <= now - self._computed_at < self._max_age

    def _begin_period(self, now: float) -> None:
        """Let likes have the age that they have now."""
        self._period = period_of(int(now))
        self._decayed = self._decayed_likes(self._movies.movie_ids)
        self._current = None
        self._computed_at, self._is_stale = now, True

    def _append_missing(self) -> None:
        """Append the rows that the table has more."""
        if (missing := len(self._movies) - len(self._totals)) > 0:
            new = self._movies.movie_ids[-missing:]
            self._totals = np.concatenate([self._totals, self._sums.arrays(new)])
            self._decayed = np.concatenate([self._decayed, self._decayed_likes(new)])

    def _decayed_likes(self, movie_ids: Ints) -> Reals:
        if self._half_life is None:
            return np.zeros(len(movie_ids))
        return self._sums.decayed(movie_ids, self._half_life, self._period)
