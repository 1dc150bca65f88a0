"""Event handlers of rating sums by movie, facts of the content service."""

from marquee.consumer.handlers.restore import restore_movies
from marquee.consumer.unit_of_work import Handlers, UnitOfWork
from marquee.domain.ratings import Ratings, half_stars
from marquee.events import RatingAdded, RatingRemoved, UserErased
from marquee.snapshots.partition import PartitionSnapshot


def rate(unit_of_work: UnitOfWork, event: RatingAdded) -> None:
    """Count a rating, and take back the one that it replaces."""
    ratings, half = unit_of_work.facts.ratings(event.data.user_id), half_stars(event.data.rating)
    movie_id, at = event.data.movie_id, int(event.time.timestamp())
    _take_back(unit_of_work, ratings, movie_id)
    ratings.rate(movie_id, half, at)
    unit_of_work.put_ratings(event.data.user_id, ratings)
    unit_of_work.put_sums(movie_id, unit_of_work.facts.sums(movie_id).added(half, at))


def unrate(unit_of_work: UnitOfWork, event: RatingRemoved) -> None:
    """Take back a rating."""
    ratings = unit_of_work.facts.ratings(event.data.user_id)
    _take_back(unit_of_work, ratings, event.data.movie_id)
    ratings.unrate(event.data.movie_id)
    unit_of_work.put_ratings(event.data.user_id, ratings)


def erase(unit_of_work: UnitOfWork, event: UserErased) -> None:
    """Take back all ratings of the user."""
    ratings = unit_of_work.facts.ratings(event.data.user_id)
    for movie_id in ratings.rated:
        _take_back(unit_of_work, ratings, movie_id)
    unit_of_work.erase(event.data.user_id)


def restore_sums(unit_of_work: UnitOfWork, piece: PartitionSnapshot) -> None:
    """Put the movies and ratings of a piece of a snapshot, with their sums.

    Viewed and dismissed movies are left out, as these handlers do not keep them.
    """
    restore_movies(unit_of_work, piece)
    for user_id, ratings in (piece.users or {}).items():
        if ratings.rated:
            kept = Ratings(dict(ratings.rated), times=dict(ratings.times), user=ratings.user)
            unit_of_work.put_ratings(user_id, kept)
    for movie_id, sums in (piece.sums or {}).items():
        unit_of_work.put_sums(movie_id, sums)


def _take_back(unit_of_work: UnitOfWork, ratings: Ratings, movie_id: int) -> None:
    """Take a user's rating of a movie, if there is one, out of the sums, from its own period."""
    if (half := ratings.rated.get(movie_id)) is not None:
        sums = unit_of_work.facts.sums(movie_id)
        time = ratings.times.get(movie_id, 0)
        unit_of_work.put_sums(movie_id, sums.added(half, time, -1))


SUM_HANDLERS: Handlers = {RatingAdded: rate, RatingRemoved: unrate, UserErased: erase}
