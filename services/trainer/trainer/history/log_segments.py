"""Segments of the history: Parquet files with the events of a partition between two offsets."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from marquee.domain.ids import string_of
from marquee.domain.ratings import half_stars
from marquee.errors import DataError
from marquee.events import (
    MOVIES,
    RATINGS,
    Event,
    MovieEvent,
    Rating,
    RatingEvent,
    UserMovie,
    decode_kept,
)
from marquee.events.erasure import digest_of_user
from marquee.files import staged, sync
from trainer.facts.fold import KINDS, PairRows, UserEvents

_NAME = re.compile(r"(\d{20})-(\d{20})\.parquet")

SCHEMAS = {
    RATINGS: pa.schema(
        [
            ("offset", pa.int64()),
            ("kind", pa.dictionary(pa.int8(), pa.string())),
            ("user_id", pa.int64()),
            ("movie_id", pa.int64()),
            ("half_stars", pa.uint8()),
            ("time", pa.int64()),
            ("user_text", pa.string()),
            ("movie_text", pa.string()),
        ]
    ),
    MOVIES: pa.schema([("offset", pa.int64()), ("event", pa.string())]),
}
_TEXTS = ("user_text", "movie_text")
"""Columns of the texts of ids that are strings, null for whole numbers.

A segment without any does not have them, like those that were written before there were such ids.
"""
_KIND_OF = {
    "rating.added": "added",
    "rating.removed": "removed",
    "movie.viewed": "viewed",
    "movie.dismissed": "dismissed",
    "movie.restored": "restored",
    "user.erased": "erased",
    "watchlist.added": "listed",
    "watchlist.removed": "unlisted",
}


class RatingRow(NamedTuple):
    """An event of the topic `ratings`; the time in seconds since 1970.

    `movie_id` and `half_stars` are 0 in events that have none. Ids that are strings carry their
    texts (`marquee.domain.ids.GivenId`).
    """

    offset: int
    kind: str
    user_id: int
    movie_id: int
    half_stars: int
    time: int


class MovieRow(NamedTuple):
    """An event of the topic `movies`, as JSON."""

    offset: int
    event: str


def row_of(offset: int, event: Event) -> RatingRow | MovieRow:
    """Convert an event to a row of the history.

    Raises:
        TypeError: The history does not keep the event's topic.
    """
    if isinstance(event, MovieEvent):
        return MovieRow(offset, event.encode().decode())
    if not isinstance(event, RatingEvent):
        raise TypeError(f"the history keeps no {event.type}")
    data = event.data
    return RatingRow(
        offset,
        _KIND_OF[event.type],
        data.user_id,
        data.movie_id if isinstance(data, UserMovie) else 0,
        half_stars(data.rating) if isinstance(data, Rating) else 0,
        int(event.time.timestamp()),
    )


@dataclass(frozen=True)
class Segment:
    """A file with the events of offsets `first` to `next` - 1."""

    path: Path
    first: int
    next: int


def segments_in(folder: Path) -> list[Segment]:
    """List the segments in a folder by first offset; of equal ones the longest first."""
    if not folder.is_dir():
        return []
    names = ((path, _NAME.fullmatch(path.name)) for path in folder.iterdir())
    segments = [Segment(path, int(name[1]), int(name[2])) for path, name in names if name]
    return sorted(segments, key=lambda segment: (segment.first, -segment.next))


def table_of(topic: str, rows: Sequence[RatingRow] | Sequence[MovieRow]) -> Any:
    """Return the pyarrow Table of a topic's rows."""
    schema = SCHEMAS[topic]
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) or [() for _ in schema]
    if topic == RATINGS and rows:
        ids = (columns[RatingRow._fields.index(name)] for name in ("user_id", "movie_id"))
        columns += [[string_of(entity) or None for entity in column] for column in ids]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


def write_segment(folder: Path, first: int, next_offset: int, table: Any) -> None:
    """Write a segment atomically.

    Raises:
        FileExistsError: There is a segment of these offsets.
    """
    path = folder / f"{first:020d}-{next_offset:020d}.parquet"
    texts = [name for name in _TEXTS if name in table.column_names]
    if all(table[name].null_count == len(table) for name in texts):
        table = table.drop_columns(texts)
    with staged(path) as part:
        pq.write_table(table, part, compression="zstd", write_page_checksum=True)
        sync(part)
        os.link(part, path)  # unlike a rename it never replaces what a twin has written
    sync(folder)


def read_segments(segments: Iterable[Segment], topic: str, position: int) -> Any:
    """Read the events from `position` on, each once, as one table in the order of the log.

    Raises:
        DataError: A segment is damaged, or of another topic.
        FileNotFoundError: Another process deleted a segment meanwhile.
    """
    tables = [SCHEMAS[topic].empty_table()]
    for segment in segments:
        table = _read(segment.path, topic)
        tables.append(table.filter(pc.greater_equal(table["offset"], position)))
        position = segment.next
    return pa.concat_tables(tables).unify_dictionaries()


def user_events(table: Any) -> UserEvents:
    """Convert a `ratings` table to arrays."""
    kinds = table["kind"].combine_chunks()
    code_of = np.array([KINDS.index(kind) for kind in kinds.dictionary.to_pylist()], np.uint8)
    codes = code_of[kinds.indices.to_numpy()] if len(kinds) else np.zeros(0, np.uint8)
    rows = PairRows(
        _array(table, "user_id"), _array(table, "movie_id"), codes, _array(table, "time")
    )
    return UserEvents(rows, _array(table, "half_stars"))


def erasures_in(table: Any) -> dict[bytes, int]:
    """Return digest of a user's id → offset of the user's last erasure in a `ratings` table."""
    erasures = table.filter(pc.equal(pc.cast(table["kind"], pa.string()), "erased"))
    pairs = zip(erasures["user_id"].to_pylist(), erasures["offset"].to_pylist(), strict=True)
    return {digest_of_user(user_id): offset for user_id, offset in pairs}


def last_changes(topic: str, table: Any) -> dict[int, int]:
    """Return movie or user → offset of the last event about it, from a table in the log's order."""
    offsets = table["offset"].to_pylist()
    if topic == RATINGS:
        return dict(zip(table["user_id"].to_pylist(), offsets, strict=True))
    events = (decode_kept(text.encode()) for text in table["event"].to_pylist())
    movie_ids = (event.data.movie_id for event in events if isinstance(event, MovieEvent))
    return dict(zip(movie_ids, offsets, strict=True))


def erases(segments: Sequence[Segment], position: int) -> bool:
    """Return whether events of `ratings` from `position` on erase a user."""
    return "erased" in read_segments(segments, RATINGS, position)["kind"].unique().to_pylist()


def _read(path: Path, topic: str) -> Any:
    try:
        table = pq.read_table(path, partitioning=None, page_checksum_verification=True)
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: the segment is damaged: {error}") from None
    if topic == RATINGS and not set(_TEXTS) & set(table.column_names):
        for name in _TEXTS:
            table = table.append_column(name, pa.nulls(len(table), pa.string()))
    if not table.schema.equals(SCHEMAS[topic]):
        raise DataError(f"{path}: not a segment of the topic {topic}")
    return table


def _array(table: Any, name: str) -> Any:
    return table[name].to_numpy()
