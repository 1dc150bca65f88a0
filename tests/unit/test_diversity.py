"""Broader lists: which places are kept, for which films, and what stays as it was."""

from typing import Any

import numpy as np
import pytest

from content.app import answer
from marquee.diversity import POOL, diversify, kept, lift, places, pool_size
from marquee.film_rows import FilmRows
from marquee.films import Film, Films
from marquee.model_service import ranked
from marquee.overlay import Serving
from marquee.popularity import FilmSums, LivePopularity
from marquee.recommender import Reason, RecommendRequest, Route, Scored, top

N = 60
GENRES = ("Crime", "Comedy", "Drama", "Horror")
FILMS = [
    Film(movie_id=i, title=f"Film {i}", genres=(GENRES[i % len(GENRES)],)) for i in range(1, N + 1)
]


class Famous:
    """Ranks films by id, odd ones before; a hundred viewers like those, one the even ones."""

    version = "v1"

    def __init__(self) -> None:
        self.asked = 0

    def films(self) -> Films:
        return Films.of(FILMS, np.zeros((N, 1), np.float32), np.zeros(N, np.int16))

    def sums(self, movie_id: int) -> tuple[int, int, int]:
        return (100, 100, 900) if movie_id % 2 else (1, 1, 9)

    def recommend(self, _viewer, films, mask, k, popularity=None):  # noqa: ARG002
        self.asked = k
        scores = np.where(films.movie_ids % 2, 2.0, 1.0) - np.arange(len(films)) / N
        return [
            Scored(int(films.movie_ids[r]), float(scores[r]), Reason.NEW, ((7, 0.5),))
            for r in top(scores, mask, k)
        ]


def served(model: Famous, sums: FilmSums | None = None) -> Serving[Any]:
    films = model.films()
    live = LivePopularity(films, sums or FilmSums())
    return Serving(model, films, live, FilmRows(model, films, None))


def ids(found) -> list[int]:
    return [scored.movie_id for scored in found]


def test_nothing_is_kept_at_0_and_no_more_is_asked_for():
    model = Famous()
    found = ranked(served(model), RecommendRequest(route=Route.HYBRID, k=10))
    assert ids(found) == list(range(1, 21, 2))
    assert model.asked == 10
    assert pool_size(10, 0.0) == 10
    assert pool_size(10, 0.1) == POOL


@pytest.mark.parametrize("diversity", [0.1, 0.2, 0.3, 0.5, 0.7, 1.0])
def test_a_share_of_the_places_is_kept_evenly(diversity):
    flags = [kept(place, diversity) for place in range(1, 101)]
    assert sum(flags) == round(100 * diversity)
    for start in range(90):
        assert abs(sum(flags[start : start + 10]) - 10 * diversity) <= 1


def test_a_kept_place_goes_to_a_film_that_stands_above_its_fame():
    scores = np.array([10.0, 9.0, 8.0, 7.9, 7.0])
    famous = np.array([5.0, 5.0, 5.0, 1.0, 4.0])
    kinds = np.array([1, 2, 4, 8, 16], np.uint32)
    assert places(scores, famous, kinds, 0.5, 4) == [0, 3, 1, 2]
    assert int(np.argmax(lift(scores, famous))) in (0, 3)


def test_of_films_alike_in_merit_one_of_another_genre_is_taken():
    scores, famous = np.array([10.0, 9.0, 9.0, 9.0]), np.ones(4)
    kinds = np.array([1, 1, 2, 1], np.uint32)
    assert places(scores, famous, kinds, 0.5, 2) == [0, 2]


def test_a_shorter_list_is_the_beginning_of_a_longer_one():
    model = Famous()
    request = RecommendRequest(route=Route.NEURAL, k=30, diversity=0.4)
    longer = ids(ranked(served(model), request))
    shorter = ids(ranked(served(model), request.model_copy(update={"k": 7})))
    assert longer[:7] == shorter
    assert len(set(longer)) == 30


def test_little_known_films_come_in_with_what_they_rest_on_and_filters_hold():
    model = Famous()
    request = RecommendRequest(
        route=Route.USER_CLUSTER, k=10, diversity=0.5, exclude=(1, 2), genres=("Crime", "Comedy")
    )
    found = ranked(served(model), request)
    assert len(found) == 10
    assert {1, 2}.isdisjoint(ids(found))
    assert {i % 4 for i in ids(found)} <= {0, 1}
    assert all(scored.because == ((7, 0.5),) for scored in found)
    plain = ids(ranked(served(model), request.model_copy(update={"diversity": 0.0})))
    assert sum(i % 2 == 0 for i in ids(found)) > sum(i % 2 == 0 for i in plain)


def test_all_films_come_in_some_order_where_there_are_no_more_than_asked_for():
    model = Famous()
    found = ranked(served(model), RecommendRequest(route=Route.HYBRID, k=N, diversity=1.0))
    assert sorted(ids(found)) == list(range(1, N + 1))
    assert diversify(found[:1], model.films(), model, 1.0, 5) == found[:1]
    assert diversify([], model.films(), model, 1.0, 5) == []


def test_similar_films_take_the_setting():
    model = Famous()
    request = RecommendRequest(route=Route.SIMILAR, viewed=(11, 13), k=8, diversity=0.5)
    broad = ids(answer(served(model), request))
    assert len(set(broad)) == 8
    assert {11, 13}.isdisjoint(broad)
    assert sum(i % 2 == 0 for i in broad) == 4


class Popular(Famous):
    """Every fourth film is well known, the others are hardly."""

    def sums(self, movie_id: int) -> tuple[int, int, int]:
        n = 100 - movie_id if movie_id % 4 == 0 else 1
        return n, n, 9 * n


def test_popular_films_take_the_setting_and_change_by_genre():
    model, sums = Popular(), FilmSums()
    for i in range(1, N + 1):
        sums.put(0, i, model.sums(i))
    serving = served(model, sums)
    request = RecommendRequest(route=Route.POPULAR, k=6)
    assert {i % 4 for i in ids(answer(serving, request))} == {0}
    broad = ids(answer(serving, request.model_copy(update={"diversity": 0.5})))
    assert len(set(broad)) == 6
    assert {i % 4 for i in broad} > {0}
