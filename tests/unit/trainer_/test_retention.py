"""What is kept and what goes: versions, records, work folders, outcomes, and the history's log."""

import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from marquee.domain.movies import Movie
from marquee.errors import NotFound
from marquee.features.dataset import make_dataset
from marquee.registry.bundle import seal
from marquee.registry.registry import Registry
from marquee.settings import Settings
from trainer.history.history import History
from trainer.history.log_segments import RatingRow
from trainer.runs.records import TrainingRecord, TrainingRecords
from trainer.runs.retention import CACHE_DAYS, WORK_DAYS, tidy, versions_to_keep

OLD = ("1", "2", "3", "4", "5", "6", "7")


def nothing_serves(_settings: Settings, _names: Sequence[str]) -> dict[str, str]:
    return {}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state=tmp_path, keep_versions=2)


@pytest.fixture
def add(settings: Settings, tmp_path: Path) -> Callable[[str], str]:
    """Return what adds a version of a model and returns its name."""
    made: list[str] = []

    def add(name: str) -> str:
        bundle = tmp_path / "bundles" / f"{name}-{len(made)}"
        bundle.mkdir(parents=True)
        (bundle / "toy.txt").write_text(str(len(made)))
        # Names tell the second: give each its own, as trainings do.
        manifest = seal(bundle, name, "d").model_copy(
            update={"version": f"20260101T0000{len(made):02d}-00000000"}
        )
        (bundle / "manifest.json").write_text(manifest.model_dump_json())
        made.append(Registry(settings.registry).add(bundle).version)
        return made[-1]

    return add


@pytest.mark.parametrize(
    ("newest", "serving", "asked", "kept"),
    [
        (2, "7", (), {"6", "7"}),
        (3, "7", (), {"5", "6", "7"}),
        (1, "7", (), {"6", "7"}),
        (2, "4", (), {"3", "4", "6", "7"}),
        (2, "1", (), {"1", "6", "7"}),
        (2, "3", ("5", "1"), {"1", "2", "3", "5", "6", "7"}),
        (9, "1", (), set(OLD)),
    ],
)
def test_the_newest_the_serving_and_what_one_goes_back_to_stay(
    newest: int, serving: str, asked: tuple[str, ...], kept: set[str]
) -> None:
    assert versions_to_keep(OLD, newest, serving, asked) == kept


def test_old_versions_go_and_the_list_is_right(
    settings: Settings, add: Callable[[str], str]
) -> None:
    versions = [add("content") for _ in range(6)]
    other = add("hybrid")
    serving = {"content": versions[1], "hybrid": other}
    tidied = tidy(settings, lambda *_: serving)
    registry = Registry(settings.registry)
    assert registry.versions("content") == [*versions[:2], *versions[4:]]
    assert registry.versions("hybrid") == [other]
    assert tidied.versions == {"content": versions[2:4]}
    assert all(registry.manifest("content", left) for left in registry.versions("content"))
    with pytest.raises(NotFound, match="no version"):
        registry.manifest("content", versions[2])
    assert tidy(settings, lambda *_: serving).versions == {}


def test_while_it_is_not_known_what_serves_every_version_stays(
    settings: Settings, add: Callable[[str], str]
) -> None:
    versions = [add("content") for _ in range(6)]
    assert tidy(settings, nothing_serves).versions == {}
    assert tidy(settings, lambda *_: {"hybrid": "1"}).versions == {}
    assert Registry(settings.registry).versions("content") == versions


def test_a_version_that_was_announced_and_the_one_before_stay(
    settings: Settings, add: Callable[[str], str]
) -> None:
    versions = [add("content") for _ in range(7)]
    registry = Registry(settings.registry)
    for version in (versions[6], versions[3], versions[0], versions[0]):
        registry.mark_announced("content", version)
    assert registry.announced("content") == (versions[0], versions[3])
    tidy(settings, lambda *_: {"content": versions[6]})  # the services have not followed yet
    left = [versions[0], versions[3], versions[5], versions[6]]
    assert registry.versions("content") == left


