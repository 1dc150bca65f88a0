"""Event handlers of catalogue rows: a movie is added, updated, removed."""

from marquee.consumer.unit_of_work import Handlers, Step
from marquee.events import (
    MovieAdded,
    MovieRemoved,
    MovieUpdated,
)


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


FILM_HANDLERS: Handlers = {
    MovieAdded: add_film,
    MovieUpdated: update_film,
    MovieRemoved: remove_film,
}
