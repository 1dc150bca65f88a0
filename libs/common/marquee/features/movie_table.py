"""The table of movies that a model ranks: one row a movie, in arrays that grow."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints, Mask, Matrix, Vector, lengthened
from marquee.domain.genres import GENRES, GenreVocabulary, Masks, catalogue_genres
from marquee.domain.movies import Movie
from marquee.domain.ratings import RatedMovies
from marquee.features.shortlist import RowSelection, Shortlist, all_rows, candidate_rows, few_rows

_STORED = {
    "movie_ids": "movie_ids",
    "genres": "genres",
    "years": "years",
    "vectors": "vectors",
    "clusters": "clusters",
    "marks": "exposure_thresholds",
}
"""Name of an array in a bundle → attribute, in the order of the constructor."""
_GENRE_NAMES = "genre_names"


class MovieTable:
    """The movies that a model ranks. A row keeps its index for the table's life.

    Attributes:
        movie_ids: int64 n.
        genres: uint64 n, bit masks by this table's own vocabulary.
        years: int16 n, 0 where unknown.
        vectors: float32 n × d, the service's own representation of each movie.
        clusters: int16 n, -1 where there is none.
        alive: bool n, False once a movie is removed.
        exposure_thresholds: float32 n, the score above which a movie suits a user more than it
            suits others (`marquee.training.exposure_threshold`); 0 where none was learned.
    """

    def __init__(
        self,
        movie_ids: Sequence[int] | Ints,
        genres: npt.NDArray[np.uint32] | Masks,
        years: npt.NDArray[np.int16],
        vectors: Matrix,
        clusters: npt.NDArray[np.int16],
        exposure_thresholds: Vector | None = None,
        genre_names: Sequence[str] | npt.NDArray[np.str_] | None = None,
    ) -> None:
        """Take the arrays; `genre_names` are those of the bits (None: MovieLens' nineteen)."""
        self._n = len(movie_ids)
        self._movie_ids = np.array(movie_ids, np.int64)
        self._genres = np.array(genres, np.uint64)
        self._vocabulary = GenreVocabulary(GENRES if genre_names is None else map(str, genre_names))
        self._years = np.array(years, np.int16)
        self._vectors = np.array(vectors, np.float32)
        self._clusters = np.array(clusters, np.int16)
        self._alive = np.ones(self._n, bool)
        self._exposure_thresholds = (
            np.zeros(self._n, np.float32)
            if exposure_thresholds is None
            else np.array(exposure_thresholds)
        )
        # A new movie gets the threshold of the movie shown most: nothing better is known.
        self._default_threshold = float(self._exposure_thresholds.max(initial=0.0))
        self._index = {int(movie_id): i for i, movie_id in enumerate(self._movie_ids)}
        self._shortlist: Shortlist | None = None
        self._copies: dict[tuple[int, int], Matrix] = {}

    def __len__(self) -> int:
        return self._n

    @property
    def movie_ids(self) -> Ints:
        return self._movie_ids[: self._n]

    @property
    def genres(self) -> Masks:
        return self._genres[: self._n]

    @property
    def years(self) -> npt.NDArray[np.int16]:
        return self._years[: self._n]

    @property
    def vectors(self) -> Matrix:
        return self._vectors[: self._n]

    @property
    def clusters(self) -> npt.NDArray[np.int16]:
        return self._clusters[: self._n]

    @property
    def alive(self) -> Mask:
        return self._alive[: self._n]

    @property
    def exposure_thresholds(self) -> Vector:
        return self._exposure_thresholds[: self._n]

    def index(self, movie_id: int) -> int:
        """Return the row of a movie, or -1 when the table does not have it."""
        return self._index.get(movie_id, -1)

    def indexes(self, movie_ids: Iterable[int]) -> Ints:
        """Return the rows of those movies that the table has, in the order given."""
        rows = self.positions(movie_ids)
        return rows[rows >= 0]

    def positions(self, movie_ids: Iterable[int]) -> Ints:
        """Return the row of each movie, -1 for those that the table does not have."""
        return np.array([*map(self._index.get, movie_ids, itertools.repeat(-1))], np.int64)

    def rated_rows(self, rated: RatedMovies) -> tuple[Ints, Ints]:
        """Return the rows of those rated movies that the table has, and their half stars."""
        rows = self.positions(rated.movie_ids.tolist())
        known = rows >= 0
        return rows[known], np.rint(rated.stars[known] * 2).astype(np.int64)

    def genre_mask(self, names: Iterable[str]) -> np.uint64:
        """Return the mask of genres; one that no movie of the table has is not in it."""
        return np.uint64(self._vocabulary.mask(names))

    def genre_names(self, row: int) -> tuple[str, ...]:
        """Return the genres of a row."""
        return self._vocabulary.names_in(int(self._genres[row]))

    def genre_matrix(self, names: Sequence[str]) -> Matrix:
        """Return the multi-hot genres of all rows, float32 n × len(names)."""
        return self._vocabulary.matrix(self.genres, names)

    def put(
        self, movie_id: int, genres: Sequence[str], year: int | None, vector: Vector, cluster: int
    ) -> int:
        """Add a movie or replace its row; return its index. `vector` has the d of the table."""
        if self._vocabulary.lacks_room(genres):
            self._forget_unused_genres()
        i = self._index.get(movie_id, -1)
        is_new = i < 0
        if is_new:
            i = self._append(movie_id)
        self._genres[i] = self._vocabulary.add(genres)
        self._years[i] = year or 0
        self._vectors[i] = vector
        self._clusters[i] = cluster
        self._alive[i] = True
        for (start, stop), copy in self._copies.items():
            copy[i] = self._vectors[i, start:stop]
        if self._shortlist is not None:
            self._shortlist.put(i, self._vectors[i], is_new)
        return i

    def remove(self, movie_id: int) -> None:
        """Take a movie out of every ranking; its row stays, so that indexes hold."""
        i = self._index.get(movie_id, -1)
        if i >= 0:
            self._alive[i] = False

    def for_scoring(self, sums: Ints) -> "MovieTable":
        """Store by column what scores read; return self.

        That is a shortlist of candidate rows by their `sums` (n × 3) where there are many movies,
        else the vectors of all.
        """
        rows = candidate_rows(sums)
        if rows is None:
            self._vectors = np.asfortranarray(self._vectors)
        else:
            self._shortlist = Shortlist(rows, self.vectors[rows])
        return self

    def select_rows(self, mask: Mask, k: int) -> RowSelection:
        """Return the rows to score for the k best where `mask` holds.

        The shortlist if there is one and the mask leaves enough of it, else the rows of the mask
        where these are few, else all.
        """
        selection = None if self._shortlist is None else self._shortlist.select(mask, k)
        return selection or few_rows(self.vectors, mask) or all_rows(self.vectors)

    def contiguous(self, columns: slice, by_column: bool = False) -> Matrix:
        """Return a block of columns of all rows where nothing else lies between them.

        Reading it is faster than reading the block among columns that a score does not need. It is
        a view of vectors that are stored by column, else a copy, made once and kept equal by `put`.
        `by_column`: each column of a copy is contiguous, not each row.
        """
        if self._vectors.flags.f_contiguous:
            return self.vectors[:, columns]
        key = (columns.start, columns.stop)
        if key not in self._copies:
            order: Literal["C", "F"] = "F" if by_column else "C"
            self._copies[key] = np.array(self._vectors[:, columns], order=order)
        return self._copies[key][: self._n]

    def _forget_unused_genres(self) -> None:
        """Free the bits of genres that no movie has any more."""
        used = np.bitwise_or.reduce(self.genres[self.alive], initial=0)
        self.genres[:] &= used
        self._vocabulary.keep(int(used))

    def _append(self, movie_id: int) -> int:
        if self._n == len(self._movie_ids):
            self._grow(max(64, self._n // 8))
        i = self._n
        self._movie_ids[i] = movie_id
        self._exposure_thresholds[i] = self._default_threshold
        self._index[movie_id] = i
        self._n += 1
        return i

    def _grow(self, extra: int) -> None:
        self._movie_ids = lengthened(self._movie_ids, extra)
        self._genres = lengthened(self._genres, extra)
        self._years = lengthened(self._years, extra)
        self._vectors = lengthened(self._vectors, extra)
        self._clusters = lengthened(self._clusters, extra)
        self._exposure_thresholds = lengthened(self._exposure_thresholds, extra)
        self._alive = lengthened(self._alive, extra)
        self._copies.clear()

    @classmethod
    def of(
        cls, movies: Sequence[Movie], vectors: Matrix, clusters: npt.NDArray[np.int16]
    ) -> "MovieTable":
        """Return a table of catalogue rows with their vectors (n × d) and clusters (n)."""
        names = catalogue_genres(movie.genres for movie in movies)
        vocabulary = GenreVocabulary(names)
        return cls(
            np.array([movie.movie_id for movie in movies], np.int64),
            np.array([vocabulary.add(movie.genres) for movie in movies], np.uint64),
            np.array([movie.year or 0 for movie in movies], np.int16),
            vectors,
            clusters,
            genre_names=names,
        )

    def arrays(self) -> Mapping[str, npt.NDArray[np.generic]]:
        """Return the arrays, by their names in a bundle, from which `from_arrays` makes a copy.

        Those of MovieLens' nineteen genres are as they were before there were others.
        """
        arrays = {name: getattr(self, attribute) for name, attribute in _STORED.items()}
        names = self._vocabulary.names
        if names == GENRES:
            return arrays | {"genres": self.genres.astype(np.uint32)}
        return arrays | {_GENRE_NAMES: np.array(names, np.str_)}

    def with_exposure_thresholds(self, thresholds: Vector) -> "MovieTable":
        """Return a table of the same rows with other exposure thresholds, n."""
        return self.from_arrays({**self.arrays(), "marks": thresholds})

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> "MovieTable":
        """Return the table of a bundle's arrays; bundles of older code have no thresholds."""
        columns = [arrays.get(name) for name in (*_STORED, _GENRE_NAMES)]
        return cls(*columns)  # type: ignore[arg-type]
