"""What the content service does with events: film rows by its model, popularity by sums."""

from content.model import Content
from marquee.consuming import consume_with_model
from marquee.derive import derive_films
from marquee.events import RatingAdded, RatingRemoved, UserErased
from marquee.facts import FILM_HANDLERS, Handlers, PartitionSnapshot, restore_facts
from marquee.ratings import POSITIVE, half_stars
from marquee.settings import Settings
from marquee.step import Step


def rate(step: Step, event: RatingAdded) -> None:
    """Count a rating; one that it replaces counts no more."""
    ratings, half = step.ratings(event.data.user_id), half_stars(event.data.rating)
    before = ratings.rate(event.data.movie_id, half)
    step.put_ratings(event.data.user_id, ratings)
    _count(step, event.data.movie_id, before, -1)
    _count(step, event.data.movie_id, half, 1)


def unrate(step: Step, event: RatingRemoved) -> None:
    """Count a rating no more."""
    ratings = step.ratings(event.data.user_id)
    before = ratings.unrate(event.data.movie_id)
    step.put_ratings(event.data.user_id, ratings)
    _count(step, event.data.movie_id, before, -1)


def erase(step: Step, event: UserErased) -> None:
    """Count none of the viewer's ratings any more."""
    for movie_id, half in step.ratings(event.data.user_id).rated.items():
        _count(step, movie_id, half, -1)
    step.erase(event.data.user_id)


def restore(step: Step, piece: PartitionSnapshot) -> None:
    """Put the facts of a piece of a snapshot, with the sums of its ratings."""
    restore_facts(step, piece)
    for ratings in (piece.viewers or {}).values():
        for movie_id, half in ratings.rated.items():
            _count(step, movie_id, half, 1)


def _count(step: Step, movie_id: int, half: int | None, sign: int) -> None:
    if half is not None:
        n, positive, total = step.sums(movie_id)
        sums = (n + sign, positive + sign * (half >= POSITIVE), total + sign * half)
        step.put_sums(movie_id, sums)


HANDLERS: Handlers = {
    **FILM_HANDLERS,
    RatingAdded: rate,
    RatingRemoved: unrate,
    UserErased: erase,
}


def main(settings: Settings) -> None:
    """Run the consumer until told to stop."""
    consume_with_model(settings, "content", Content.load, HANDLERS, derive_films, restore)
