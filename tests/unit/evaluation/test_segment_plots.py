"""What is told of the choice of the number of segments: a metric a method and number, a plot."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from marquee.arrays import save_json
from trainer.segments.mlflow_plots import track_segments
from trainer.tracking.mlflow import NoTracking
from user_model.segments.cluster_count import METHODS, choose_cluster_count


class Told(NoTracking):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.curves: dict[int, Mapping[str, float]] = {}
        self.figures: dict[str, float] = {}
        self.files: dict[str, bytes] = {}
        self.models: set[str] = set()

    def epoch(self, name: str, epoch: int, metrics: Mapping[str, float]) -> None:
        self.models.add(name)
        self.curves[epoch] = metrics

    def add_metrics(self, name: str, metrics: Mapping[str, float]) -> None:
        self.models.add(name)
        self.figures |= metrics

    def add_file(self, name: str, path: Path) -> None:
        self.models.add(name)
        self.files[path.name] = path.read_bytes()


def test_curves_votes_and_plots_are_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = np.eye(3)[np.arange(90) % 3] * 9 + rng.normal(size=(90, 3))
    chosen = choose_cluster_count(rows, 0, 4, range(1, 6)).as_json()
    none = choose_cluster_count(rows[:0], 0, 4).as_json()
    about = {"movies": {"choice": chosen}, "users": {"choice": none, "pca_error": 0.5}}
    save_json(tmp_path / "segments.json", about)
    told = Told()
    track_segments(told, "user-model", tmp_path, tmp_path)
    assert set(told.curves) == {1, 2, 3, 4, 5}
    assert set(told.curves[3]) == {f"movies_k/{method}" for method in METHODS}
    assert set(told.curves[1]) == {"movies_k/elbow", "movies_k/gap", "movies_k/bic"}
    assert (told.figures["movies_segments"], told.figures["movies_k_voted/silhouette"]) == (3, 3)
    assert told.figures["segments_pca_error"] == 0.5
    assert told.files["segments-movies.png"].startswith(b"\x89PNG")
    assert told.models == {"user-model"}
    assert list(told.files) == ["segments-movies.png"]


def test_a_model_without_segments_is_passed_over(tmp_path: Path) -> None:
    told = Told()
    track_segments(told, "content", tmp_path, tmp_path)
    assert (told.curves, told.figures, told.files) == ({}, {}, {})
