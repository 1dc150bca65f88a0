"""Snapshots of the facts: written atomically, and read back as facts."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from marquee.domain.movies import Movie
from marquee.errors import Conflict
from marquee.events import MOVIES, RATINGS, MovieEvent, decode_kept
from marquee.events.partitioning import partition_of, partitions_of
from marquee.files import staged, sync
from marquee.snapshots.format import (
    FORMAT,
    MANIFEST,
    Part,
    Snapshot,
    SnapshotManifest,
    erasures_from_table,
    open_snapshot,
    read_movies,
    read_partition,
    schema_of,
    texts_of,
)
from marquee.snapshots.id_texts import NO_TEXTS, IdTexts
from trainer.facts.catalogue import BLOCK, PROMOTION, FoldedCatalogue
from trainer.facts.fold import KINDS, LISTED, Facts, PairRows, PartitionFacts


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
        files: dict[str, str] = {}
        digests: dict[str, str] = {}
        for p, of_partition in enumerate(_split(facts, partitions)):
            files |= _write_tables(part, p, of_partition)
            digests |= _digests(of_partition, p)
        manifest = SnapshotManifest(
            format=FORMAT,
            number=number,
            partitions=partitions,
            positions=positions,
            files=files,
            digests=digests,
            data_version=data_version,
            ratings=len(facts.ratings),
            films=len(facts.movies),
            time=datetime.now(UTC),
        )
        _write_manifest(part, manifest)
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
    watchlist = read_partition(snapshot, "watchlist", partition)
    listed = _rows(watchlist, np.full(len(watchlist), LISTED, np.uint8))
    return (
        _rows(ratings, ratings["half_stars"].to_numpy()),
        PairRows.joined([_rows(marks, np.array(codes, np.uint8)), listed]),
    )


def base_erased(snapshot: Snapshot | None, partition: int) -> dict[bytes, int]:
    """Return the erasure list of a partition of a snapshot."""
    return (
        {}
        if snapshot is None
        else erasures_from_table(read_partition(snapshot, "erased", partition))
    )


def base_texts(snapshot: Snapshot | None, partition: int) -> IdTexts:
    """Return the texts of the ids in a partition of a snapshot."""
    return NO_TEXTS if snapshot is None else texts_of(snapshot, partition)


def base_catalogue(snapshot: Snapshot | None, partitions: Iterable[int]) -> FoldedCatalogue:
    """Return the movies and the rules of some partitions of a snapshot."""
    catalogue = FoldedCatalogue()
    if snapshot is None:
        return catalogue
    for p in partitions:
        texts = texts_of(snapshot, p)
        for movie in read_movies(snapshot, p, texts):
            catalogue.movies[movie.movie_id] = movie
        for text in read_partition(snapshot, "rules", p)["event"].to_pylist():
            event = decode_kept(text.encode())
            assert isinstance(event, MovieEvent)
            kind = PROMOTION if event.type == "movie.promoted" else BLOCK
            catalogue.rules[event.data.movie_id, kind] = text
        removed = read_partition(snapshot, "removed", p)["movie_id"].to_pylist()
        catalogue.removed.update(map(texts.movie, removed))
    return catalogue


def _rows(table: Any, codes: Any) -> PairRows:
    user_ids, movie_ids, times = (
        table[name].to_numpy() for name in ("user_id", "movie_id", "time")
    )
    return PairRows(user_ids, movie_ids, codes, times)


def _split(facts: Facts, partitions: int) -> Iterator[PartitionFacts]:
    """Yield the facts of each partition, of movies and of users."""
    of_ratings = partitions_of(facts.ratings.user_ids, partitions)
    of_marks = partitions_of(facts.marks.user_ids, partitions)
    catalogue = facts.catalogue
    for p in range(partitions):
        ratings, marks = facts.ratings.take(of_ratings == p), facts.marks.take(of_marks == p)
        own = FoldedCatalogue(
            {i: movie for i, movie in facts.movies.items() if _belongs(i, p, partitions)},
            {r: text for r, text in catalogue.rules.items() if _belongs(r[0], p, partitions)},
            {i for i in catalogue.removed if _belongs(i, p, partitions)},
        )
        users = {i: text for i, text in facts.texts.users.items() if _belongs(i, p, partitions)}
        # No others: they may tell what an erased user did.
        movies = facts.texts.movies_in(ratings.movie_ids, marks.movie_ids)
        yield PartitionFacts(
            0,
            ratings=ratings,
            marks=marks,
            catalogue=own,
            erased=facts.erased.get(p, {}),
            texts=IdTexts(users, movies),
        )


def _tables(facts: PartitionFacts) -> Iterator[tuple[Part, Any]]:
    """Yield the table of each part of a partition."""
    catalogue = facts.catalogue
    yield "ratings", _ratings_table(facts.ratings)
    movies = sorted(catalogue.movies.values(), key=lambda movie: movie.movie_id)
    yield "movies", _movies_table(movies)
    if fields := {int(m.movie_id): f for m in movies if (f := m.present_fields())}:
        yield "fields", _table("fields", [list(fields), list(map(_json, fields.values()))])
    is_listed = facts.marks.codes == LISTED
    if len(marks := facts.marks.take(~is_listed)):
        yield "marks", _marks_table(marks)
    if len(listed := facts.marks.take(is_listed)):
        yield "watchlist", _watchlist_table(listed)
    if catalogue.rules:
        yield "rules", _table("rules", [[text for _, text in sorted(catalogue.rules.items())]])
    if catalogue.removed:
        yield "removed", _table("removed", [sorted(catalogue.removed)])
    if facts.erased:
        yield "erased", _table("erased", [list(facts.erased), list(facts.erased.values())])
    if texts := IdTexts(facts.texts.users, {**facts.texts.movies, **catalogue.texts}):
        yield "ids", _table("ids", texts.columns())


def _digests(facts: PartitionFacts, partition: int) -> dict[str, str]:
    """Return the canonical digests of a partition's facts, by `topic:partition`."""
    # Imported here: it loads the client of the store, which readers of the history do not need.
    from trainer.facts.restored import digest

    users = replace(facts, catalogue=FoldedCatalogue())
    return {
        f"{MOVIES}:{partition}": digest(MOVIES, PartitionFacts(0, catalogue=facts.catalogue)),
        f"{RATINGS}:{partition}": digest(RATINGS, users),
    }


