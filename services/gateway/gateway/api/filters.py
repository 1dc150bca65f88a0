"""Filters in requests: values that no film has are refused with those that there are."""

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gateway.api.genres import require_genres
from gateway.catalogue.catalogue import Catalogue, MovieFilter
from gateway.http.problem_details import FieldError, InvalidFields
from marquee.domain.movie_fields import speaks


@dataclass(frozen=True)
class FieldNames:
    """Names of a request's fields, as errors tell them."""

    genre: str = "genre"
    genre_not: str = "genre_not"
    language: str = "language"
    certificate: str = "certificate"


def require_values(catalogue: Catalogue, allowed: MovieFilter, names: FieldNames) -> None:
    """Check that films of the catalogue have the values of a filter, and that its years are in
    order. Of an empty catalogue nothing is known.

    Raises:
        InvalidFields: No film has one of them, or no year is in the span.
    """
    fields = {names.genre: allowed.genres, names.genre_not: allowed.genres_not}
    require_genres(catalogue.genres, fields)
    errors = [*_disordered_years(allowed)]
    if len(catalogue) and (allowed.languages or allowed.certificates):
        errors += _unknown(names.language, allowed.languages, catalogue.languages, speaks)
        errors += _unknown(names.certificate, allowed.certificates, catalogue.certificates, _same)
    if errors:
        raise InvalidFields(errors)


def _disordered_years(allowed: MovieFilter) -> Iterator[FieldError]:
    first, last = allowed.year_from, allowed.year_to
    if first is not None and last is not None and first > last:
        yield FieldError("year_from", f"must not be later than year_to, which is {last}")
        yield FieldError("year_to", f"must not be earlier than year_from, which is {first}")


def _same(known: str, wanted: str) -> bool:
    return known.casefold() == wanted.casefold()


def _unknown(
    field: str, wanted: Sequence[str], known: Sequence[str], is_of: Callable[[str, str], bool]
) -> Iterator[FieldError]:
    for i, value in enumerate(wanted):
        if not any(is_of(film, value) for film in known):
            detail = f"unknown {field.removesuffix('s')} {value!r}, no film has it"
            yield FieldError(f"{field}.{i}", detail + _hint(value, known), known)


def _hint(value: str, known: Sequence[str]) -> str:
    """Return the value that may be meant; a plus in an address arrives as a blank."""
    if f"{value}+" in known:
        return f"; {value}+ is written {value}%2B in an address"
    nearest = difflib.get_close_matches(value, known, 1)
    return f"; did you mean {nearest[0]!r}?" if nearest else ""
