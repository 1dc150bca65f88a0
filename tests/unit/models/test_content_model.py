"""Content model: the contract of recommenders, and movies similar to one."""

from dataclasses import replace

import numpy as np
import pytest

from content.fit import ContentConfig, fit
from content.model import Content
from marquee.domain.movies import Movie, genre_mask
from marquee.domain.recommendation import Reason, UserHistory
from marquee.features.dataset import Dataset
from marquee.features.popularity import Popularity
from marquee_testing import RecommenderContract, checkerboard
from marquee_testing.small_fits import SMALL_TASTE

SMALL = ContentConfig(dimensions=6, clusters=4, taste=SMALL_TASTE, new_movie_penalty=1.0)


class TestContent(RecommenderContract):
    @classmethod
    def fit(cls, dataset: Dataset, seed: int = 0) -> Content:
        return fit(dataset, SMALL, seed)


@pytest.fixture(scope="module")
def content() -> Content:
    return fit(checkerboard(), SMALL, 0)


def test_viewed_movies_alone_lead_to_their_kind_and_are_named(content: Content) -> None:
    movies = content.movies()
    mask = ~np.isin(movies.movie_ids, [11, 13])
    answer = content.recommend(UserHistory.of((), [11, 13]), movies, mask, 5)
    assert {scored.movie_id % 2 for scored in answer} == {1}
    assert {scored.reason for scored in answer} == {Reason.SIMILAR_TO_VIEWED}
    for scored in answer:
        assert {movie_id for movie_id, _ in scored.because} <= {11, 13}
        assert sum(share for _, share in scored.because) == pytest.approx(1, abs=1e-3)


def test_movies_rated_low_are_no_source(content: Content) -> None:
    movies = content.movies()
    user = UserHistory.of([(10, 1.0), (11, 5.0)])
    assert content.history(user, movies).tolist() == [movies.index(11)]


def test_similar_movies_share_genres_and_tags(content: Content) -> None:
    movies = content.movies()
    answer = content.similar(10, movies, movies.alive, 8)
    assert [scored.movie_id % 2 for scored in answer] == [0] * 8
    assert 10 not in {scored.movie_id for scored in answer}


def test_a_movie_put_by_an_event_is_similar_at_once(content: Content) -> None:
    movies = content.movies()
    movie = Movie(movie_id=900, title="New", year=2010, genres=("Romance",), tags={"letters": 0.9})
    movies.put(900, genre_mask(movie.genres), movie.year, *content.row(movie, (0, 0, 0)))
    nearest = [scored.movie_id for scored in content.similar(900, movies, movies.alive, 5)]
    assert {movie_id % 2 for movie_id in nearest} == {1}
    assert 900 in {scored.movie_id for scored in content.similar(11, movies, movies.alive, 24)}


def test_movies_similar_to_an_unknown_one_are_none(content: Content) -> None:
    movies = content.movies()
    assert content.similar(77777, movies, movies.alive, 5) == []


def test_live_popularity_changes_the_order(content: Content) -> None:
    movies = content.movies()
    sums = np.array([content.sums(int(i)) for i in movies.movie_ids], np.int64)
    sums[movies.index(18)] = (5000, 5000, 50000)
    user, mask = UserHistory.of((), [10]), movies.movie_ids != 10
    model = replace(content, weights={"content": 0.1, "popularity": 1.0})
    before = [scored.movie_id for scored in model.recommend(user, movies, mask, 24)]
    live = Popularity(sums)
    after = [scored.movie_id for scored in model.recommend(user, movies, mask, 24, live)]
    assert before[0] != 18
    assert after[0] == 18


def test_sums_are_those_of_the_data(content: Content) -> None:
    dataset = checkerboard()
    chosen = dataset.movie_ids == 12
    half = dataset.half_stars[chosen]
    assert content.sums(12) == (int(chosen.sum()), int((half >= 8).sum()), int(half.sum()))
    assert content.sums(12345) == (0, 0, 0)
