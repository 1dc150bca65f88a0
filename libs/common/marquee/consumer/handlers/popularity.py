"""How events change what ratings sum up to, movie by movie: facts of the content service."""

from marquee.consumer.handlers.restore import restore_movies
from marquee.consumer.unit_of_work import Handlers, UnitOfWork
from marquee.domain.ratings import POSITIVE, Ratings, half_stars
from marquee.events import RatingAdded, RatingRemoved, UserErased
from marquee.snapshots.partition import PartitionSnapshot


def rate(unit_of_work: UnitOfWork, event: RatingAdded) -> None:
    """Count a rating; one that it replaces counts no more."""
    ratings, half = unit_of_work.ratings(event.data.user_id), half_stars(event.data.rating)
    before = ratings.rate(event.data.movie_id, half)
    unit_of_work.put_ratings(event.data.user_id, ratings)
    _count(unit_of_work, event.data.movie_id, before, -1)
    _count(unit_of_work, event.data.movie_id, half, 1)


def unrate(unit_of_work: UnitOfWork, event: RatingRemoved) -> None:
    """Count a rating no more."""
    ratings = unit_of_work.ratings(event.data.user_id)
    before = ratings.unrate(event.data.movie_id)
    unit_of_work.put_ratings(event.data.user_id, ratings)
    _count(unit_of_work, event.data.movie_id, before, -1)


def erase(unit_of_work: UnitOfWork, event: UserErased) -> None:
    """Count none of the user's ratings any more."""
    for movie_id, half in unit_of_work.ratings(event.data.user_id).rated.items():
        _count(unit_of_work, movie_id, half, -1)
    unit_of_work.erase(event.data.user_id)


def restore_sums(unit_of_work: UnitOfWork, piece: PartitionSnapshot) -> None:
    """Put the movies and the ratings of a piece of a snapshot, with their sums.

    Of a user only the ratings, as the handlers keep no more: which movies were viewed or
    dismissed counts nowhere here.
    """
    restore_movies(unit_of_work, piece)
    for user_id, ratings in (piece.users or {}).items():
        if ratings.rated:
            unit_of_work.put_ratings(user_id, Ratings(dict(ratings.rated)))
    for movie_id, sums in (piece.sums or {}).items():
        unit_of_work.put_sums(movie_id, sums)


def _count(unit_of_work: UnitOfWork, movie_id: int, half: int | None, sign: int) -> None:
    if half is not None:
        n, positive, total = unit_of_work.sums(movie_id)
        sums = (n + sign, positive + sign * (half >= POSITIVE), total + sign * half)
        unit_of_work.put_sums(movie_id, sums)


SUM_HANDLERS: Handlers = {RatingAdded: rate, RatingRemoved: unrate, UserErased: erase}
