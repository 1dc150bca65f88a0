"""Filters as the model services read them: what they know, and the numbers of movies else."""

from collections.abc import Iterable
from typing import Any

from gateway.catalogue.catalogue import Catalogue, MovieFilter


def candidate_filter(
    movies: MovieFilter, catalogue: Catalogue, exclude: Iterable[int] = ()
) -> dict[str, Any]:
    """Return the fields of an internal request (`CandidateFilter`) that stand for a filter.

    Args:
        movies: What the movies must be like.
        catalogue: Which of them are.
        exclude: Ids of further movies to leave out.
    """
    only, excluded = _by_catalogue(movies, catalogue)
    return {
        "genres": movies.genres,
        "year_from": movies.year_from,
        "year_to": movies.year_to,
        **({"genres_not": movies.genres_not} if movies.genres_not else {}),
        "only": only,
        "exclude": [*exclude, *excluded],
    }


def _by_catalogue(movies: MovieFilter, catalogue: Catalogue) -> tuple[list[int] | None, list[int]]:
    """Return the movies that are allowed (None: all) and those that are not, by what models lack.

    Models' rows have neither tags nor optional fields, so numbers are sent, the shorter list.
    """
    if movies.by_catalogue == MovieFilter():
        return None, []
    allowed = catalogue.filter_mask(movies.by_catalogue)
    excluded = catalogue.table.alive & ~allowed
    if allowed.sum() <= excluded.sum():
        return catalogue.numbers(allowed), []
    return None, catalogue.numbers(excluded)
