"""Snapshots of the facts: written atomically, and read back as facts."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from marquee.domain.movies import Movie
from marquee.errors import Conflict
from marquee.events import MOVIES, RATINGS, decode
from marquee.events.partitioning import partition_of, partitions_of
from marquee.files import staged, sync
from marquee.snapshots.format import (
    FORMAT,
    MANIFEST,
    Part,
    Snapshot,
    SnapshotManifest,
    erasures_from_table,
    movies_from_table,
    open_snapshot,
    read_partition,
    schema_of,
)
from trainer.facts.fold import (
    BLOCK,
    KINDS,
    PROMOTION,
    Facts,
    FoldedCatalogue,
    PairRows,
    PartitionFacts,
)


def write_snapshot(
    directory: Path,
    number: int,
    facts: Facts,
    partitions: int,
    positions: dict[str, int],
    data_version: str,
) -> Snapshot:
    """Write facts as a snapshot.

    Args:
        directory: Folder of the history.
        number: Number of the snapshot.
        facts: The facts of all partitions.
        partitions: Partitions of each topic.
        positions: The position of each partition, by `topic:partition`.
        data_version: Version of the data set that the facts make.

    Returns:
        The snapshot, which is on the disk.

    Raises:
        Conflict: There is a snapshot of that number.
    """
    path = directory / f"snapshot-{number:06d}"
    with staged(path) as part:
        part.mkdir()
        files = {name: _write(part / name, table) for name, table in _tables(facts, partitions)}
        manifest = SnapshotManifest(
            format=FORMAT,
            number=number,
            partitions=partitions,
            positions=positions,
            files=files,
            digests=_digests(facts, partitions),
            data_version=data_version,
            ratings=len(facts.ratings),
            films=len(facts.movies),
            time=datetime.now(UTC),
        )
        (part / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")
        sync(part / MANIFEST)
        sync(part)
        _rename(part, path)
    sync(directory)
    return open_snapshot(path)


def base_rows(snapshot: Snapshot | None, partition: int) -> tuple[PairRows, PairRows]:
    """Return the ratings and the marks of a partition of a snapshot."""
    if snapshot is None:
        return PairRows(), PairRows()
    ratings = read_partition(snapshot, "ratings", partition)
    marks = read_partition(snapshot, "marks", partition)
    codes = [KINDS.index(kind) for kind in marks["kind"].to_pylist()]
    return (
        _rows(ratings, ratings["half_stars"].to_numpy()),
        _rows(marks, np.array(codes, np.uint8)),
    )


def base_erased(snapshot: Snapshot | None, partition: int) -> dict[bytes, int]:
    """Return the erasure list of a partition of a snapshot."""
    return (
        {}
        if snapshot is None
        else erasures_from_table(read_partition(snapshot, "erased", partition))
    )


def base_catalogue(snapshot: Snapshot | None, partitions: Iterable[int]) -> FoldedCatalogue:
    """Return the movies and the rules of some partitions of a snapshot."""
    catalogue = FoldedCatalogue()
    if snapshot is None:
        return catalogue
    for p in partitions:
        for movie in movies_from_table(read_partition(snapshot, "movies", p)):
            catalogue.movies[movie.movie_id] = movie
        for text in read_partition(snapshot, "rules", p)["event"].to_pylist():
            event = decode(text.encode())
            kind = PROMOTION if event.type == "movie.promoted" else BLOCK
            catalogue.rules[int(event.key), kind] = text
        catalogue.removed.update(read_partition(snapshot, "removed", p)["movie_id"].to_pylist())
    return catalogue


def _rows(table: Any, codes: Any) -> PairRows:
    user_ids, movie_ids, times = (
        table[name].to_numpy() for name in ("user_id", "movie_id", "time")
    )
    return PairRows(user_ids, movie_ids, codes, times)


def _tables(facts: Facts, partitions: int) -> Iterator[tuple[str, Any]]:
    """Yield the name and the table of each file."""
    of_ratings = partitions_of(facts.ratings.user_ids, partitions)
    of_marks = partitions_of(facts.marks.user_ids, partitions)
    for p in range(partitions):
        yield f"ratings-{p}.parquet", _ratings_table(facts.ratings.take(of_ratings == p))
        movies = [
            movie for movie in facts.movies.values() if _belongs(movie.movie_id, p, partitions)
        ]
        yield f"movies-{p}.parquet", _movies_table(sorted(movies, key=lambda movie: movie.movie_id))
        marks = facts.marks.take(of_marks == p)
        if len(marks):
            yield f"marks-{p}.parquet", _marks_table(marks)
        rules = [
            text
            for (movie, _), text in sorted(facts.catalogue.rules.items())
            if _belongs(movie, p, partitions)
        ]
        if rules:
            yield f"rules-{p}.parquet", _table("rules", [rules])
        removed = [movie for movie in facts.catalogue.removed if _belongs(movie, p, partitions)]
        if removed:
            yield f"removed-{p}.parquet", _table("removed", [sorted(removed)])
        if erased := facts.erased.get(p):
            yield f"erased-{p}.parquet", _table("erased", [list(erased), list(erased.values())])


def _digests(facts: Facts, partitions: int) -> dict[str, str]:
    """Return the canonical digest of each partition's facts, by `topic:partition`."""
    # Imported here: it loads the client of the store, which readers of the history do not need.
    from trainer.facts.restored import digest

    of_ratings = partitions_of(facts.ratings.user_ids, partitions)
    of_marks = partitions_of(facts.marks.user_ids, partitions)
    digests: dict[str, str] = {}
    for p in range(partitions):
        catalogue = FoldedCatalogue(
            {i: movie for i, movie in facts.movies.items() if _belongs(i, p, partitions)},
            {r: text for r, text in facts.catalogue.rules.items() if _belongs(r[0], p, partitions)},
        )
        digests[f"{MOVIES}:{p}"] = digest(MOVIES, PartitionFacts(0, catalogue=catalogue))
        rows = facts.ratings.take(of_ratings == p), facts.marks.take(of_marks == p)
        digests[f"{RATINGS}:{p}"] = digest(
            RATINGS,
            PartitionFacts(0, ratings=rows[0], marks=rows[1], erased=facts.erased.get(p, {})),
        )
    return digests


def _belongs(movie_id: int, partition: int, partitions: int) -> bool:
    return partition_of(movie_id, partitions) == partition


def _ratings_table(rows: PairRows) -> Any:
    rows = rows.by_user()
    return _table("ratings", [rows.user_ids, rows.movie_ids, rows.codes, rows.times])


def _marks_table(rows: PairRows) -> Any:
    rows = rows.by_user()
    kinds = np.array(KINDS)[rows.codes].tolist()
    return _table("marks", [rows.user_ids, rows.movie_ids, kinds, rows.times])


def _movies_table(movies: list[Movie]) -> Any:
    return _table(
        "movies",
        [
            [movie.movie_id for movie in movies],
            [movie.title for movie in movies],
            [movie.year for movie in movies],
            [movie.genres for movie in movies],
            [list(movie.tags.items()) for movie in movies],
        ],
    )


def _table(part: Part, columns: list[Any]) -> Any:
    schema = schema_of(part)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


def _write(path: Path, table: Any) -> str:
    """Write a file onto the disk; return its sha256."""
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)
    sync(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _rename(part: Path, path: Path) -> None:
    try:
        part.rename(path)
    except OSError as error:  # a folder that is not empty is not replaced
        raise Conflict(f"{path}: {error.strerror}") from None
