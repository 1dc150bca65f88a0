"""The hybrid model: the contract of recommenders, and what each of its parts adds."""

from dataclasses import replace

import numpy as np
import pytest

from hybrid.fit import HybridConfig, fit
from hybrid.model import Hybrid
from marquee.dataset import Dataset
from marquee.few_ratings_fit import FewRatingsConfig
from marquee.films import Film
from marquee.recommender import Reason, Viewer
from marquee.testing import RecommenderContract, checkerboard

SMALL = HybridConfig(
    factors=4, iterations=5, regularization=1.0, regularizations=(1.0,), dimensions=6, clusters=4,
    few_ratings=FewRatingsConfig(head=20, kept=20), penalties=(0.3, 1.0), new_film_penalty=1.0,
)  # fmt: skip


class TestHybrid(RecommenderContract):
    @classmethod
    def fit(cls, dataset: Dataset, seed: int = 0) -> Hybrid:
        return fit(dataset, SMALL, seed)


@pytest.fixture(scope="module")
def hybrid() -> Hybrid:
    return fit(checkerboard(), SMALL, 0)


def test_the_liked_films_are_named_as_reasons(hybrid: Hybrid) -> None:
    films = hybrid.films()
    mask = ~np.isin(films.movie_ids, [10, 12, 11])
    answer = hybrid.recommend(Viewer.of([(10, 5.0), (12, 4.0), (11, 1.0)]), films, mask, 5)
    for scored in answer:
        assert scored.reason is Reason.BECAUSE_YOU_LIKED
        assert {movie_id for movie_id, _ in scored.because} <= {10, 12}
        assert sum(share for _, share in scored.because) == pytest.approx(1, abs=1e-3)


def test_a_low_rating_turns_the_list_to_the_other_kind(hybrid: Hybrid) -> None:
    films = hybrid.films()
    mask = ~np.isin(films.movie_ids, [10, 12])
    answer = hybrid.recommend(Viewer.of([(10, 1.0), (12, 1.0)]), films, mask, 5)
    assert {scored.movie_id % 2 for scored in answer} == {1}
    assert {scored.reason for scored in answer} == {Reason.POPULAR}


@pytest.mark.parametrize("part", ["als", "space", "cluster", "few_ratings"])
def test_each_part_moves_scores(hybrid: Hybrid, part: str) -> None:
    films = hybrid.films()
    weights = {"als": 0.5, "space": 0.5, "cluster": 0.5, "few_ratings": 0.5, "popularity": 0.5}
    evidence = hybrid.evidence(Viewer.of([(10, 5.0), (13, 2.0)]), films)
    mask = films.alive
    whole = replace(hybrid, weights=weights).scores(evidence, films, mask)
    without = replace(hybrid, weights=weights | {part: 0.0}).scores(evidence, films, mask)
    assert not np.allclose(whole, without, atol=1e-3)


def test_a_changed_film_keeps_its_factor_and_moves_in_the_space(hybrid: Hybrid) -> None:
    films = hybrid.films()
    film = checkerboard().films[0].model_copy(update={"genres": ("Romance",), "tags": {}})
    vector, _ = hybrid.row(film, hybrid.sums(film.movie_id))
    f = hybrid.factors.f
    assert np.allclose(vector[:f], films.vectors[0, :f])
    assert not np.allclose(vector[f:-2], films.vectors[0, f:-2])


def test_a_new_film_gets_a_factor_like_its_kind(hybrid: Hybrid) -> None:
    films = hybrid.films()
    film = Film(movie_id=900, title="New", year=2010, genres=("Romance",), tags={"letters": 0.9})
    vector, cluster = hybrid.row(film, (0, 0, 0))
    f = hybrid.factors.f
    closeness = films.vectors[:, :f] @ vector[:f]
    assert vector[-1] == 1
    assert closeness[films.movie_ids % 2 == 1].mean() > closeness[films.movie_ids % 2 == 0].mean()
    assert 0 <= cluster < len(hybrid.pipeline.kmeans.centers)


def test_a_film_without_tags_has_them_imputed_not_absent(hybrid: Hybrid) -> None:
    film = Film(movie_id=901, title="New", genres=("Action",))
    row = hybrid.movie_vectors.vector(film)[None]
    joined = hybrid.joined(np.zeros((1, hybrid.factors.f), np.float32), row)
    scaled = hybrid.pipeline.scaler.transform(joined)[0, hybrid.factors.f :]
    assert np.allclose(scaled[hybrid.movie_vectors.blocks["tags"]], 0)
