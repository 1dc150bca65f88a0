"""Search of the history's files for a user."""

from contextlib import suppress
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from marquee.events import RATINGS


def files_about(directory: Path, user_id: int, partition: int) -> list[str]:
    """Return the names of the files that contain a user's id, temporary files included."""
    patterns = (
        f"{RATINGS}-{partition}/*.parquet",
        f"snapshot-*/{RATINGS}-{partition}.parquet",
        f"snapshot-*/marks-{partition}.parquet",
    )
    paths = sorted(path for pattern in patterns for path in directory.glob(pattern))
    return [str(path.relative_to(directory)) for path in paths if _holds(path, user_id)]


def _holds(path: Path, user_id: int) -> bool:
    with suppress(FileNotFoundError):  # compacted meanwhile
        column = pq.read_table(path, columns=["user_id"], partitioning=None)["user_id"]
        return bool(pc.any(pc.equal(column, user_id)).as_py())
    return False
