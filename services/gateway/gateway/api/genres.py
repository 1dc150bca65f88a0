"""Genres in requests: unknown ones refused, written ones spelled as in the catalogue."""

from collections.abc import Iterable, Mapping, Sequence

from gateway.api.event_parsing import ParsedEvent, Rejection, given_id
from gateway.catalogue.genre_index import GenreIndex
from gateway.http.problem_details import FieldError, InvalidFields
from marquee.domain.genres import MAX_GENRES, distinct_genres
from marquee.events import MovieAdded, MovieUpdated


def require_genres(genres: GenreIndex, fields: Mapping[str, Sequence[str]]) -> None:
    """Check that films have the genres of each field; of no film nothing is known.

    Raises:
        InvalidFields: No film has one of them; it says what all are, and the nearest.
    """
    unknown = [
        _unknown(genres, f"{field}.{i}", name)
        for field, names in fields.items()
        for i, name in enumerate(names)
        if genres.spelling(name) is None
    ]
    if genres.names and unknown:
        raise InvalidFields(unknown)


def spelled_genres(
    genres: GenreIndex, names: Iterable[str], field: str = "genres"
) -> tuple[str, ...]:
    """Return the genres of a film that is written, as the catalogue spells them.

    Raises:
        InvalidFields: With those that are new the catalogue would have more than 64.
    """
    spelled = distinct_genres(genres.spelling(name) or name for name in names)
    new = [name for name in spelled if genres.spelling(name) is None]
    known = len(genres.names)
    if new and known + len(new) > MAX_GENRES:
        detail = (
            f"the catalogue has {known} genres, and {MAX_GENRES} is the most it may have:"
            f" {', '.join(map(repr, new))} would be too many; use one of them, or a tag"
        )
        raise InvalidFields([FieldError(field, detail, genres.names)])
    return spelled


def with_spelled_genres(parsed: Sequence[ParsedEvent], genres: GenreIndex) -> list[ParsedEvent]:
    """Return the events with films' genres spelled as in the catalogue, and by the first event.

    An event is rejected whose genres would be more than a catalogue may have, those of the events
    before it included.
    """
    added = GenreIndex([genres.names])
    return [_spelled(event, added) for event in parsed]


def _spelled(event: ParsedEvent, added: GenreIndex) -> ParsedEvent:
    if not isinstance(event, MovieAdded | MovieUpdated) or not event.data.genres:
        return event
    try:
        genres = spelled_genres(added, event.data.genres, "data.genres")
    except InvalidFields as error:
        return Rejection(given_id(event), error.errors)
    added.put(set(genres) - set(added.names))
    data = event.data.model_copy(update={"genres": genres})
    return event.model_copy(update={"data": data})


def _unknown(genres: GenreIndex, field: str, name: str) -> FieldError:
    nearest = genres.nearest(name)
    hint = f"; did you mean {nearest!r}?" if nearest else ""
    return FieldError(field, f"unknown genre {name!r}, no film has it{hint}", genres.names)
