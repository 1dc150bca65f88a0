"""Feature pipeline: numpy gives the same as the fitted objects of scikit-learn."""

from pathlib import Path

import numpy as np
import pytest

from marquee.arrays import Matrix, unit
from marquee.features.pipeline import Pipeline
from marquee.training.pipeline import fit_pipeline

WEIGHTS = np.linspace(0.5, 2, 40)


def rows(n: int = 1000, seed: int = 0) -> Matrix:
    generator = np.random.default_rng(seed)
    centers = generator.normal(size=(6, 40)) * 3
    chosen = centers[generator.integers(0, 6, n)] + generator.normal(size=(n, 40))
    return (chosen * np.linspace(0.1, 30, 40) + 5).astype(np.float32)


def test_codes_and_clusters_of_1000_rows_are_those_of_scikit_learn() -> None:
    pipeline, steps = fit_pipeline(rows(), WEIGHTS, 12, 6, seed=1)
    assert steps.reduction is not None
    assert steps.kmeans is not None
    scaled = steps.scaler.transform(rows())
    expected = steps.reduction.transform(scaled.astype(np.float32))
    codes, clusters = pipeline.apply(rows())
    assert np.abs(codes - expected).max() < 1e-5 * np.abs(expected).max()
    assert (clusters == steps.kmeans.predict(codes)).all()


def test_two_batches_are_one_batch() -> None:
    pipeline, _ = fit_pipeline(rows(), WEIGHTS, 12, 6, seed=1)
    codes, clusters = pipeline.apply(rows())
    first, last = pipeline.apply(rows()[:300]), pipeline.apply(rows()[300:])
    assert np.allclose(np.vstack([first[0], last[0]]), codes, atol=1e-4)
    assert np.concatenate([first[1], last[1]]).tolist() == clusters.tolist()


def test_applying_changes_nothing(tmp_path: Path) -> None:
    pipeline, _ = fit_pipeline(rows(), WEIGHTS, 12, 6, seed=1)
    before = pipeline.apply(rows(50, seed=2))[0]
    pipeline.apply(rows(500, seed=3))
    pipeline.save(tmp_path, "films_")
    again = Pipeline.load(tmp_path, "films_")
    assert (again.apply(rows(50, seed=2))[0] == before).all()


def test_a_wider_weight_moves_codes_more() -> None:
    light, _ = fit_pipeline(rows(), np.ones(40), 40, 2, seed=1)
    heavy, _ = fit_pipeline(rows(), np.where(np.arange(40) == 3, 5.0, 1.0), 40, 2, seed=1)
    moved = rows(2)
    moved[1] = moved[0]
    moved[1, 3] += 1
    distance = [np.linalg.norm(np.diff(p.encode(moved), axis=0)) for p in (light, heavy)]
    assert distance[1] == pytest.approx(5 * distance[0], rel=1e-2)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_or_equal_rows_have_codes_and_a_cluster(n: int) -> None:
    for data in (np.ones((n, 40), np.float32), rows(n)):
        pipeline, _ = fit_pipeline(data, WEIGHTS, 12, 6, seed=1)
        codes, clusters = pipeline.apply(rows(20, seed=4))
        assert np.isfinite(codes).all()
        assert (clusters >= 0).all()


def test_a_row_of_zeros_stays_zero_when_made_a_unit() -> None:
    made = unit(np.array([[0, 0], [3, 4]], np.float32))
    assert np.allclose(made, np.array([[0, 0], [0.6, 0.8]]))
