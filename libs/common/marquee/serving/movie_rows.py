"""Movie rows of an app: derived from content, refined by the parts of a movie's raters."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from marquee.features.movie_table import MovieTable
from marquee.store.codec import DerivedMovieRow

M = TypeVar("M")
FoldRow = Callable[[M, DerivedMovieRow, Sequence[bytes]], DerivedMovieRow]
"""Returns a movie's row refined by the packed parts of its partitions of ratings."""


class MovieTableWriter(Generic[M]):
    """Writer of rows and parts, in any order, into the table of one model version."""

    def __init__(self, model: M, movies: MovieTable, fold: FoldRow[M] | None) -> None:
        self._model, self._movies, self._fold = model, movies, fold
        self._parts: dict[int, dict[int, bytes]] = {}
        self._rows: dict[int, bytes] = {}
        """Rows before refinement, of movies that have parts."""

    def put(self, movie_id: int, row: bytes) -> None:
        """Put a movie's packed row; empty bytes remove the movie."""
        put_row(self._movies, movie_id, row)
        if movie_id in self._parts:
            self._rows[movie_id] = row
            self._put_folded(movie_id)

    def put_part(self, movie_id: int, partition: int, part: bytes) -> None:
        """Put the packed part of a partition's raters of a movie; empty bytes remove the part."""
        if movie_id not in self._parts:
            self._parts[movie_id] = {}
            self._rows[movie_id] = self._row(movie_id)
        self._parts[movie_id][partition] = part
        self._put_folded(movie_id)

    def _put_folded(self, movie_id: int) -> None:
        if self._fold is None or not self._rows[movie_id]:
            return
        parts = [part for _, part in sorted(self._parts[movie_id].items()) if part]
        row = self._fold(self._model, DerivedMovieRow.unpack(self._rows[movie_id]), parts)
        self._movies.put(movie_id, row.genres, row.year, row.vector, row.cluster)

    def _row(self, movie_id: int) -> bytes:
        """Return the packed row of a movie in the table, empty if it has none."""
        i, movies = self._movies.index(movie_id), self._movies
        if i < 0 or not movies.alive[i]:
            return b""
        year, cluster = int(movies.years[i]), int(movies.clusters[i])
        return DerivedMovieRow(movies.genre_names(i), year, cluster, movies.vectors[i]).pack()


def put_row(movies: MovieTable, movie_id: int, data: bytes) -> None:
    """Put a packed row into a table; empty bytes remove the movie."""
    if not data:
        movies.remove(movie_id)
        return
    row = DerivedMovieRow.unpack(data)
    movies.put(movie_id, row.genres, row.year, row.vector, row.cluster)
