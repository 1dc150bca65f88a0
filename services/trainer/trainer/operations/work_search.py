"""Search of the work folders of trainings: for copies of the history, and for bundles."""

from collections.abc import Iterator
from pathlib import Path

from marquee.errors import ArtifactError
from marquee.events import RATINGS
from marquee.registry.bundle import read_manifest
from trainer.operations.history_search import files_about

_BUNDLES = ("trainings/*/*/", "airflow/*/models/*/", "airflow/*/evaluated/*/")


def work_about(state: Path, user_id: int, partition: int, offset: int) -> list[str]:
    """Return the names of the work folders under `state` that hold data of an erased user.

    They are those with a copy of the history that names the user, and those with a bundle that was
    trained before the erasure at `offset` of the user's partition.
    """
    copies = state.glob("airflow/*/data/history")
    found = {copy.parents[1] for copy in copies if files_about(copy, user_id, partition)}
    place = f"{RATINGS}:{partition}"
    found |= {bundle for bundle in _bundles(state) if _cut(bundle, place) <= offset}
    return sorted({"/".join(path.relative_to(state).parts[:2]) for path in found})


def _bundles(state: Path) -> Iterator[Path]:
    return (path for pattern in _BUNDLES for path in state.glob(pattern) if path.is_dir())


def _cut(bundle: Path, place: str) -> int:
    """Return up to where a bundle knows a partition, 0 for one that was not finished."""
    try:
        return read_manifest(bundle).cut.get(place, 0)
    except ArtifactError:
        return 0