def _belongs(movie_id: int, partition: int, partitions: int) -> bool:
    return partition_of(movie_id, partitions) == partition


def _ratings_table(rows: PairRows) -> Any:
    rows = rows.by_user()
    return _table("ratings", [rows.user_ids, rows.movie_ids, rows.codes, rows.times])


def _marks_table(rows: PairRows) -> Any:
    rows = rows.by_user()
    kinds = np.array(KINDS)[rows.codes].tolist()
    return _table("marks", [rows.user_ids, rows.movie_ids, kinds, rows.times])


def _watchlist_table(rows: PairRows) -> Any:
    rows = rows.by_user()
    return _table("watchlist", [rows.user_ids, rows.movie_ids, rows.times])


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


def _json(fields: dict[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False)


def _table(part: Part, columns: list[Any]) -> Any:
    schema = schema_of(part)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


def _write_tables(folder: Path, partition: int, facts: PartitionFacts) -> dict[str, str]:
    """Write the tables of a partition onto the disk; return the sha256 of each file by its name."""
    named = ((f"{part}-{partition}.parquet", table) for part, table in _tables(facts))
    return {name: _write(folder / name, table) for name, table in named}


def _write_manifest(folder: Path, manifest: SnapshotManifest) -> None:
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")
    sync(folder / MANIFEST)
    sync(folder)


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
