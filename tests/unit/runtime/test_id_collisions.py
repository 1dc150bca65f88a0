"""Two texts with one number: the second is refused, whichever event brings it."""

import pytest

from gateway.consumer import HANDLERS
from marquee.domain import ids
from marquee.domain.ids import number_of, parse_id
from marquee.domain.movies import Movie
from marquee.domain.ratings import Ratings
from marquee.errors import IdCollision
from marquee.events import (
    Event,
    MovieAdded,
    MovieBlocked,
    MovieRemoved,
    RatingAdded,
    UserErased,
)
from marquee.store.keys import Keys
from marquee_testing.fakes.batches import BatchApplier

KEYS = Keys("collisions", "gateway", 1)


@pytest.fixture(autouse=True)
def _one_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give all strings that end alike one number: true collisions are too rare to be found."""
    monkeypatch.setattr(ids, "number_of", lambda text: number_of(text[-3:]))


def rating(user: str, movie: str = "tt1") -> RatingAdded:
    return RatingAdded.model_validate({"data": {"user_id": user, "movie_id": movie, "rating": 4}})


def movie(movie_id: str) -> MovieAdded:
    return MovieAdded(data=Movie.model_validate({"movie_id": movie_id, "title": movie_id}))


def apply(*events: Event) -> BatchApplier:
    batches = BatchApplier(KEYS, HANDLERS)
    for event in events:
        batches.add(event)
        batches.write()
    return batches


def test_a_second_user_of_the_number_is_refused_and_the_first_unhurt() -> None:
    batches = apply(rating("ann:abc"), rating("ann:abc", "tt2"))
    batches.add(rating("bob:abc"))
    with pytest.raises(IdCollision, match=r"user_id 'bob:abc' has the same number .* 'ann:abc'"):
        batches.write()


def test_a_second_film_of_the_number_is_refused_by_every_event() -> None:
    for second in (
        movie("b:xyz"),
        MovieRemoved.model_validate({"data": {"movie_id": "b:xyz"}}),
        MovieBlocked.model_validate({"data": {"movie_id": "b:xyz"}}),
    ):
        batches = apply(movie("a:xyz"), movie("a:xyz"))
        batches.add(second)
        with pytest.raises(IdCollision, match="movie_id 'b:xyz'"):
            batches.write()


def test_the_number_is_free_again_once_its_first_user_is_erased() -> None:
    erased = UserErased.model_validate({"data": {"user_id": "ann:abc"}})
    batches = apply(rating("ann:abc"), erased, rating("bob:abc"))
    number = parse_id("bob:abc")
    kept = Ratings.unpack(batches.store.get(KEYS.user(number).user(number)))
    assert (kept.user, list(kept.rated)) == ("bob:abc", [parse_id("tt1")])
