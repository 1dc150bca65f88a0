"""The trainer's history on disk: a snapshot of the facts, and the events since, each exactly once.

Events of a partition lie in segments `<topic>-<p>/<first>-<next>.parquet`, each written whole or
not at all, and each beginning where the one before ends. So the position reached is what the newest
segment says: no event is lost or taken twice, whatever dies when. Small segments are merged; a
segment whose events are all in another, or in the snapshot, counts no more.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from marquee.domain.movies import Movie
from marquee.errors import Conflict
from marquee.events import MOVIES, RATINGS
from marquee.features.dataset import Dataset
from marquee.snapshots.format import Snapshot, newest_snapshot
from trainer.facts.fold import Facts, PartitionFacts, fold_users
from trainer.history.accepted_events import accepted_events
from trainer.history.base_data import appended, check_no_loss, replaced, without_erased
from trainer.history.compaction import (
    delete_replaced,
    has_erasures,
    is_due,
    merge_small_segments,
)
from trainer.history.layout import HistoryFiles, MissingOffsets, start_of
from trainer.history.log_segments import (
    MovieRow,
    RatingRow,
    erasures_in,
    last_changes,
    read_segments,
    table_of,
    user_events,
    write_segment,
)
from trainer.history.snapshots import (
    base_catalogue,
    base_erased,
    base_rows,
    base_texts,
    write_snapshot,
)


class History:
    """The history in a folder, for a fixed number of partitions of each topic.

    One process appends to a partition; others may read, and compact, at the same time.
    """

    def __init__(self, directory: Path, partitions: int) -> None:
        self._files = HistoryFiles(directory, partitions)

    @property
    def directory(self) -> Path:
        """The folder."""
        return self._files.directory

    @property
    def partitions(self) -> int:
        """Partitions of each topic."""
        return self._files.partitions

    def import_dataset(self, dataset: Dataset) -> Snapshot:
        """Write a data set as snapshot 0 of an empty history.

        Raises:
            Conflict: The history is not empty.
        """
        if newest_snapshot(self.directory) is not None or any(self.cut().values()):
            raise Conflict(
                f"{self.directory}: the history is not empty; give --append or --replace"
            )
        positions = dict.fromkeys(self.cut(), 0)
        return write_snapshot(
            self.directory, 0, Facts.of(dataset), self.partitions, positions, dataset.version
        )

    def replace_dataset(self, dataset: Dataset, loses_events: bool = False) -> tuple[Snapshot, int]:
        """Write a data set as a snapshot in place of all facts; only erasures stay in force.

        Args:
            dataset: The data set.
            loses_events: Events that were collected may be lost.

        Returns:
            The snapshot, and how many ratings of erased users were left out.

        Raises:
            Conflict: Events would be lost, or another process writes a snapshot.
        """
        number, (facts, cut) = self._next_number(), self.facts()
        if not loses_events:
            check_no_loss(cut)
        kept = without_erased(dataset, facts)
        return self._write(number, replaced(facts, kept), cut), len(dataset) - len(kept)

    def append_dataset(self, dataset: Dataset) -> tuple[Snapshot, int]:
        """Write a snapshot of all facts and a data set beside them; of ratings the newer one wins.

        Returns:
            The snapshot, and how many ratings of erased users were left out.

        Raises:
            Conflict: Another process writes a snapshot.
        """
        number, (facts, cut) = self._next_number(), self.facts()
        kept = without_erased(dataset, facts)
        return self._write(number, appended(facts, kept), cut), len(dataset) - len(kept)

    def movies(self) -> dict[int, Movie]:
        """Return the catalogue by id."""
        parts = (self.partition(MOVIES, p) for p in range(self.partitions))
        return {i: movie for part in parts for i, movie in part.catalogue.movies.items()}

    def position(self, topic: str, partition: int) -> int:
        """Return the next offset that the history needs."""
        return self._files.read_undisturbed(
            lambda: self._files.chain(self._files.snapshot(), topic, partition)[1]
        )

    def cut(self) -> dict[str, int]:
        """Return the position of each partition, by `topic:partition`."""
        return {
            f"{topic}:{p}": self.position(topic, p)
            for topic in (MOVIES, RATINGS)
            for p in range(self.partitions)
        }

    def append(
        self,
        topic: str,
        partition: int,
        first: int,
        next_offset: int,
        rows: Sequence[RatingRow] | Sequence[MovieRow],
    ) -> None:
        """Store the events of offsets `first` to `next_offset` - 1, all or none of them.

        There may be fewer rows than offsets: invalid messages leave none.

        Args:
            topic: The topic of the events.
            partition: Their partition.
            first: Offset of the first message, which is the history's position.
            next_offset: Offset after the last message.
            rows: The events, by rising offset.

        Raises:
            Conflict: The history does not end at `first`.
            ValueError: The offsets of the rows do not rise from `first` to `next_offset`.
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
            write_segment(self._files.folder(topic, partition), first, next_offset, table)
        except FileExistsError:
            raise Conflict(f"{topic}:{partition}: overlap: a twin wrote {first}") from None
        # A merge that another process made superfluous may fail.
        with suppress(FileNotFoundError, FileExistsError, MissingOffsets):
            merge_small_segments(self._files, topic, partition)

    def facts(self) -> tuple[Facts, dict[str, int]]:
        """Return the facts, and the position of each partition that they stand at."""
        return self._files.read_undisturbed(self._facts)

    def partition(self, topic: str, partition: int, until: int | None = None) -> PartitionFacts:
        """Return the facts of one partition.

        Args:
            topic: The topic.
            partition: The partition's number.
            until: Only events before this offset count; None: all.

        Raises:
            Conflict: The newest snapshot is ahead of `until`.
        """
        return self._files.read_undisturbed(lambda: self._partition(topic, partition, until))

    def snapshot_facts(self, snapshot: Snapshot, topic: str, partition: int) -> PartitionFacts:
        """Return the facts of a partition in a snapshot."""
        position = snapshot.position(topic, partition)
        if topic == RATINGS:
            no_events = table_of(RATINGS, ())
            return _user_facts(snapshot, partition, no_events, position)
        return PartitionFacts(position, position, catalogue=base_catalogue(snapshot, [partition]))

    def dataset(self) -> tuple[Dataset, dict[str, int]]:
        """Return the training data, and the cut: the position of each partition."""
        facts, cut = self.facts()
        return facts.dataset(), cut

    def wants_compaction(self) -> bool:
        """Return whether the events since the snapshot are many or old, or erase a user."""
        return self._files.read_undisturbed(lambda: is_due(self._files))

    def erases(self) -> bool:
        """Return whether events since the snapshot erase a user."""
        return self._files.read_undisturbed(lambda: has_erasures(self._files))

    def compact(self) -> Snapshot:
        """Write the facts as a new snapshot, and delete the files that it replaces.

        After it nothing is left of erased users, nor of ratings that others replaced. Killed at
        any moment it loses nothing: what is deleted is in the snapshot, which is on the disk then.

        Raises:
            Conflict: Another process compacts.
        """
        number, (facts, cut) = self._next_number(), self.facts()
        return self._write(number, facts, cut)

    def _next_number(self) -> int:
        """Return the number of the next snapshot, to be asked for before the facts are read.

        If another process writes that snapshot meanwhile, the facts may lack what it has.
        """
        before = self._files.snapshot()
        return before.manifest.number + 1 if before else 0

    def _write(self, number: int, facts: Facts, cut: dict[str, int]) -> Snapshot:
        """Write a snapshot, and delete the files that it replaces."""
        version = facts.dataset().version
        after = write_snapshot(self.directory, number, facts, self.partitions, cut, version)
        delete_replaced(self._files, after)
        return after

    def _facts(self) -> tuple[Facts, dict[str, int]]:
        snapshot = self._files.snapshot()
        catalogue = base_catalogue(snapshot, range(self.partitions))
        cut: dict[str, int] = {}
        parts: list[PartitionFacts] = []
        for p in range(self.partitions):
            table, cut[f"{MOVIES}:{p}"] = self._events(snapshot, MOVIES, p)
            catalogue.fold(table["event"].to_pylist())
            table, cut[f"{RATINGS}:{p}"] = self._events(snapshot, RATINGS, p)
            parts.append(_user_facts(snapshot, p, table, cut[f"{RATINGS}:{p}"]))
        return Facts.joined(catalogue, parts), cut

    def _partition(self, topic: str, partition: int, until: int | None) -> PartitionFacts:
        snapshot = self._files.snapshot()
        start = start_of(snapshot, topic, partition)
        table, end = self._events(snapshot, topic, partition)
        if until is not None and until < end:
            if until < start:
                raise Conflict(f"{topic}:{partition}: the snapshot stands at {start}, not {until}")
            table, end = table.filter(pc.less(table["offset"], until)), until
        changed = last_changes(topic, table)
        if topic == RATINGS:
            return replace(_user_facts(snapshot, partition, table, end), changed=changed)
        catalogue = base_catalogue(snapshot, [partition])
        catalogue.fold(table["event"].to_pylist())
        return PartitionFacts(end, start, changed, catalogue=catalogue)

    def _events(self, snapshot: Snapshot | None, topic: str, partition: int) -> tuple[Any, int]:
        """Return the events after the snapshot as one table, and the position that they end at."""
        chain, end = self._files.chain(snapshot, topic, partition)
        return read_segments(chain, topic, start_of(snapshot, topic, partition)), end


def _user_facts(snapshot: Snapshot | None, partition: int, table: Any, end: int) -> PartitionFacts:
    """Return the facts of a partition of users: those of a snapshot, with the events after it.

    Args:
        snapshot: The snapshot, if there is one.
        partition: The partition's number.
        table: The events after it, in the order of the log.
        end: The position that they end at.
    """
    events, texts = accepted_events(table, base_texts(snapshot, partition))
    ratings, marks = fold_users(*base_rows(snapshot, partition), user_events(events))
    return PartitionFacts(
        end,
        start_of(snapshot, RATINGS, partition),
        ratings=ratings,
        marks=marks,
        erased=base_erased(snapshot, partition) | erasures_in(events),
        texts=texts,
    )
