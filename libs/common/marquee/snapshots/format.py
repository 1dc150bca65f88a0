"""Snapshot format: all facts at one position of each partition, in Parquet files.

A snapshot is a folder `snapshot-<number>` that appears complete, by a rename. For each partition p
it contains `ratings-<p>.parquet` (user_id, movie_id, half_stars, time) and `movies-<p>.parquet`
(movie_id, title, year, genres, tags), and where there are any, `fields-<p>.parquet` (the optional
fields of a movie, as JSON), `marks-<p>.parquet` (viewed and dismissed movies),
`watchlist-<p>.parquet` (movies of users' watchlists, which earlier releases do not read),
`rules-<p>.parquet` (events of promotions and blocks in force),
`removed-<p>.parquet` (movies removed from the catalogue), `erased-<p>.parquet` (digests
of erased users' ids with the offsets of the erasures) and `ids-<p>.parquet` (texts of the ids in
all of these that are strings; the other files have their numbers). Rows of one user keep the order
of their last change. `manifest.json` contains the positions up to which the log is included, the
canonical digest of each partition's facts, and checksums.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from marquee.domain.ids import as_given
from marquee.domain.movies import Movie, kept_movie_of
from marquee.errors import DataError
from marquee.snapshots.id_texts import NO_TEXTS, IdTexts

FORMAT = 1
MANIFEST = "manifest.json"

Part = Literal[
    "ratings", "movies", "fields", "marks", "watchlist", "rules", "removed", "erased", "ids"
]
_OPTIONAL = ("fields", "marks", "watchlist", "rules", "removed", "erased", "ids")

_ATTEMPTS = 5
_NAME = re.compile(r"snapshot-(\d{6})")


class SnapshotManifest(BaseModel):
    """Contents of a snapshot; `positions` maps `topic:partition` to the next offset to read."""

    model_config = ConfigDict(frozen=True)

    format: int
    number: int
    partitions: int
    positions: dict[str, int]
    files: dict[str, str]
    """The sha256 of each file."""
    digests: dict[str, str] = {}
    """The canonical digest of each partition's facts, by `topic:partition`."""
    data_version: str
    ratings: int
    films: int
    time: AwareDatetime


@dataclass(frozen=True)
class Snapshot:
    """A snapshot on disk."""

    path: Path
    manifest: SnapshotManifest

    def position(self, topic: str, partition: int) -> int:
        """Return the next offset to read after this snapshot."""
        return self.manifest.positions.get(f"{topic}:{partition}", 0)


def newest_snapshot(directory: Path) -> Snapshot | None:
    """Return the newest snapshot in the history's folder, or None.

    Raises:
        DataError: The snapshot is unreadable.
    """
    for _ in range(_ATTEMPTS):
        path = _newest(directory)
        if path is None:
            return None
        if (path / MANIFEST).exists() or _newest(directory) == path:
            return open_snapshot(path)
    raise DataError(f"{directory}: snapshots come and go faster than they can be read")


def _newest(directory: Path) -> Path | None:
    if not directory.is_dir():
        return None
    names = [path.name for path in directory.iterdir() if _NAME.fullmatch(path.name)]
    return directory / max(names) if names else None


def snapshots_in(directory: Path) -> list[Snapshot]:
    """Return all snapshots in the history's folder, oldest first."""
    snapshots = []
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        if _NAME.fullmatch(path.name):
            with suppress(DataError):  # replaced by a newer one a moment ago
                snapshots.append(open_snapshot(path))
    return snapshots


