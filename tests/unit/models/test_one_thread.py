"""A model does not depend on how many cores there are: its sums are made in one thread."""

from collections.abc import Callable
from typing import Any

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from content.fit import ContentConfig
from content.fit import fit as fit_content
from hybrid.fit import HybridConfig
from hybrid.fit import fit as fit_hybrid
from marquee.features.movie_vector import MovieVectors
from marquee_testing import checkerboard
from marquee_testing.small_fits import SMALL_TASTE
from user_model.fit import UserModelConfig
from user_model.fit import fit as fit_user_model

FITS: list[Callable[[], Any]] = [
    lambda: fit_content(checkerboard(), ContentConfig(taste=SMALL_TASTE), 0),
    lambda: fit_hybrid(checkerboard(), HybridConfig(taste=SMALL_TASTE), 0),
    lambda: fit_user_model(checkerboard(), UserModelConfig(taste=SMALL_TASTE), 0),
]


def threads_seen(monkeypatch: pytest.MonkeyPatch, fit: Callable[[], Any]) -> set[int]:
    """Return how many threads libraries may use where movie vectors are fitted."""
    seen: set[int] = set()
    original = MovieVectors.fit.__func__  # type: ignore[attr-defined]

    def noting(cls: type[MovieVectors], *arguments: Any, **named: Any) -> MovieVectors:
        seen.update(pool["num_threads"] for pool in threadpool_info())
        made: MovieVectors = original(cls, *arguments, **named)
        return made

    monkeypatch.setattr(MovieVectors, "fit", classmethod(noting))
    with threadpool_limits(2):
        assert {pool["num_threads"] for pool in threadpool_info()} == {2}
        fit()
    return seen


@pytest.mark.parametrize("fit", FITS, ids=["content", "hybrid", "user-model"])
def test_movies_are_fitted_in_one_thread(
    monkeypatch: pytest.MonkeyPatch, fit: Callable[[], Any]
) -> None:
    assert threads_seen(monkeypatch, fit) == {1}


@pytest.mark.trainer
def test_the_neural_model_is_fitted_in_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from neural.fit import NeuralConfig, fit
    from neural.training.config import NetworkConfig

    config = NeuralConfig(network=NetworkConfig(epochs=1), content=4, movie_clusters=2)
    assert threads_seen(monkeypatch, lambda: fit(checkerboard(), config, 0)) == {1}