def test_what_a_killed_removal_left_is_no_version_and_goes_later(
    settings: Settings, add: Callable[[str], str]
) -> None:
    version = add("content")
    registry = Registry(settings.registry)
    left = registry.path("content", version).with_name(f".{version}.7")
    registry.path("content", version).rename(left)
    assert registry.versions("content") == []
    registry.sweep()
    assert left.exists()  # who removes it may live


def test_records_beyond_the_newest_go_but_never_the_last_success(settings: Settings) -> None:
    trainings = TrainingRecords(settings.state)
    for i, status in enumerate(("succeeded", "succeeded", "failed", "failed", "failed")):
        record = TrainingRecord.model_validate(
            {"training_id": f"t{i}", "status": status, "reason": "", "started": datetime.now(UTC)}
        )
        trainings.save(record)
    assert trainings.expire(2) == ["t2.json", "t0.json"]
    assert [record.training_id for record in trainings.all()] == ["t4", "t3", "t1"]
    assert trainings.expire(2) == []


@pytest.mark.parametrize(
    ("name", "days"), [("airflow/scheduled", WORK_DAYS), ("evaluation/cache/a.npz", CACHE_DAYS)]
)
def test_what_nobody_has_touched_for_long_goes(settings: Settings, name: str, days: float) -> None:
    old, new = settings.state / name, (settings.state / name).with_name("new")
    for path in (old, new):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("") if path.suffix else path.mkdir()
    then = time.time() - days * 24 * 3600
    os.utime(new, (then + 60, then + 60))
    os.utime(old, (then - 60, then - 60))
    assert tidy(settings, nothing_serves).files == [name]
    assert (old.exists(), new.exists()) == (False, True)


def history_of(settings: Settings, ratings: int) -> History:
    history = History(settings.history, settings.partitions)
    ids = np.arange(1, ratings + 1)
    movies = [Movie(movie_id=1, title="One")]
    ones = np.ones(ratings, np.int64)
    history.import_dataset(make_dataset(ids, ones, ones.astype(np.uint8) * 8, ids, movies))
    return history


def rated(offset: int, kind: str = "added") -> RatingRow:
    return RatingRow(offset, kind, 900 + offset, 1, 8, 0)


def test_few_events_are_left_in_the_log_and_many_go_into_a_snapshot(settings: Settings) -> None:
    history = history_of(settings, 100)
    assert not tidy(settings, nothing_serves).compacted
    history.append("ratings", 0, 0, 4, [rated(i) for i in range(4)])
    assert not tidy(settings, nothing_serves).compacted
    history.append("ratings", 1, 0, 10, [rated(9)])
    before = history.dataset()
    assert tidy(settings, nothing_serves).compacted
    after = history.dataset()
    assert (after[0].version, after[1]) == (before[0].version, before[1])
    assert len(after[0]) == 105
    assert not tidy(settings, nothing_serves).compacted


def test_an_erasure_is_compacted_at_once(settings: Settings) -> None:
    history = history_of(settings, 100)
    history.append("ratings", 0, 0, 1, [RatingRow(0, "erased", 5, 0, 0, 0)])
    assert tidy(settings, nothing_serves).compacted
    (snapshot,) = settings.history.glob("snapshot-*")
    assert snapshot.name == "snapshot-000001"
    assert not list(settings.history.glob("ratings-0/*.parquet"))


def test_old_events_are_compacted_however_few(settings: Settings) -> None:
    history = history_of(settings, 100)
    history.append("ratings", 0, 0, 1, [rated(0)])
    (segment,) = settings.history.glob("ratings-0/*.parquet")
    then = time.time() - 8 * 24 * 3600
    os.utime(segment, (then, then))
    assert tidy(settings, nothing_serves).compacted


def test_a_history_that_cannot_be_compacted_keeps_no_version_from_going(
    settings: Settings, add: Callable[[str], str]
) -> None:
    history = history_of(settings, 100)
    history.append("ratings", 0, 0, 6, [rated(i) for i in range(6)])
    (segment,) = settings.history.glob("ratings-0/*.parquet")
    segment.write_bytes(b"damaged")
    versions = [add("content") for _ in range(4)]
    tidied = tidy(settings, lambda *_: {"content": versions[-1]})
    assert tidied.versions == {"content": versions[:2]}
    assert not tidied.compacted
