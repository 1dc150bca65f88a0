"""Compaction of a history: when it is due, merging of segments, deletion of replaced files."""

import shutil
import time

from marquee.events import RATINGS
from marquee.files import delete_stale
from marquee.snapshots.format import Snapshot
from trainer.history.layout import HistoryFiles, start_of
from trainer.history.log_segments import (
    SCHEMAS,
    Segment,
    erases,
    read_segments,
    segments_in,
    write_segment,
)

_SMALL_EVENTS = 50_000
_SMALL_SEGMENTS = 32
"""Number of small segments that are merged into one."""
_MANY = 0.05
"""Share of events since the snapshot, relative to its ratings, that makes a compaction due."""
_OLD_S = 7 * 24 * 3600.0


def is_due(files: HistoryFiles) -> bool:
    """Return whether the events since the snapshot are many or old, or erase a user."""
    if has_erasures(files):
        return True
    snapshot = files.snapshot()
    many = (snapshot.manifest.ratings if snapshot else 0) * _MANY
    events, oldest = 0, time.time()
    for topic in SCHEMAS:
        for partition in range(files.partitions):
            chain, end = files.chain(snapshot, topic, partition)
            events += end - start_of(snapshot, topic, partition)
            oldest = min([oldest, *(segment.path.stat().st_mtime for segment in chain)])
    return events > 0 and (events >= many or time.time() - oldest > _OLD_S)


def has_erasures(files: HistoryFiles) -> bool:
    """Return whether events since the snapshot erase a user."""
    snapshot = files.snapshot()
    return any(
        erases(files.chain(snapshot, RATINGS, p)[0], start_of(snapshot, RATINGS, p))
        for p in range(files.partitions)
    )


def merge_small_segments(files: HistoryFiles, topic: str, partition: int) -> None:
    """Merge the newest segments into one, once there are many small ones.

    Raises:
        FileNotFoundError: Another process compacted meanwhile.
        FileExistsError: Another process merged them.
        MissingOffsets: There is a gap between two segments.
    """
    chain, _ = files.chain(files.snapshot(), topic, partition)
    small: list[Segment] = []
    for segment in reversed(chain):
        if segment.next - segment.first >= _SMALL_EVENTS:
            break
        small.insert(0, segment)
    if len(small) < _SMALL_SEGMENTS:
        return
    merged = read_segments(small, topic, small[0].first)
    write_segment(files.folder(topic, partition), small[0].first, small[-1].next, merged)
    for segment in small:
        segment.path.unlink(missing_ok=True)


def delete_replaced(files: HistoryFiles, snapshot: Snapshot) -> None:
    """Delete segments whose events a snapshot holds, older snapshots, and temporary files."""
    for topic in SCHEMAS:
        for partition in range(files.partitions):
            folder = files.folder(topic, partition)
            for segment in segments_in(folder):
                if segment.next <= snapshot.position(topic, partition):
                    segment.path.unlink(missing_ok=True)
            delete_stale(folder)
    for path in files.directory.glob("snapshot-*"):
        if path.name < snapshot.path.name:
            shutil.rmtree(path, ignore_errors=True)
    delete_stale(files.directory)
