"""Publication of a file of events: validated first, then sent in order."""

import itertools
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from marquee.bus.api import Bus, Outgoing
from marquee.counts import counted
from marquee.errors import BusUnavailable, Conflict, NotFound
from marquee.events import AnyEvent
from trainer.operations.event_files import LineFault, read_events
from trainer.operations.known_events import CountKnown, none_known

BATCH = 1000
"""Events that are sent at once."""
MOST_FAULTS = 1000
"""Faults that are kept; more are only counted."""


@dataclass
class PublicationReport:
    """What was sent, and what was refused.

    Attributes:
        sent: events in the log, by type.
        known: those of them that the services had before, where they still know.
        valid: valid events of the file.
        refused: lines that are not valid.
        faults: the first of their faults.
    """

    sent: Counter[str] = field(default_factory=Counter)
    known: int = 0
    valid: int = 0
    refused: int = 0
    faults: list[LineFault] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        return {
            "sent": dict(sorted(self.sent.items())),
            "total": self.sent.total(),
            "known": self.known,
            "valid": self.valid,
            "refused": self.refused,
            "faults": [fault.as_json() for fault in self.faults],
        }


@contextmanager
def rereadable(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """Yield a file that can be read twice: a pipe is copied to a temporary file, up to its end."""
    if file.seekable():
        yield file
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        copy.seek(0)
        yield copy


def check_events(file: IO[bytes], name: str) -> PublicationReport:
    """Read a file to its end and return how many of its events are valid, with the faults."""
    report = PublicationReport()
    for item in read_events(file, name):
        if not isinstance(item, LineFault):
            report.valid += 1
            continue
        report.refused += 1
        if len(report.faults) < MOST_FAULTS:
            report.faults.append(item)
    return report


def send_events(
    bus: Bus,
    file: IO[bytes],
    name: str,
    report: PublicationReport,
    count_known: CountKnown = none_known,
) -> None:
    """Read a file again and send its valid events in order; the report counts what was sent.

    Args:
        bus: The bus, whose producer chooses key and partition.
        file: The file, at its beginning.
        name: Its name.
        report: The result of `check_events`.
        count_known: Counts those of a batch that were there before.

    Raises:
        BusUnavailable: The bus did not take all of them; the text says how many it has.
        NotFound: A topic does not exist.
        Conflict: The file has changed since it was checked.
    """
    events = (item for item in read_events(file, name) if not isinstance(item, LineFault))
    producer = bus.producer()
    try:
        while batch := list(itertools.islice(events, BATCH)):
            known = count_known(batch)
            _send(producer, batch, report)
            report.known += known
    finally:
        producer.close()
    if report.sent.total() != report.valid:
        text = f"{name} changed while it was read: {counted(report.valid, 'valid event')}, then"
        raise Conflict(f"{text} {report.sent.total()}, which were sent")


def _send(producer: Any, batch: list[AnyEvent], report: PublicationReport) -> None:
    try:
        producer.publish([Outgoing.of(event) for event in batch])
    except BusUnavailable as error:
        raise BusUnavailable(
            f"{report.sent.total():,} of {counted(report.valid, 'event')} were sent, perhaps"
            f" more: {error}; send the file again, where an event with an id takes effect once"
        ) from error
    except NotFound as error:
        remedy = "start the services once: their consumers create the topics"
        raise NotFound(f"{error}; {remedy}") from error
    report.sent.update(event.type for event in batch)
