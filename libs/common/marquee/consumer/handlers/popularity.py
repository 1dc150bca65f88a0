"""Event handlers of rating sums by movie, facts of the content service."""

from marquee.consumer.handlers.restore import restore_movies
from marquee.consumer.unit_of_work import Handlers, UnitOfWork
from marquee.domain.likes import POSITIVE
from marquee.domain.ratings import Ratings, half_stars
from marquee.events import RatingAdded, RatingRemoved, UserErased
from marquee.snapshots.partition import PartitionSnapshot


def rate(unit_of_work: UnitOfWork, event: RatingAdded) -> None:
    """Count a rating, and take back the one that it replaces."""
    ratings, half = unit_of_work.facts.ratings(event.data.user_id), half_stars(event.data.rating)
    before = ratings.rate(event.data.movie_id, half, int(event.time.timestamp()))
    unit_of_work.put_ratings(event.data.user_id, ratings)
    _count(unit_of_work, event.data.movie_id, before, -1)
    _count(unit_of_work, event.data.movie_id, half, 1)


def unrate(unit_of_work: UnitOfWork, event: RatingRemoved) -> None:
    """Take back a rating."""
    ratings = unit_of_work.facts.ratings(event.data.user_id)
    before = ratings.unrate(event.data.movie_id)
    unit_of_work.put_ratings(event.data.user_id, ratings)
    _count(unit_of_work, event.data.movie_id, before, -1)


def erase(unit_of_work: UnitOfWork, event: UserErased) -> None:
    """Take back all ratings of the user."""
    for movie_id, half in unit_of_work.facts.ratings(event.data.user_id).rated.items():
        _count(unit_of_work, movie_id, half, -1)
    unit_of_work.erase(event.data.user_id)


def restore_sums(unit_of_work: UnitOfWork, piece: PartitionSnapshot) -> None:
    """Put the movies and ratings of a piece of a snapshot, with their sums.

    Viewed and dismissed movies are left out, as these handlers do not keep them.
    """
    restore_movies(unit_of_work, piece)
    for user_id, ratings in (piece.users or {}).items():
        if ratings.rated:
            unit_of_work.put_ratings(
                user_id, Ratings(dict(ratings.rated), times=dict(ratings.times))
            )
    for movie_id, sums in (piece.sums or {}).items():
        unit_of_work.put_sums(movie_id, sums)


def _count(unit_of_work: UnitOfWork, movie_id: int, half: int | None, sign: int) -> None:
    if half is not None:
        n, positive, total = unit_of_work.facts.sums(movie_id)
        sums = (n + sign, positive + sign * (half >= POSITIVE), total + sign * half)
        unit_of_work.put_sums(movie_id, sums)


SUM_HANDLERS: Handlers = {RatingAdded: rate, RatingRemoved: unrate, UserErased: erase}
