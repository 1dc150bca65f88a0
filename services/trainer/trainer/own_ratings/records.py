"""What an export says: films as their site names them, with the newest rating or viewing."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from trainer.own_ratings.values import RowFault

FAULTS_KEPT = 20
"""Rows that could not be read which are named; more are only counted."""
UNRATED = "films without a rating"
"""What is left out of an export that tells of films not rated too."""


@dataclass(frozen=True)
class ExportedFilm:
    """A film as a site names it.

    Attributes:
        identity: what tells it from the other films of the export.
        title: its title there; empty where the export has none.
        year: its year there.
        other_title: a second title, such as the original one.
        imdb: its IMDb id, as `tt0114709`.
        tmdb: its TMDB id.
        movielens: its id at MovieLens.
        is_doubled: whether the export has another film of the same title and year.
    """

    identity: str
    title: str
    year: int | None = None
    other_title: str = ""
    imdb: str | None = None
    tmdb: int | None = None
    movielens: int | None = None
    is_doubled: bool = False

    def __str__(self) -> str:
        name = self.title or self.identity
        return f"{name} ({self.year})" if self.year else name


@dataclass(frozen=True)
class FilmRecord:
    """The newest rating of a film, or its newest viewing where `half_stars` is None.

    `time` is None where the export of the site `kind` tells none.
    """

    kind: str
    film: ExportedFilm
    half_stars: int | None
    time: datetime | None

    @property
    def name(self) -> tuple[str, str]:
        """What tells it from other records of a person: the site, and its name of the film."""
        return self.kind, self.film.identity


@dataclass
class Export:
    """A person's export, as far as it was read.

    Attributes:
        kind: the site, such as `letterboxd`.
        files: rows of each file that was read.
        not_opened: files that were left closed.
        left_out: rows that are no films seen, by what they are.
        unreadable: number of rows that could not be read.
        faults: why, for the first of them.
    """

    kind: str
    files: dict[str, int] = field(default_factory=dict)
    not_opened: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    faults: list[str] = field(default_factory=list)
    _films: dict[str, ExportedFilm] = field(default_factory=dict)
    _ratings: dict[str, tuple[int, datetime | None]] = field(default_factory=dict)
    _viewings: dict[str, datetime | None] = field(default_factory=dict)

    def rate(self, film: ExportedFilm, half_stars: int, time: datetime | None) -> None:
        """Add a rating; of two at one time the one that is added later counts."""
        self._films[film.identity] = film
        known = self._ratings.get(film.identity)
        if known is None or not _is_before(time, known[1]):
            self._ratings[film.identity] = half_stars, time

    def view(self, film: ExportedFilm, time: datetime | None) -> None:
        """Add a viewing."""
        self._films.setdefault(film.identity, film)
        if not _is_before(time, self._viewings.get(film.identity)):
            self._viewings[film.identity] = time

    def double(self, identity: str) -> None:
        """Say that another film of the export has the same title and year."""
        self._films[identity] = replace(self._films[identity], is_doubled=True)

    @contextmanager
    def row(self, where: str) -> Iterator[None]:
        """Count what is read within as refused if it is faulty.

        Args:
            where: The file and the place of the row in it.
        """
        try:
            yield
        except RowFault as fault:
            self.refuse(f"{where}: {fault}")

    def refuse(self, fault: str) -> None:
        """Count a row that cannot be read."""
        self.unreadable += 1
        if len(self.faults) < FAULTS_KEPT:
            self.faults.append(fault)

    def records(self) -> list[FilmRecord]:
        """Return a record of each film, a rating where there is one."""
        return [
            FilmRecord(self.kind, film, *self._ratings[name])
            if name in self._ratings
            else FilmRecord(self.kind, film, None, self._viewings[name])
            for name, film in self._films.items()
        ]


def _is_before(time: datetime | None, other: datetime | None) -> bool:
    return other is not None and (time is None or time < other)
