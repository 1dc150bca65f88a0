"""Event handlers of the catalogue: movies added, updated and removed."""

from marquee.consumer.unit_of_work import Handlers, UnitOfWork
from marquee.events import (
    MovieAdded,
    MovieRemoved,
    MovieUpdated,
)


def add_movie(unit_of_work: UnitOfWork, event: MovieAdded) -> None:
    """Put the movie's row, which replaces an earlier one."""
    unit_of_work.put_movie(event.data)


def update_movie(unit_of_work: UnitOfWork, event: MovieUpdated) -> None:
    """Replace fields of a movie in the catalogue; an unknown movie is ignored."""
    movie = unit_of_work.facts.movie(event.data.movie_id)
    if movie is not None:
        unit_of_work.put_movie(event.data.apply(movie))


def remove_movie(unit_of_work: UnitOfWork, event: MovieRemoved) -> None:
    """Remove the movie from the catalogue."""
    unit_of_work.remove_movie(event.data.movie_id)


MOVIE_HANDLERS: Handlers = {
    MovieAdded: add_movie,
    MovieUpdated: update_movie,
    MovieRemoved: remove_movie,
}
