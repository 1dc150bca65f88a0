"""Event handlers of users' ratings, viewed and dismissed movies, and watchlists."""

from collections.abc import Callable
from typing import Any

from marquee.consumer.unit_of_work import Handlers, UnitOfWork
from marquee.domain.ratings import Ratings, half_stars
from marquee.events import (
    MovieDismissed,
    MovieRestored,
    MovieViewed,
    RatingAdded,
    RatingEvent,
    RatingRemoved,
    UserErased,
    WatchlistAdded,
    WatchlistRemoved,
)


def rate(unit_of_work: UnitOfWork, event: RatingAdded) -> None:
    """Set the user's rating of a movie."""
    half, at = half_stars(event.data.rating), int(event.time.timestamp())
    _change(unit_of_work, event, lambda r: r.rate(event.data.movie_id, half, at))


def unrate(unit_of_work: UnitOfWork, event: RatingRemoved) -> None:
    """Remove the user's rating of a movie."""
    _change(unit_of_work, event, lambda r: r.unrate(event.data.movie_id))


def view(unit_of_work: UnitOfWork, event: MovieViewed) -> None:
    """Mark the movie as viewed."""
    _change(unit_of_work, event, lambda r: r.view(event.data.movie_id))


def dismiss(unit_of_work: UnitOfWork, event: MovieDismissed) -> None:
    """Mark the movie as not interesting."""
    _change(unit_of_work, event, lambda r: r.dismiss(event.data.movie_id))


def restore(unit_of_work: UnitOfWork, event: MovieRestored) -> None:
    """Take back a dismissal."""
    _change(unit_of_work, event, lambda r: r.restore(event.data.movie_id))


def list_for_later(unit_of_work: UnitOfWork, event: WatchlistAdded) -> None:
    """Put the movie on the user's watchlist."""
    _change(unit_of_work, event, lambda r: r.list_for_later(event.data.movie_id))


def unlist(unit_of_work: UnitOfWork, event: WatchlistRemoved) -> None:
    """Take the movie off the user's watchlist."""
    _change(unit_of_work, event, lambda r: r.unlist(event.data.movie_id))


def erase(unit_of_work: UnitOfWork, event: UserErased) -> None:
    """Forget the user."""
    unit_of_work.erase(event.data.user_id)


def _change(unit_of_work: UnitOfWork, event: RatingEvent, change: Callable[[Ratings], Any]) -> None:
    ratings = unit_of_work.facts.ratings(event.data.user_id)
    change(ratings)
    unit_of_work.put_ratings(event.data.user_id, ratings)


USER_HANDLERS: Handlers = {
    RatingAdded: rate,
    RatingRemoved: unrate,
    MovieViewed: view,
    MovieDismissed: dismiss,
    MovieRestored: restore,
    WatchlistAdded: list_for_later,
    WatchlistRemoved: unlist,
    UserErased: erase,
}