def open_snapshot(path: Path) -> Snapshot:
    """Open the snapshot in a folder.

    Raises:
        DataError: It is unreadable or of an unknown format.
    """
    try:
        manifest = SnapshotManifest.model_validate_json((path / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(f"{path / MANIFEST}: {error}") from None
    if manifest.format != FORMAT:
        raise DataError(f"{path}: the snapshot has format {manifest.format}, expected {FORMAT}")
    return Snapshot(path, manifest)


def read_partition(snapshot: Snapshot, part: Part, partition: int) -> Any:
    """Return a partition's rows as a pyarrow Table.

    Args:
        snapshot: The snapshot.
        part: The kind of rows.
        partition: Number of the partition.

    Raises:
        DataError: The file differs from the one that was written.
        FileNotFoundError: A newer snapshot has replaced this one meanwhile; read that one.
    """
    import pyarrow.parquet

    name = f"{part}-{partition}.parquet"
    path = snapshot.path / name
    if name not in snapshot.manifest.files:
        if part in _OPTIONAL and 0 <= partition < snapshot.manifest.partitions:
            return pyarrow.Table.from_batches([], schema_of(part))
        raise DataError(f"{path}: the snapshot has no such file")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != snapshot.manifest.files[name]:
        raise DataError(f"{path}: the checksum differs from the manifest's")
    # Reading like this, and creating empty tables like above, does not load pandas: 40 MiB.
    with pyarrow.parquet.ParquetFile(path) as parquet:
        table = parquet.read(use_threads=False)
    if not table.schema.equals(schema_of(part)):
        raise DataError(f"{path}: the columns are not those of {part}")
    return table


def erasures_from_table(table: Any) -> dict[bytes, int]:
    """Return the erasure list of an `erased` table: digest of a user's id → offset."""
    return dict(zip(table["digest"].to_pylist(), table["offset"].to_pylist(), strict=True))


def release_memory() -> None:
    """Return the memory of deleted tables to the system; pyarrow would keep it."""
    import pyarrow

    pyarrow.default_memory_pool().release_unused()


def texts_of(snapshot: Snapshot, partition: int) -> IdTexts:
    """Return the texts of the ids in a partition that are strings."""
    return IdTexts.of_table(read_partition(snapshot, "ids", partition))


def read_movies(snapshot: Snapshot, partition: int, texts: IdTexts = NO_TEXTS) -> Iterator[Movie]:
    """Yield the movies of a partition, with their optional fields, and ids as they were given.

    Raises:
        DataError: A file differs from the one that was written, or the text of an id is missing.
        FileNotFoundError: A newer snapshot has replaced this one meanwhile; read that one.
    """
    table = read_partition(snapshot, "fields", partition)
    numbers, fields = table["movie_id"].to_pylist(), map(json.loads, table["fields"].to_pylist())
    movies = read_partition(snapshot, "movies", partition)
    yield from movies_from_table(movies, texts, dict(zip(numbers, fields, strict=True)))


def movies_from_table(
    table: Any,
    texts: IdTexts = NO_TEXTS,
    fields: Mapping[int, Mapping[str, Any]] | None = None,
) -> Iterator[Movie]:
    """Yield the movies of a `movies` table, with their ids as they were given.

    Args:
        table: The table.
        texts: Texts of ids that are strings.
        fields: Optional fields of the movies that have any, by number.

    Raises:
        DataError: The text of an id is missing.
    """
    columns = [table[name].to_pylist() for name in ("movie_id", "title", "year", "genres", "tags")]
    for movie_id, title, year, genres, tags in zip(*columns, strict=True):
        row = {
            "movie_id": as_given(texts.movie(movie_id)),
            "title": title,
            "year": year,
            "genres": genres,
            "tags": dict(tags),
            **(fields or {}).get(movie_id, {}),
        }
        yield kept_movie_of(row)


@cache
def schema_of(part: Part) -> Any:
    """Return the pyarrow schema of a part's files."""
    import pyarrow as pa

    pair = [("user_id", pa.int64()), ("movie_id", pa.int64())]
    fields = {
        "ratings": [*pair, ("half_stars", pa.uint8()), ("time", pa.int64())],
        "movies": [
            ("movie_id", pa.int64()),
            ("title", pa.string()),
            ("year", pa.int16()),
            ("genres", pa.list_(pa.string())),
            ("tags", pa.map_(pa.string(), pa.float64())),
        ],
        "fields": [("movie_id", pa.int64()), ("fields", pa.string())],
        "marks": [*pair, ("kind", pa.string()), ("time", pa.int64())],
        "watchlist": [*pair, ("time", pa.int64())],
        "rules": [("event", pa.string())],
        "removed": [("movie_id", pa.int64())],
        "erased": [("digest", pa.binary(12)), ("offset", pa.int64())],
        "ids": [("kind", pa.string()), ("number", pa.int64()), ("text", pa.string())],
    }
    return pa.schema(fields[part])
