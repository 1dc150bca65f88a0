"""The film rows of an app: derived from content, folded with what a film's raters say of it."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from marquee.features.movie_table import Films
from marquee.store.codec import FilmRow

M = TypeVar("M")
Fold = Callable[[M, FilmRow, Sequence[bytes]], FilmRow]
"""Returns a film's row in view of the packed parts that its partitions of ratings hold."""


class FilmRows(Generic[M]):
    """Puts rows and parts, in any order, into the table of one model version."""

    def __init__(self, model: M, films: Films, fold: Fold[M] | None) -> None:
        self._model, self._films, self._fold = model, films, fold
        self._parts: dict[int, dict[int, bytes]] = {}
        self._rows: dict[int, bytes] = {}
        """Rows before folding, of films that have parts."""

    def put(self, movie_id: int, row: bytes) -> None:
        """Put a film's row; no bytes: the film is removed."""
        put_row(self._films, movie_id, row)
        if movie_id in self._parts:
            self._rows[movie_id] = row
            self._put_folded(movie_id)

    def put_part(self, movie_id: int, partition: int, part: bytes) -> None:
        """Put what the raters of a partition say of a film; no bytes: there are none any more."""
        if movie_id not in self._parts:
            self._parts[movie_id] = {}
            self._rows[movie_id] = self._row(movie_id)
        self._parts[movie_id][partition] = part
        self._put_folded(movie_id)

    def _put_folded(self, movie_id: int) -> None:
        if self._fold is None or not self._rows[movie_id]:
            return
        parts = [part for _, part in sorted(self._parts[movie_id].items()) if part]
        row = self._fold(self._model, FilmRow.unpack(self._rows[movie_id]), parts)
        self._films.put(movie_id, row.genres, row.year, row.vector, row.cluster)

    def _row(self, movie_id: int) -> bytes:
        """Return the row that the table has of a film; nothing of a film that it lacks."""
        i, films = self._films.index(movie_id), self._films
        if i < 0 or not films.alive[i]:
            return b""
        numbers = int(films.genres[i]), int(films.years[i]), int(films.clusters[i])
        return FilmRow(*numbers, films.vectors[i]).pack()


def put_row(films: Films, movie_id: int, data: bytes) -> None:
    """Put a packed row into a table; no bytes: the film is removed."""
    if not data:
        films.remove(movie_id)
        return
    row = FilmRow.unpack(data)
    films.put(movie_id, row.genres, row.year, row.vector, row.cluster)
