"""Search of the history's files for a user: for the number of the id, and for its text."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from marquee.events import RATINGS
from marquee.snapshots.id_texts import USER


def files_about(directory: Path, user_id: int, partition: int) -> list[str]:
    """Return the names of the files that contain a user's id, temporary files included."""
    patterns = (
        f"{RATINGS}-{partition}/*.parquet",
        f"snapshot-*/{RATINGS}-{partition}.parquet",
        f"snapshot-*/marks-{partition}.parquet",
        f"snapshot-*/watchlist-{partition}.parquet",
        f"snapshot-*/ids-{partition}.parquet",
    )
    paths = sorted(path for pattern in patterns for path in directory.glob(pattern))
    return [str(path.relative_to(directory)) for path in paths if _holds(path, user_id)]


def _holds(path: Path, user_id: int) -> bool:
    with suppress(FileNotFoundError):  # compacted meanwhile
        return bool(pc.any(pc.equal(_users(path), int(user_id))).as_py())
    return False


def _users(path: Path) -> Any:
    """Return the numbers of the users in a file: of facts, of events, or of texts of ids."""
    if not path.name.startswith("ids-"):
        return pq.read_table(path, columns=["user_id"], partitioning=None)["user_id"]
    table = pq.read_table(path, columns=["kind", "number"], partitioning=None)
    return table.filter(pc.equal(table["kind"], USER))["number"]
