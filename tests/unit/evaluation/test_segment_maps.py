"""Segments in a report: members on a map, the choice of their number, and who is left out."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from marquee.settings import Settings
from marquee_testing import checkerboard
from marquee_testing.small_fits import SMALL_TASTE
from trainer.report.mlflow_metrics import metrics_of
from trainer.report.model import Report
from trainer.report.plots import plots
from trainer.runs.records import TrainingRecord
from trainer.segments.maps import maps_of, maps_of_record, project
from user_model.fit import UserModelConfig, fit
from user_model.segments.fit import SegmentsConfig
from user_model.segments.model import MIN_USERS


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = UserModelConfig(
        taste=SMALL_TASTE,
        clusters=2,
        segments=SegmentsConfig(movies_k=None, users_k=2, width=4, epochs=20),
    )
    path = tmp_path_factory.mktemp("bundle")
    fit(checkerboard(60, 40), config, 0).save(path)
    return path


def report(**parts: object) -> Report:
    values: dict[str, object] = {
        "data_version": "d", "code_version": "c", "users": 1, "films": 1, "splits": (), "seed": 1,
        "slices": (),
    }  # fmt: skip
    return Report.model_validate(values | parts)


def test_every_movie_and_user_is_on_its_map_in_its_segment(bundle: Path) -> None:
    movies, users = maps_of(bundle)
    assert (movies.kind, users.kind) == ("movies", "users")
    assert sum(len(one.places) for one in movies.markers) == 40
    for one in (*movies.markers, *users.markers):
        assert len(one.places) == one.size
        assert one.name
    assert all(one.size >= MIN_USERS for one in users.markers)
    assert movies.choice["curves"]


def test_maps_and_choices_are_drawn_with_the_names_of_segments(bundle: Path) -> None:
    found = plots(report(segments=maps_of(bundle)))
    assert [title for title in found if title.startswith("Segments of")] == [
        "Segments of films, in the plane of the two largest principal components",
        "Segments of viewers, in the plane of the two largest principal components",
    ]
    drawn = found["Segments of films, in the plane of the two largest principal components"]
    assert maps_of(bundle)[0].markers[0].name.split(",")[0] in drawn
    assert any(title.startswith("Number of segments of films") for title in found)


def test_the_plane_is_that_of_the_largest_variance() -> None:
    plane = project(np.random.default_rng(0).normal(size=(50, 5)) * [9, 4, 1, 1, 1])
    assert plane.shape == (50, 2)
    assert plane[:, 0].var() > plane[:, 1].var() > 4
    assert project(np.ones((3, 1))).shape == (3, 2)


def test_a_training_without_the_model_has_no_maps(bundle: Path, tmp_path: Path) -> None:
    record = TrainingRecord(
        training_id="t", status="succeeded", reason="", started=datetime.now(UTC)
    )
    settings = Settings(state=tmp_path)
    assert maps_of_record(record.versions, record.bundles, settings) == ()
    kept = record.model_copy(update={"bundles": {"user-model": str(bundle)}})
    assert len(maps_of_record(kept.versions, kept.bundles, settings)) == 2
    assert maps_of(tmp_path) == ()


def test_figures_of_a_report_have_names_that_a_tracking_server_takes() -> None:
    interval = {"mean": 0.01, "low": 0.0, "high": 0.02}
    slices = (
        {
            "name": "80 % of 20+",
            "route": "neural",
            "figures": ({
                "name": "EASE of likes and dislikes", "recall_at_20": 0.1, "ndcg_at_10": 0.2,
                "ndcg_at_100": 0.3, "coverage": 0.4,
            },),
            "over_recent": interval,
            "trade_off": ({
                "setting": 0.2, "ndcg_at_10": 0.5, "over_best": interval, "coverage": 0.6,
                "novelty": 1.0, "diversity": 0.7,
            },),
        },
    )  # fmt: skip
    part = {
        "model": "hybrid", "signal": "als", "ndcg_at_10": 0.3, "over_whole": interval, "cases": 1,
    }  # fmt: skip
    found = metrics_of(report(slices=slices, ablation=(part,)))
    key = "slice/80_percent_of_20_and_more"
    assert found[f"{key}/EASE_of_likes_and_dislikes/ndcg_at_10"] == 0.2
    assert found[f"{key}/over_recent_popularity"] == 0.01
    assert found[f"{key}/diversity_0.2/coverage"] == 0.6
    assert found["ablation/hybrid/als"] == 0.01
