"""Hybrid model: the contract of recommenders, and the effect of each part."""

from dataclasses import replace

import numpy as np
import pytest

from hybrid.fit import HybridConfig, fit
from hybrid.model import Hybrid
from marquee.domain.movies import Movie
from marquee.domain.recommendation import Reason, UserHistory
from marquee.features.dataset import Dataset
from marquee.scoring.evidence_weights import EvidenceWeights
from marquee_testing import RecommenderContract, checkerboard
from marquee_testing.small_fits import SMALL_TASTE

SMALL = HybridConfig(taste=SMALL_TASTE, dimensions=6, clusters=4, new_movie_penalty=1.0)


class TestHybrid(RecommenderContract):
    @classmethod
    def fit(cls, dataset: Dataset, seed: int = 0) -> Hybrid:
        return fit(dataset, SMALL, seed)


@pytest.fixture(scope="module")
def hybrid() -> Hybrid:
    return fit(checkerboard(), SMALL, 0)


def test_the_liked_movies_are_named_as_reasons(hybrid: Hybrid) -> None:
    movies = hybrid.movies()
    mask = ~np.isin(movies.movie_ids, [10, 12, 11])
    answer = hybrid.recommend(UserHistory.of([(10, 5.0), (12, 4.0), (11, 1.0)]), movies, mask, 5)
    for scored in answer:
        assert scored.reason is Reason.BECAUSE_YOU_LIKED
        assert {movie_id for movie_id, _ in scored.because} <= {10, 12}
        assert sum(share for _, share in scored.because) == pytest.approx(1, abs=1e-3)


def test_a_liked_movie_of_the_other_kind_explains_nothing(hybrid: Hybrid) -> None:
    movies = hybrid.movies()
    mask = ~np.isin(movies.movie_ids, [10, 13])
    user = UserHistory.of([(10, 5.0), (13, 4.5)])
    for scored in hybrid.recommend(user, movies, mask, len(movies)):
        if scored.reason is Reason.BECAUSE_YOU_LIKED:
            kinds = {movie_id % 2 for movie_id, _ in scored.because}
            assert kinds == {scored.movie_id % 2}


def test_a_low_rating_turns_the_list_to_the_other_kind(hybrid: Hybrid) -> None:
    movies = hybrid.movies()
    mask = ~np.isin(movies.movie_ids, [10, 12])
    answer = hybrid.recommend(UserHistory.of([(10, 1.0), (12, 1.0)]), movies, mask, 5)
    assert {scored.movie_id % 2 for scored in answer} == {1}
    assert {scored.reason for scored in answer} == {Reason.POPULAR}


@pytest.mark.parametrize(
    "part", ["preference", "als", "space", "cluster", "few_ratings", "viewers"]
)
def test_each_part_moves_scores(hybrid: Hybrid, part: str) -> None:
    movies = hybrid.movies()
    weights = dict.fromkeys(HybridConfig.signals, 0.5)
    history = hybrid.history(UserHistory.of([(10, 5.0), (13, 2.0)]), movies)
    all_parts = EvidenceWeights.constant(weights)
    others = EvidenceWeights.constant(weights | {part: 0.0})
    whole = replace(hybrid, weights=all_parts).scores(history, movies)
    without = replace(hybrid, weights=others).scores(history, movies)
    assert not np.allclose(whole, without, atol=1e-3)


def test_a_changed_movie_keeps_its_factor_and_moves_in_the_space(hybrid: Hybrid) -> None:
    movies = hybrid.movies()
    movie = checkerboard().movies[0].model_copy(update={"genres": ("Romance",), "tags": {}})
    vector, _ = hybrid.row(movie, hybrid.sums(movie.movie_id))
    d = hybrid.layout.start("code")
    assert np.allclose(vector[:d], movies.vectors[0, :d])
    assert not np.allclose(vector[d:-2], movies.vectors[0, d:-2])


def test_a_new_movie_is_liked_by_the_users_who_like_its_kind(hybrid: Hybrid) -> None:
    movies = hybrid.movies()
    movie = Movie(movie_id=900, title="New", year=2010, genres=("Romance",), tags={"letters": 0.9})
    vector, _ = hybrid.row(movie, (0, 0, 0))
    rates = hybrid.layout.block(movies.vectors, "rates")
    of_its_kind = rates[movies.movie_ids % 2 == 1].mean(axis=0)
    assert hybrid.layout.block(vector, "rates").argmax() == of_its_kind.argmax()


def test_a_new_movie_gets_a_factor_like_its_kind(hybrid: Hybrid) -> None:
    movies = hybrid.movies()
    movie = Movie(movie_id=900, title="New", year=2010, genres=("Romance",), tags={"letters": 0.9})
    vector, cluster = hybrid.row(movie, (0, 0, 0))
    f = hybrid.factors.f
    closeness = movies.vectors[:, :f] @ vector[:f]
    assert vector[-1] == 1
    assert closeness[movies.movie_ids % 2 == 1].mean() > closeness[movies.movie_ids % 2 == 0].mean()
    assert 0 <= cluster < len(hybrid.pipeline.kmeans.centers)


def test_a_movie_without_tags_has_them_imputed_not_absent(hybrid: Hybrid) -> None:
    movie = Movie(movie_id=901, title="New", genres=("Action",))
    row = hybrid.movie_vectors.vector(movie)[None]
    rows = hybrid.pipeline_input(np.zeros((1, hybrid.factors.f), np.float32), row)
    scaled = hybrid.pipeline.scaler.transform(rows)[0, hybrid.factors.f :]
    assert np.allclose(scaled[hybrid.movie_vectors.blocks["tags"]], 0)
