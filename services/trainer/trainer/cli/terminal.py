"""Output of the command line: results to stdout, messages and progress to stderr."""

import codecs
import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from marquee.settings import Settings
from trainer.runs.records import StageRecord


@dataclass(frozen=True)
class Session:
    """The settings of one call of the command, whether it is quiet, and whether it advises."""

    settings: Settings
    quiet: bool = False
    hints: bool = True

    def say(self, text: str, next_step: str = "") -> None:
        """Write a message to stderr, with what may follow it, unless the session is quiet."""
        parts = [text, f"next: {next_step}" if next_step and self.hints else ""]
        if not self.quiet and any(parts):
            print_error("; ".join(filter(None, parts)))


def print_error(text: str) -> None:
    """Write a line to stderr."""
    sys.stderr.write(text + "\n")


def print_json(value: Any) -> None:
    """Write a value to stdout as JSON, in ASCII where stdout cannot show every letter."""
    is_utf8 = codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=not is_utf8, default=str) + "\n")


def print_lines(lines: Sequence[str]) -> None:
    """Write lines to stdout."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int = 400) -> None:
    """Write a table to stdout; cells are never cut if the output is not a terminal.

    Args:
        columns: Names of the columns.
        rows: Cells by row.
        width: Where lines are wrapped if the output is not a terminal.
    """
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = width
    console.print(table)


def log_to_stderr(level: str) -> None:
    """Log the libraries' messages to stderr as short lines, from a level on."""
    number = logging.getLevelName(level.upper())
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.KeyValueRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        # Looked up for each line, since callers may replace stderr.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    # What its client says of a stopped Kafka follows as one line with a remedy.
    logging.getLogger("kafka").setLevel(number if number < logging.WARNING else logging.CRITICAL)
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr, force=True)


class PlainStages:
    """Progress as lines: one at the start and end of a stage, and at most one in ten seconds."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._last_line = 0.0

    def __call__(self, stage: str, done: float, words: str) -> None:
        now = time.monotonic()
        if 0 < done < 1 and now - self._last_line < 10:
            return
        self._last_line = now
        state = "done" if done >= 1 else f"{done:.0%}" if done else "starts"
        self._session.say(f"{stage}: {state}{': ' + words if words else ''}")


class BarStages:
    """Progress as one bar per stage."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, Any] = {}

    def __call__(self, stage: str, done: float, words: str) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=None, words="")
        task = self._tasks[stage]
        # Without a known share the bar pulses.
        total = 1.0 if done else None
        self._progress.update(task, completed=done, total=total, words=words)
        if done >= 1:
            self._progress.stop_task(task)


@contextmanager
def stage_progress(session: Session) -> Iterator[PlainStages | BarStages]:
    """Yield a display of the stages' progress on stderr: bars on a terminal, else lines."""
    console = Console(stderr=True)
    if session.quiet or not console.is_terminal:
        yield PlainStages(session)
        return
    columns = (TextColumn("{task.description:<12}"), BarColumn(30), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[words]}"), console=console) as progress:
        yield BarStages(progress)


def stage_row(stage: StageRecord) -> tuple[str, ...]:
    """Return a row of the table of stages."""
    seconds = "" if stage.seconds is None else f"{stage.seconds:.1f} s"
    peak = "" if stage.peak_mb is None else f"{stage.peak_mb:,.0f} MiB"
    return stage.name, stage.status, seconds, peak, stage.detail
