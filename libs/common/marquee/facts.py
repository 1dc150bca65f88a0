"""How events change the facts that several services keep: catalogue rows and viewers' ratings."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

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
from marquee.ratings import Ratings, half_stars
from marquee.recommender import Viewer
from marquee.step import Handler, Step

Handlers = Mapping[type[Event], Handler]


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


def chunks(snapshot: PartitionSnapshot, size: int = 256) -> Iterator[PartitionSnapshot]:
    """Return the snapshot in pieces of at most `size` films or viewers."""
    for start in range(0, len(snapshot.films), size):
        films = snapshot.films[start : start + size]
        yield PartitionSnapshot(snapshot.partition, snapshot.position, films)
    for start in range(0, len(snapshot.rules), size):
        rules = snapshot.rules[start : start + size]
        yield PartitionSnapshot(snapshot.partition, snapshot.position, rules=rules)
    viewers = iter((snapshot.viewers or {}).items())
    while piece := dict(islice(viewers, size)):
        yield PartitionSnapshot(snapshot.partition, snapshot.position, (), piece)


def restore_films(step: Step, piece: PartitionSnapshot) -> None:
    """Put the films of a piece of a snapshot, for a service that keeps nothing of viewers."""
    step.offset = piece.position - 1
    for film in piece.films:
        step.put_film(film)


def restore_facts(step: Step, piece: PartitionSnapshot) -> None:
    """Put the films and viewers of a piece of a snapshot."""
    restore_films(step, piece)
    for user_id, ratings in (piece.viewers or {}).items():
        step.put_ratings(user_id, ratings)


def viewer_of(ratings: Ratings) -> Viewer:
    """Return the viewer that packed facts describe, as the models see him."""
    rated = [(movie_id, half / 2) for movie_id, half in ratings.rated.items()]
    return Viewer.of(rated, list(ratings.viewed))
