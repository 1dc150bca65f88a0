"""The trainer's history on disk: a snapshot of the facts, and the events since, each exactly once.

Events of a partition lie in segments `<topic>-<p>/<first>-<next>.parquet`, each written whole or
not at all, and each beginning where the one before ends. So the position reached is what the newest
segment says: no event is lost or taken twice, whatever dies when. Small segments are merged; a
segment whose events are all in another, or in the snapshot, counts no more.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import pyarrow.compute as pc

from marquee.errors import Conflict, DataError
from marquee.events import MOVIES, RATINGS
from marquee.features.dataset import Dataset
from marquee.files import delete_stale
from marquee.snapshots.format import Snapshot, newest_snapshot
from trainer.facts.fold import Facts, PairRows, PartitionFacts, fold_users
from trainer.history.log_segments import (
    SCHEMAS,
    MovieRow,
    RatingRow,
    Segment,
    erases,
    erasures_in,
    last_changes,
    read_segments,
    segments_in,
    table_of,
    user_events,
    write_segment,
)
from trainer.history.snapshots import base_catalogue, base_erased, base_rows, write_snapshot

_SMALL = 50_000
_MERGE = 32
_ATTEMPTS = 5
_MANY = 0.05
"""Events since the snapshot, as a share of its ratings, from which on it is written anew."""
_OLD_S = 7 * 24 * 3600.0

T = TypeVar("T")


class _Gap(DataError):
    """Offsets are missing between two segments."""


class History:
    """The history in a folder, for a fixed number of partitions of each topic.

    One process appends to a partition; others may read, and compact, at the same time.
    """

    def __init__(self, directory: Path, partitions: int) -> None:
        self._directory = directory
        self._partitions = partitions

    @property
    def directory(self) -> Path:
        """The folder."""
        return self._directory

    @property
    def partitions(self) -> int:
        """Partitions of each topic."""
        return self._partitions

    def import_dataset(self, dataset: Dataset) -> Snapshot:
        """Write snapshot 0. Conflict: the history holds something already."""
        held = newest_snapshot(self._directory) is not None or any(self.cut().values())
        if held:
            raise Conflict(f"{self._directory}: the history is not empty; import into an empty one")
        positions = dict.fromkeys(self.cut(), 0)
        return write_snapshot(
            self._directory, 0, Facts.of(dataset), self._partitions, positions, dataset.version
        )

    def position(self, topic: str, partition: int) -> int:
        """Return the next offset that the history needs."""
        return self._undisturbed(lambda: self._chain(self._snapshot(), topic, partition)[1])

    def cut(self) -> dict[str, int]:
        """Return the position of each partition, by `topic:partition`."""
        return {
            f"{topic}:{p}": self.position(topic, p)
            for topic in (MOVIES, RATINGS)
            for p in range(self._partitions)
        }

    def append(
        self,
        topic: str,
        partition: int,
        first: int,
        next_offset: int,
        rows: Sequence[RatingRow] | Sequence[MovieRow],
    ) -> None:
        """Keep the events of offsets `first` to `next_offset` - 1, all or none of them.

        There may be fewer rows than offsets (dead letters leave none). Conflict: the history does
        not end at `first`.
        """
        position = self.position(topic, partition)
        if first != position:
            what = "overlap" if first < position else "gap"
            raise Conflict(
                f"{topic}:{partition}: {what}: offset {first} given, {position} is the next"
            )
        offsets = [first - 1, *(row.offset for row in rows), next_offset]
        if any(later <= earlier for earlier, later in pairwise(offsets)):
            raise ValueError(f"offsets do not rise from {first} to {next_offset}: {offsets[1:-1]}")
        table = table_of(topic, rows)
        try:
            write_segment(self._folder(topic, partition), first, next_offset, table)
        except FileExistsError:
            raise Conflict(f"{topic}:{partition}: overlap: a twin wrote {first}") from None
        with suppress(FileNotFoundError, FileExistsError, _Gap):  # compacted meanwhile: not needed
            self._merge_small(topic, partition)

    def facts(self) -> tuple[Facts, dict[str, int]]:
        """Return the facts, and the position of each partition that they stand at."""
        return self._undisturbed(self._facts)

    def partition(self, topic: str, partition: int, until: int | None = None) -> PartitionFacts:
        """Return the facts of one partition, of the events before offset `until` (None: of all).

        Conflict: the newest snapshot is ahead of `until`.
        """
        return self._undisturbed(lambda: self._partition(topic, partition, until))

    def snapshot_facts(self, snapshot: Snapshot, topic: str, partition: int) -> PartitionFacts:
        """Return the facts of a partition that a snapshot holds."""
        position = snapshot.position(topic, partition)
        if topic == RATINGS:
            ratings, marks = base_rows(snapshot, partition)
            erased = base_erased(snapshot, partition)
            return PartitionFacts(position, position, ratings=ratings, marks=marks, erased=erased)
        return PartitionFacts(position, position, catalogue=base_catalogue(snapshot, [partition]))

    def dataset(self) -> tuple[Dataset, dict[str, int]]:
        """Return what models are trained on, and the cut: the position of each partition."""
        facts, cut = self.facts()
        return facts.dataset(), cut

    def wants_compaction(self) -> bool:
        """Return whether the events since the snapshot are many or old, or erase a user."""
        return self._undisturbed(self._wants_compaction)

    def erases(self) -> bool:
        """Return whether events since the snapshot erase a user."""
        return self._undisturbed(self._erases)

    def compact(self) -> Snapshot:
        """Write the facts as a new snapshot and delete what it replaces; return it.

        After it nothing is left of erased users, nor of ratings that others replaced. Killed at
        any moment it loses nothing: what is deleted is in the snapshot, which is on the disk then.
        Conflict: another process compacts.
        """
        before = self._snapshot()
        facts, cut = self.facts()
        number = before.manifest.number + 1 if before else 0
        version = facts.dataset().version
        after = write_snapshot(self._directory, number, facts, self._partitions, cut, version)
        self._delete_replaced(after)
        return after

    def _undisturbed(self, read: Callable[[], T]) -> T:
        """Return what `read` does, done again when another process merged or compacted meanwhile.

        Files are deleted only after what replaces them is there: a newer snapshot, or a segment
        that the listing of a folder may have missed.
        """
        for _ in range(_ATTEMPTS - 1):
            before = self._snapshot()
            with suppress(FileNotFoundError, _Gap):
                result = read()
                if self._snapshot() == before:
                    return result
        return read()

    def _snapshot(self) -> Snapshot | None:
        snapshot = newest_snapshot(self._directory)
        if snapshot and snapshot.manifest.partitions != self._partitions:
            raise DataError(
                f"{snapshot.path}: made for {snapshot.manifest.partitions} partitions,"
                f" not {self._partitions}"
            )
        return snapshot

    def _folder(self, topic: str, partition: int) -> Path:
        if topic not in SCHEMAS or not 0 <= partition < self._partitions:
            raise ValueError(f"the history keeps no {topic}:{partition}")
        return self._directory / f"{topic}-{partition}"

    def _chain(
        self, snapshot: Snapshot | None, topic: str, partition: int
    ) -> tuple[list[Segment], int]:
        """Return the segments after the snapshot, each going on where one ends, and the end."""
        position = snapshot.position(topic, partition) if snapshot else 0
        chain: list[Segment] = []
        for segment in segments_in(self._folder(topic, partition)):
            if segment.next <= position:
                continue
            if segment.first > position:
                raise _Gap(f"{segment.path}: offsets from {position} on are missing")
            chain.append(segment)
            position = segment.next
        return chain, position

    def _facts(self) -> tuple[Facts, dict[str, int]]:
        snapshot = self._snapshot()
        catalogue = base_catalogue(snapshot, range(self._partitions))
        cut: dict[str, int] = {}
        parts: list[tuple[PairRows, PairRows]] = []
        erased: dict[int, dict[bytes, int]] = {}
        for p in range(self._partitions):
            table, cut[f"{MOVIES}:{p}"] = self._events(snapshot, MOVIES, p)
            catalogue.fold(table["event"].to_pylist())
            table, cut[f"{RATINGS}:{p}"] = self._events(snapshot, RATINGS, p)
            parts.append(fold_users(*base_rows(snapshot, p), user_events(table)))
            erased[p] = base_erased(snapshot, p) | erasures_in(table)
        ratings = PairRows.joined(part[0] for part in parts)
        return Facts(ratings, PairRows.joined(part[1] for part in parts), catalogue, erased), cut

    def _partition(self, topic: str, partition: int, until: int | None) -> PartitionFacts:
        snapshot = self._snapshot()
        start = snapshot.position(topic, partition) if snapshot else 0
        table, end = self._events(snapshot, topic, partition)
        if until is not None and until < end:
            if until < start:
                raise Conflict(f"{topic}:{partition}: the snapshot stands at {start}, not {until}")
            table, end = table.filter(pc.less(table["offset"], until)), until
        changed = last_changes(topic, table)
        if topic == RATINGS:
            ratings, marks = fold_users(*base_rows(snapshot, partition), user_events(table))
            erased = base_erased(snapshot, partition) | erasures_in(table)
            return PartitionFacts(end, start, changed, ratings, marks, erased=erased)
        catalogue = base_catalogue(snapshot, [partition])
        catalogue.fold(table["event"].to_pylist())
        return PartitionFacts(end, start, changed, catalogue=catalogue)

    def _events(self, snapshot: Snapshot | None, topic: str, partition: int) -> tuple[Any, int]:
        """Return the events after the snapshot as one table, and the position that they end at."""
        chain, end = self._chain(snapshot, topic, partition)
        start = snapshot.position(topic, partition) if snapshot else 0
        return read_segments(chain, topic, start), end

    def _wants_compaction(self) -> bool:
        snapshot = self._snapshot()
        many = (snapshot.manifest.ratings if snapshot else 0) * _MANY
        events, oldest = 0, time.time()
        for topic in SCHEMAS:
            for p in range(self._partitions):
                start = snapshot.position(topic, p) if snapshot else 0
                chain, end = self._chain(snapshot, topic, p)
                events += end - start
                oldest = min([oldest, *(segment.path.stat().st_mtime for segment in chain)])
        if self._erases():
            return True
        return events > 0 and (events >= many or time.time() - oldest > _OLD_S)

    def _erases(self) -> bool:
        snapshot = self._snapshot()
        starts = [snapshot.position(RATINGS, p) if snapshot else 0 for p in range(self._partitions)]
        return any(
            erases(self._chain(snapshot, RATINGS, p)[0], start) for p, start in enumerate(starts)
        )

    def _merge_small(self, topic: str, partition: int) -> None:
        """Make one of the newest segments, once there are many small ones."""
        chain, _ = self._chain(self._snapshot(), topic, partition)
        small: list[Segment] = []
        for segment in reversed(chain):
            if segment.next - segment.first >= _SMALL:
                break
            small.insert(0, segment)
        if len(small) < _MERGE:
            return
        merged = read_segments(small, topic, small[0].first)
        write_segment(self._folder(topic, partition), small[0].first, small[-1].next, merged)
        for segment in small:
            segment.path.unlink(missing_ok=True)

    def _delete_replaced(self, snapshot: Snapshot) -> None:
        for topic in SCHEMAS:
            for p in range(self._partitions):
                folder = self._folder(topic, p)
                for segment in segments_in(folder):
                    if segment.next <= snapshot.position(topic, p):
                        segment.path.unlink(missing_ok=True)
                delete_stale(folder)
        for path in self._directory.glob("snapshot-*"):
            if path.name < snapshot.path.name:
                shutil.rmtree(path, ignore_errors=True)
        delete_stale(self._directory)
