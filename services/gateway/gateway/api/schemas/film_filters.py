"""Filters of lists by what films are: one definition for bodies and for parameters."""

from collections.abc import Mapping
from typing import Final

from pydantic import ConfigDict

from gateway.api.schemas.closed import Closed
from gateway.api.schemas.field_types import (
    Certificates,
    JsonRuntimeMax,
    JsonYear,
    Languages,
    RuntimeMax,
    Tagged,
    UnwantedGenres,
    WantedGenres,
    Year,
)
from gateway.catalogue.catalogue import MovieFilter

_SINGULAR: Final[Mapping[str, str]] = {
    "genres": "genre",
    "genres_not": "genre_not",
    "languages": "language",
    "certificates": "certificate",
}
"""Field → parameter: a parameter that may be repeated is named by one of its values."""


class FilmFilters(Closed):
    """What the films of a list must be like, as fields of a body."""

    genres: WantedGenres = []
    genres_not: UnwantedGenres = []
    year_from: JsonYear | None = None
    year_to: JsonYear | None = None
    tag: Tagged = None
    runtime_max: JsonRuntimeMax = None
    languages: Languages = []
    certificates: Certificates = []

    def movie_filter(self) -> MovieFilter:
        """Return the filter that the fields describe."""
        return MovieFilter(
            genres=tuple(self.genres),
            genres_not=tuple(self.genres_not),
            year_from=self.year_from,
            year_to=self.year_to,
            tag=self.tag,
            runtime_max=self.runtime_max,
            languages=tuple(self.languages),
            certificates=tuple(self.certificates),
        )


def _parameter(field: str) -> str:
    return _SINGULAR.get(field, field)


class FilterQuery(FilmFilters):
    """The same as parameters of a list, where all is text."""

    model_config = ConfigDict(alias_generator=_parameter, populate_by_name=False)

    year_from: Year | None = None
    year_to: Year | None = None
    runtime_max: RuntimeMax = None
