"""Limits that large data needs, tiny here on small data: models still learn preferences."""

from typing import Any

import numpy as np
import pytest

from content.fit import ContentConfig
from content.fit import fit as fit_content
from hybrid.fit import HybridConfig
from hybrid.fit import fit as fit_hybrid
from marquee.domain.recommendation import UserHistory
from marquee.features.dataset import Dataset
from marquee.features.interactions import RatingRows, draw_fold_ins
from marquee.features.popularity import Popularity
from marquee.training.scorers.als import AlsConfig, fit_als
from marquee.training.scorers.autoencoder import AutoencoderConfig
from marquee.training.scorers.linear_autoencoder import LinearAutoencoderConfig
from marquee.training.scorers.preference import PreferenceConfig
from marquee.training.validation_cases import sample_fold_ins
from marquee_testing import checkerboard
from user_model.fit import UserModelConfig
from user_model.fit import fit as fit_user_model
from user_model.segments.fit import SegmentsConfig

HEAD = LinearAutoencoderConfig(head=14, kept=8, max_users=25)
TASTE = PreferenceConfig(
    autoencoder=AutoencoderConfig(
        width=8, max_steps=120, head=16, batch_size=8, learning_rate=0.02, epochs=100,
        seen_share=0.3, condensed=6,
    ),
    factors=AlsConfig(factors=4, iterations=5, max_users=25, regularization=1.0),
    regularizations=(), few_ratings=HEAD, others=(), sizes=(2, 3), max_cases=20,
)  # fmt: skip
HYBRID = HybridConfig(taste=TASTE, dimensions=6, clusters=4, new_movie_penalty=1.0, max_cases=20)
CONTENT = ContentConfig(taste=TASTE, dimensions=6, clusters=4, max_cases=20)
USER_MODEL = UserModelConfig(
    taste=TASTE, clusters=4, max_cases=20, sizes=(2, 3), segments=SegmentsConfig(max_users=25)
)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return checkerboard(users=80)


@pytest.mark.parametrize(
    ("fit", "config"),
    [(fit_content, CONTENT), (fit_hybrid, HYBRID), (fit_user_model, USER_MODEL)],
    ids=["content", "hybrid", "user-model"],
)
def test_a_model_under_tiny_caps_ranks_well_above_popularity(
    dataset: Dataset, fit: Any, config: Any
) -> None:
    model = fit(dataset, config, 0)
    found = [share_of_kind(model, liked) for liked in ((10, 14, 16), (11, 13, 17), (12, 20, 22))]
    popular = [share_of_popular(dataset, liked) for liked in ((10, 14, 16), (11, 13, 17))]
    assert np.mean(found) >= np.mean(popular) + 0.3


def share_of_kind(model: Any, liked: tuple[int, ...]) -> float:
    """Return the share of movies of the liked ones' kind in a list of five."""
    movies = model.movies()
    user = UserHistory.of([(movie_id, 5.0) for movie_id in liked], viewed=liked)
    answer = model.recommend(user, movies, ~np.isin(movies.movie_ids, liked), 5)
    return float(np.mean([scored.movie_id % 2 == liked[0] % 2 for scored in answer]))


def share_of_popular(dataset: Dataset, liked: tuple[int, ...]) -> float:
    ids = np.array([movie.movie_id for movie in dataset.movies])
    sums = RatingRows.of(dataset).sums(len(ids))
    rows = Popularity(sums).order(ids, ~np.isin(ids, liked), 5)
    return float(np.mean(ids[rows] % 2 == liked[0] % 2))


def test_factors_of_a_sample_are_made_final_by_all_users(dataset: Dataset) -> None:
    rows = RatingRows.of(dataset)
    sampled = fit_als(rows, 24, TASTE.factors, 0)
    codes = sampled.items / np.linalg.norm(sampled.items, axis=1, keepdims=True)
    cosines = codes @ codes[0]
    assert cosines[::2].mean() > cosines[1::2].mean() + 0.1


def test_a_sample_of_cases_keeps_their_order(dataset: Dataset) -> None:
    cases = draw_fold_ins(RatingRows.of(dataset), np.arange(80), (2,), 1, 0)
    sample = sample_fold_ins(cases, 10, 0)
    assert len(sample) == 10
    assert [cases.index(case) for case in sample] == sorted(cases.index(case) for case in sample)
    assert sample_fold_ins(cases, len(cases), 0) == cases


def test_segments_of_a_sample_hold_all_users(dataset: Dataset) -> None:
    segments = fit_user_model(dataset, USER_MODEL, 0).segments
    assert segments is not None
    assert (segments.of_users >= 0).sum() > 25
    assert len(segments.codes) == 80
