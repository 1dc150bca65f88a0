"""The receipt of an erasure looks into the work folders of trainings, too."""

from pathlib import Path

import pytest

from marquee.events.partitioning import partition_of
from marquee.registry.bundle import seal
from marquee_testing import checkerboard
from trainer.history.history import History
from trainer.operations.work_search import work_about

PARTITIONS, USER, ERASED_AT = 4, 3, 100
PLACE = partition_of(USER, PARTITIONS)


def found(state: Path, user_id: int = USER) -> list[str]:
    return work_about(state, user_id, partition_of(user_id, PARTITIONS), ERASED_AT)


def bundle(folder: Path, cut: int) -> None:
    folder.mkdir(parents=True)
    (folder / "model.txt").write_text("weights")
    seal(folder, folder.name, "d" * 64, cut={f"ratings:{PLACE}": cut})


def test_a_state_without_work_folders_holds_nothing(tmp_path: Path) -> None:
    assert found(tmp_path) == []


def test_a_copy_of_the_history_that_names_the_user_is_found(tmp_path: Path) -> None:
    History(tmp_path / "airflow" / "run-1" / "data" / "history", PARTITIONS).import_dataset(
        checkerboard()
    )
    assert found(tmp_path) == ["airflow/run-1"]
    assert found(tmp_path, user_id=987_654) == []


@pytest.mark.parametrize("place", ["trainings/t1", "airflow/t1/models", "airflow/t1/evaluated"])
def test_a_bundle_from_before_the_erasure_is_found(tmp_path: Path, place: str) -> None:
    bundle(tmp_path / place / "hybrid", ERASED_AT)
    assert found(tmp_path) == ["/".join(place.split("/")[:2])]


def test_a_bundle_from_after_the_erasure_is_none_of_the_users(tmp_path: Path) -> None:
    bundle(tmp_path / "trainings" / "t1" / "hybrid", ERASED_AT + 1)
    assert found(tmp_path) == []


def test_a_bundle_that_was_not_finished_counts_as_one_from_before(tmp_path: Path) -> None:
    (tmp_path / "trainings" / "t1" / ".hybrid.part").mkdir(parents=True)
    assert found(tmp_path) == ["trainings/t1"]
