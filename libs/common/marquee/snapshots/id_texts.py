"""Texts of ids that are strings, by their numbers: what gives every id back as it came."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from marquee.arrays import Ints
from marquee.domain.ids import GivenId
from marquee.errors import DataError

USER, MOVIE = "user", "film"


@dataclass(frozen=True)
class IdTexts:
    """Texts by number (`marquee.domain.ids`); a number that is its own text is in neither.

    Users and movies are told apart: two texts of one number may name a user and a movie.

    Attributes:
        users: the texts of users' ids.
        movies: the texts of movies' ids.
    """

    users: Mapping[int, str] = field(default_factory=dict)
    movies: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def of_table(cls, table: Any) -> "IdTexts":
        """Return the texts of an `ids` table."""
        users: dict[int, str] = {}
        movies: dict[int, str] = {}
        columns = [table[name].to_pylist() for name in ("kind", "number", "text")]
        for kind, number, text in zip(*columns, strict=True):
            (users if kind == USER else movies)[number] = text
        return cls(users, movies)

    def columns(self) -> list[list[Any]]:
        """Return the columns of an `ids` table, sorted."""
        rows = [(USER, *item) for item in sorted(self.users.items())]
        rows += [(MOVIE, *item) for item in sorted(self.movies.items())]
        return [[row[i] for row in rows] for i in range(3)]

    def movie(self, number: int) -> int:
        """Return a movie's id as it was given.

        Raises:
            DataError: It was a string, and its text is not known.
        """
        if (text := self.movies.get(number)) is not None:
            return GivenId(text)
        if number < 0:
            raise DataError(f"the text of the film {number} is missing")
        return number

    def movies_in(self, *movie_ids: Ints) -> dict[int, str]:
        """Return the texts of the movies that are in columns of movies' ids."""
        ids = np.unique(np.concatenate([column[column < 0] for column in movie_ids])).tolist()
        return {i: self.movies[i] for i in ids if i in self.movies}

    def __bool__(self) -> bool:
        return bool(self.users or self.movies)


NO_TEXTS = IdTexts()
