"""The files of a history: one folder of segments a partition, and the snapshots.

A process may read while others append, merge and compact. Files are deleted only after what
replaces them is there: a newer snapshot, or a segment that the listing of a folder may have missed.
So a reading that was disturbed is done again.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from marquee.errors import DataError
from marquee.snapshots.format import Snapshot, newest_snapshot
from trainer.history.log_segments import SCHEMAS, Segment, segments_in

_ATTEMPTS = 5

T = TypeVar("T")


class MissingOffsets(DataError):
    """Offsets are missing between two segments."""


@dataclass(frozen=True)
class HistoryFiles:
    """Paths of a history's files, for a fixed number of partitions of each topic."""

    directory: Path
    partitions: int

    def snapshot(self) -> Snapshot | None:
        """Return the newest snapshot.

        Raises:
            DataError: It was made for another number of partitions.
        """
        snapshot = newest_snapshot(self.directory)
        if snapshot and snapshot.manifest.partitions != self.partitions:
            raise DataError(
                f"{snapshot.path}: made for {snapshot.manifest.partitions} partitions,"
                f" not {self.partitions}"
            )
        return snapshot

    def folder(self, topic: str, partition: int) -> Path:
        """Return the folder of a partition's segments.

        Raises:
            ValueError: The history does not keep this partition.
        """
        if topic not in SCHEMAS or not 0 <= partition < self.partitions:
            raise ValueError(f"the history keeps no {topic}:{partition}")
        return self.directory / f"{topic}-{partition}"

    def chain(
        self, snapshot: Snapshot | None, topic: str, partition: int
    ) -> tuple[list[Segment], int]:
        """Return the segments that continue a snapshot without a gap, and the end of the last one.

        Raises:
            MissingOffsets: There is a gap.
        """
        position = start_of(snapshot, topic, partition)
        chain: list[Segment] = []
        for segment in segments_in(self.folder(topic, partition)):
            if segment.next <= position:
                continue
            if segment.first > position:
                raise MissingOffsets(f"{segment.path}: offsets from {position} on are missing")
            chain.append(segment)
            position = segment.next
        return chain, position

    def read_undisturbed(self, read: Callable[[], T]) -> T:
        """Return the result of `read`, repeated if another process changed the files meanwhile."""
        for _ in range(_ATTEMPTS - 1):
            before = self.snapshot()
            with suppress(FileNotFoundError, MissingOffsets):
                result = read()
                if self.snapshot() == before:
                    return result
        return read()


def start_of(snapshot: Snapshot | None, topic: str, partition: int) -> int:
    """Return the position of a partition in a snapshot, 0 without one."""
    return snapshot.position(topic, partition) if snapshot else 0
