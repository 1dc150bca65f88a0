"""The trend in bundles of the models that few ratings suffice for; older bundles have none."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from content.fit import ContentConfig
from content.fit import fit as fit_content
from hybrid.fit import HybridConfig
from hybrid.fit import fit as fit_hybrid
from marquee.domain.recommendation import Scored, UserHistory
from marquee.features.popularity import Popularity
from marquee.scoring.scorers.als import AlsFactors
from marquee.scoring.scorers.preference import NoImputation
from marquee_testing.datasets import checkerboard, fashions
from marquee_testing.small_fits import SMALL_TASTE
from user_model.fit import UserModelConfig
from user_model.fit import fit as fit_user_model

SMALL_USER_MODEL = UserModelConfig(taste=SMALL_TASTE, clusters=2, near=10, segments=None)
FITS: Mapping[str, Callable[..., Any]] = {
    "content": lambda data: fit_content(data, ContentConfig(taste=SMALL_TASTE), 0),
    "hybrid": lambda data: fit_hybrid(data, HybridConfig(taste=SMALL_TASTE), 0),
    "user-model": lambda data: fit_user_model(data, SMALL_USER_MODEL, 0),
}
USER = UserHistory.of([(10, 5.0), (12, 4.5), (13, 2.0), (14, 5.0), (16, 4.0)])


@pytest.fixture(scope="module", params=FITS)
def model(request: pytest.FixtureRequest) -> Any:
    return FITS[request.param](fashions())


def recommended(model: Any, popularity: Popularity | None = None) -> list[Scored]:
    movies = model.movies()
    mask = ~np.isin(movies.movie_ids, USER.rated.movie_ids)
    answer: list[Scored] = model.recommend(USER, movies, mask, 100, popularity)
    return answer


def rising(model: Any, movie_id: int) -> Popularity:
    """Return the popularity of the training, but for a movie that all have liked of late."""
    decayed = np.zeros(len(model.base_sums))
    decayed[model.base.index(movie_id)] = 100.0
    return Popularity(model.base_sums, decayed)


def test_a_saved_model_has_the_trend_of_its_training(model: Any, tmp_path: Path) -> None:
    model.save(tmp_path)
    again = type(model).load(tmp_path)
    assert again.half_life == model.half_life is not None
    assert again.trend.base.tolist() == model.trend.base.tolist()
    assert recommended(again) == recommended(model)
    worst = recommended(again)[-1].movie_id
    popularity = rising(again, worst)
    assert recommended(again, popularity)[-1].movie_id != worst
    assert recommended(again, popularity) == recommended(model, popularity)


def test_a_bundle_without_a_trend_is_served_though_its_weights_name_one(
    model: Any, tmp_path: Path
) -> None:
    model.save(tmp_path)
    (tmp_path / "trend.npz").unlink()
    again = type(model).load(tmp_path)
    assert again.half_life is again.trend is None
    answer = recommended(again)
    assert answer == recommended(replace(model, trend=None)) != recommended(model)
    assert np.isfinite([scored.score for scored in answer]).all()
    assert recommended(again, rising(again, answer[-1].movie_id)) == answer


@pytest.mark.parametrize("name", FITS)
def test_data_without_usable_times_make_a_bundle_without_a_trend(name: str, tmp_path: Path) -> None:
    model = FITS[name](checkerboard())
    assert model.half_life is None
    model.save(tmp_path)
    assert not (tmp_path / "trend.npz").exists()
    assert recommended(type(model).load(tmp_path)) == recommended(model)


def test_factors_are_read_where_there_are_any(tmp_path: Path) -> None:
    assert AlsFactors.load_if_any(tmp_path) is None
    items, gram = np.array([[1, 2], [3, 4]], np.float32), np.array([[2.0, 1.0], [1.0, 3.0]])
    AlsFactors(items, gram, 5.0, 2.0, 2 * gram, 0.3).save(tmp_path)
    factors = AlsFactors.load_if_any(tmp_path)
    assert factors is not None
    assert factors.items.tolist() == items.tolist()
    assert (factors.gram.tolist(), factors.users.tolist()) == (gram.tolist(), (2 * gram).tolist())
    assert (factors.liked, factors.other, factors.trust, factors.f) == (5.0, 2.0, 0.3, 2)


def test_first_ratings_have_an_autoencoder_of_their_own_where_times_tell_them(
    model: Any, tmp_path: Path
) -> None:
    preference = model.preference
    assert preference.first is not None
    rated, stars = np.array([0, 2, 3]), np.array([10, 9, 3])
    rows = model.base.vectors
    first = preference.signals(rated, stars, rows, NoImputation())["first"]
    without = replace(preference, first=None)
    assert "first" not in without.signals(rated, stars, rows, NoImputation())
    model.save(tmp_path)
    again = type(model).load(tmp_path).preference
    assert again.signals(rated, stars, rows, NoImputation())["first"].tolist() == first.tolist()
    assert np.ptp(first) > 0.1


@pytest.mark.parametrize("name", FITS)
def test_without_usable_times_there_is_no_autoencoder_of_first_ratings(name: str) -> None:
    assert FITS[name](checkerboard()).preference.first is None
