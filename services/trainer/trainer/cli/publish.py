"""`marquee publish`: events of a file, sent to the bus."""

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from marquee.counts import counted
from marquee.errors import InvalidInput
from trainer.cli.terminal import Session, print_error, print_json, print_lines

if TYPE_CHECKING:
    from trainer.operations.publication import PublicationReport

SHOWN = 20
"""Most faults that are shown as lines."""


def publish(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="Events; `-`: standard input, to its end.")
    ],
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Send the valid lines all the same.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Validate, and send nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Send events to the bus: one JSON object a line, or one JSON array of them.

    marquee publish events.jsonl

    All lines are validated first, and nothing is sent unless all are valid; what comes from a pipe
    is copied to a temporary file for that. Exit status 2 when a line was refused.
    """
    from trainer.operations.publication import check_events, rereadable

    session: Session = context.obj
    with _opened(file) as opened, rereadable(opened) as events:
        begin = events.tell()  # a shell may have read a part of standard input before
        report = check_events(events, file)
        if not check and (skip_invalid or not report.refused):
            events.seek(begin)
            _send(session, events, file, report)
    if as_json:
        print_json(report.as_json())
    else:
        _show(report, file, check)
    if report.refused:
        raise typer.Exit(2)


def _opened(file: str) -> AbstractContextManager[IO[bytes]]:
    if file == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise InvalidInput(f"{file}: {error.strerror}; name a file of events, or -") from None


def _send(session: Session, events: IO[bytes], file: str, report: "PublicationReport") -> None:
    from marquee.bus.factory import open_bus
    from marquee.store.redis import RedisStore
    from trainer.operations.known_events import KnownEvents
    from trainer.operations.publication import send_events

    settings = session.settings
    bus = open_bus(settings)
    store = RedisStore(settings.redis_address, timeout=1.0)
    try:
        send_events(bus, events, file, report, KnownEvents(store, settings))
    finally:
        store.close()
        bus.close()


def _show(report: "PublicationReport", file: str, check: bool) -> None:
    for fault in report.faults[:SHOWN]:
        print_error(str(fault))
    if report.refused > SHOWN:
        print_error(f"… and {report.refused - SHOWN:,} more (--json names up to 1,000)")
    if report.refused:
        verb = "is" if report.refused == 1 else "are"
        of_all = f"{report.refused:,} of {counted(report.refused + report.valid, 'event')}"
        print_error(f"marquee: {of_all} of {file} {verb} not valid; {_consequence(report, check)}")
    if check:
        print_lines([counted(report.valid, "valid event")])
    elif report.sent or not report.refused:
        print_lines([f"sent {counted(report.sent.total(), 'event')}"])
        print_lines([f"  {count:,} {kind}" for kind, count in sorted(report.sent.items())])
    if report.known:
        known = counted(report.known, "of them was", "of them were")
        print_lines([f"  {known} there before: an event takes effect once"])


def _consequence(report: "PublicationReport", check: bool) -> str:
    if check:
        return "nothing is sent with --check"
    if report.sent:
        return "the others were sent"
    return "nothing was sent: mend them, or give --skip-invalid"
