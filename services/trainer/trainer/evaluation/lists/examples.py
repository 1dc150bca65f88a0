"""Examples of lists: movies and sessions of a YAML file, with what one expects to find."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from marquee.domain.likes import is_like
from marquee.domain.movies import Movie
from marquee.domain.routing import Evidence, Thresholds, decide
from marquee.errors import DataError


class Expected(BaseModel):
    """What one expects in a list of ten: movies of some genres, or some movies by title and year.

    Attributes:
        share: least part of the ten that is expected.
        is_met: whether the list has that share; False tells of a fault that is known.
        note: what is wrong with the list, in words for readers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    genres: frozenset[str] = frozenset()
    movies: tuple[str, ...] = ()
    share: float = Field(0.5, gt=0, le=1)
    is_met: bool = True
    note: str = ""

    def holds(self, movie: Movie) -> bool:
        """Return whether a movie is of an expected genre or one of the expected movies."""
        return bool(self.genres & set(movie.genres)) or name_of(movie) in self.movies

    def share_of(self, movies: Sequence[Movie]) -> float:
        """Return the part of a list that is expected."""
        return sum(map(self.holds, movies)) / max(1, len(movies))


class Session(Expected):
    """What somebody viewed or rated, oldest first, by title and year."""

    viewed: tuple[str, ...] = ()
    rated: Mapping[str, float] = Field(default_factory=dict)

    @property
    def evidence(self) -> Evidence:
        """How much the session tells."""
        likes = sum(is_like(round(2 * stars)) for stars in self.rated.values())
        return Evidence(len(self.rated), likes, len(self.viewed))

    @property
    def route(self) -> str:
        """The route that the gateway would take."""
        return decide(self.evidence, Thresholds()).route.value


class Examples(BaseModel):
    """The movies by title and year, and the sessions by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    movies: Mapping[str, Expected]
    sessions: Mapping[str, Session]

    @classmethod
    def read(cls, file: Path) -> "Examples":
        """Read a YAML file.

        Raises:
            DataError: It holds no such examples.
        """
        try:
            return cls.model_validate(yaml.safe_load(file.read_text()))
        except (OSError, yaml.YAMLError, ValidationError) as error:
            raise DataError(f"{file}: {error}") from None


def name_of(movie: Movie) -> str:
    """Return the title and year by which examples name a movie."""
    return f"{movie.title} ({movie.year})"


class Catalogue:
    """Movies by the title and year that examples name."""

    def __init__(self, movies: Sequence[Movie]) -> None:
        self._rows = {name_of(movie): row for row, movie in enumerate(movies)}
        self.movies = movies

    def row(self, name: str) -> int:
        """Return the row of a movie.

        Raises:
            DataError: There is none of that title and year.
        """
        try:
            return self._rows[name]
        except KeyError:
            raise DataError(f"there is no film {name} in the data") from None

    def movie(self, name: str) -> Movie:
        """Return the movie of a name; raises as `row`."""
        return self.movies[self.row(name)]
