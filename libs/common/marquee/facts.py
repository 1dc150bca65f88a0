"""How events change the facts that several services keep: catalogue rows and viewers' ratings."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from marquee.bus import TopicPartition
from marquee.events import (
    Event,
    MovieAdded,
    MovieDismissed,
    MovieEvent,
    MovieRemoved,
    MovieRestored,
    MovieUpdated,
    MovieViewed,
    RatingAdded,
    RatingEvent,
    RatingRemoved,
    UserErased,
)
from marquee.films import Film
from marquee.ratings import POSITIVE, Ratings, half_stars
from marquee.recommender import Viewer
from marquee.step import Handler, Step

Handlers = Mapping[type[Event], Handler]
Sums = tuple[int, int, int]
K = TypeVar("K")
T = TypeVar("T")


def add_film(step: Step, event: MovieAdded) -> None:
    """Put the film's row; a second one replaces it."""
    step.put_film(event.data)


def update_film(step: Step, event: MovieUpdated) -> None:
    """Replace fields of a film that the catalogue has; of an unknown film nothing is known."""
    film = step.film(event.data.movie_id)
    if film is not None:
        step.put_film(event.data.apply(film))


def remove_film(step: Step, event: MovieRemoved) -> None:
    """Take the film out of the catalogue."""
    step.remove_film(event.data.movie_id)


def rate(step: Step, event: RatingAdded) -> None:
    """Set the viewer's rating of a film."""
    _change(step, event, lambda r: r.rate(event.data.movie_id, half_stars(event.data.rating)))


def unrate(step: Step, event: RatingRemoved) -> None:
    """Remove the viewer's rating of a film."""
    _change(step, event, lambda r: r.unrate(event.data.movie_id))


def view(step: Step, event: MovieViewed) -> None:
    """Mark the film as viewed."""
    _change(step, event, lambda r: r.view(event.data.movie_id))


def dismiss(step: Step, event: MovieDismissed) -> None:
    """Mark the film as not interesting."""
    _change(step, event, lambda r: r.dismiss(event.data.movie_id))


def restore(step: Step, event: MovieRestored) -> None:
    """Take back a dismissal."""
    _change(step, event, lambda r: r.restore(event.data.movie_id))


def erase(step: Step, event: UserErased) -> None:
    """Forget the viewer."""
    step.erase(event.data.user_id)


def _change(step: Step, event: RatingEvent, change: Callable[[Ratings], Any]) -> None:
    ratings = step.ratings(event.data.user_id)
    change(ratings)
    step.put_ratings(event.data.user_id, ratings)


FILM_HANDLERS: Handlers = {
    MovieAdded: add_film,
    MovieUpdated: update_film,
    MovieRemoved: remove_film,
}
VIEWER_HANDLERS: Handlers = {
    RatingAdded: rate,
    RatingRemoved: unrate,
    MovieViewed: view,
    MovieDismissed: dismiss,
    MovieRestored: restore,
    UserErased: erase,
}


def prefetch(step: Step, events: list[Event]) -> None:
    """Read in one round trip what the handlers of these events will ask for."""
    users = {e.data.user_id: None for e in events if isinstance(e, RatingEvent)}
    films = {e.data.movie_id: None for e in events if isinstance(e, MovieEvent)}
    step.prefetch(users, films)


@dataclass(frozen=True)
class PartitionSnapshot:
    """The facts of one partition at a position: films and rules, or viewers."""

    partition: TopicPartition
    position: int
    films: tuple[Film, ...] = ()
    viewers: Mapping[int, Ratings] | None = None
    rules: tuple[Event, ...] = ()
    removed: tuple[int, ...] = ()
    """Films that were taken out of the catalogue, which a model may know from its training."""
    sums: Mapping[int, Sums] | None = None
    """What the viewers' ratings sum up to, film by film; None: not added up yet."""
    erased: Mapping[bytes, int] = field(default_factory=dict)
    """The erasure list: digest of a viewer's id → offset."""


def chunks(snapshot: PartitionSnapshot, size: int = 256) -> Iterator[PartitionSnapshot]:
    """Return the snapshot in pieces of at most `size` films or viewers.

    Each piece states what is, so that one which is put twice does no harm.
    """
    about = snapshot.partition, snapshot.position
    for start in range(0, len(snapshot.films), size):
        yield PartitionSnapshot(*about, snapshot.films[start : start + size])
    for start in range(0, len(snapshot.rules), size):
        yield PartitionSnapshot(*about, rules=snapshot.rules[start : start + size])
    for start in range(0, len(snapshot.removed), size):
        yield PartitionSnapshot(*about, removed=snapshot.removed[start : start + size])
    viewers = snapshot.viewers or {}
    for piece in _pieces(viewers, size):
        yield PartitionSnapshot(*about, viewers=piece)
    sums = sums_of(viewers) if snapshot.sums is None else snapshot.sums
    for counted in _pieces(sums, size):
        yield PartitionSnapshot(*about, sums=counted)
    for erased in _pieces(snapshot.erased, size):
        yield PartitionSnapshot(*about, erased=erased)


def _pieces(whole: Mapping[K, T], size: int) -> Iterator[dict[K, T]]:
    rest = iter(whole.items())
    while piece := dict(islice(rest, size)):
        yield piece


def sums_of(viewers: Mapping[int, Ratings]) -> dict[int, Sums]:
    """Return what viewers' ratings sum up to, film by film: n, positive, half stars."""
    found: dict[int, Sums] = {}
    for ratings in viewers.values():
        for movie_id, half in ratings.rated.items():
            n, positive, total = found.get(movie_id, (0, 0, 0))
            found[movie_id] = n + 1, positive + (half >= POSITIVE), total + half
    return found


def restore_films(step: Step, piece: PartitionSnapshot) -> None:
    """Put the films of a piece of a snapshot, and the erasure list."""
    step.offset = piece.position - 1
    for film in piece.films:
        step.put_film(film)
    for movie_id in piece.removed:
        step.remove_film(movie_id)
    for digest, offset in piece.erased.items():
        step.note_erased(digest, offset)


def restore_facts(step: Step, piece: PartitionSnapshot) -> None:
    """Put the films and viewers of a piece of a snapshot."""
    restore_films(step, piece)
    for user_id, ratings in (piece.viewers or {}).items():
        step.put_ratings(user_id, ratings)


def viewer_of(ratings: Ratings) -> Viewer:
    """Return the viewer that packed facts describe, as the models see him."""
    rated = [(movie_id, half / 2) for movie_id, half in ratings.rated.items()]
    return Viewer.of(rated, list(ratings.viewed))
