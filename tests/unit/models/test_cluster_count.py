"""The number of clusters: every method finds a known one, and noise has none."""

import numpy as np
import pytest

from user_model.segments.cluster_count import METHODS, choose_cluster_count, curves, stability

GRID = tuple(range(1, 11))
BLOBS = (3, 5, 7)


def blobs(k: int, n: int = 300) -> np.ndarray:
    """Return n rows around k centres that are 12 standard deviations apart on each axis."""
    rng = np.random.default_rng(k)
    centers = np.eye(k) * 12
    return centers[np.arange(n) % k] + rng.normal(size=(n, k))


@pytest.mark.parametrize("k", BLOBS)
def test_each_method_finds_the_number_of_separate_blobs(k: int) -> None:
    rows = blobs(k)
    values, error = curves(rows, GRID, 0)
    assert {name: vote(GRID, values, error) for name, vote in METHODS.items()} == dict.fromkeys(
        METHODS, k
    )


def test_separate_blobs_are_chosen_with_all_votes() -> None:
    choice = choose_cluster_count(blobs(4), 0, 2, GRID)
    assert (choice.k, choice.structure) == (4, True)
    assert choice.reason == f"{len(METHODS)} of {len(METHODS)} methods, stability 1.00"


@pytest.mark.parametrize("shape", ["uniform", "normal"])
@pytest.mark.parametrize(("seed", "d"), [(0, 4), (1, 4), (1, 2), (2, 2)])
def test_noise_has_no_structure(shape: str, seed: int, d: int) -> None:
    choice = choose_cluster_count(
        getattr(np.random.default_rng(seed), shape)(size=(300, d)), seed, 4, GRID
    )
    assert (choice.k, choice.structure) == (4, False)
    assert choice.reason.startswith("no structure")


def test_a_cluster_more_than_there_are_is_less_stable() -> None:
    assert stability(blobs(4), 4, 0) == 1.0
    assert stability(blobs(4), 6, 0) < 0.9


@pytest.mark.parametrize("rows", [np.zeros((0, 3)), np.ones((1, 3)), np.ones((50, 3))])
def test_too_few_different_rows_are_one_cluster_at_most(rows: np.ndarray) -> None:
    choice = choose_cluster_count(rows, 0, 4)
    assert (choice.k, choice.structure) == (1, False)
    assert "too few" in choice.reason


def test_a_choice_is_the_same_twice() -> None:
    assert choose_cluster_count(blobs(3), 5, 2, GRID) == choose_cluster_count(blobs(3), 5, 2, GRID)
