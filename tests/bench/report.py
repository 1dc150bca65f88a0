"""Tables of results: on the terminal, as JSON, and as Markdown for the performance page."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from math import isnan
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

from freshness import Freshness
from latency import CONNECTIONS, Cell
from processes import Memory, Start, StoreMemory
from rates import Rate
from replay import Replay


@dataclass(frozen=True)
class Table:
    """A table as text: the first column is a name, the others are figures."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def rich(self) -> RichTable:
        """Return it for the terminal."""
        shown = RichTable(title=self.title, title_justify="left")
        for at, column in enumerate(self.columns):
            shown.add_column(column, justify="right" if at else "left", no_wrap=at == 0)
        for row in self.rows:
            shown.add_row(*row)
        return shown

    def markdown(self) -> str:
        """Return it as Markdown."""
        lines = [self.columns, ("---", *["---:"] * (len(self.columns) - 1)), *self.rows]
        text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return f"**{self.title}**\n\n{text}\n"


@dataclass
class Report:
    """All results of one run of the bench."""

    quick: bool
    machine: dict[str, Any] = field(default_factory=lambda: machine())
    loads: dict[str, float] = field(default_factory=dict)
    """Load average (1 minute) at the beginning of each part."""
    latency: list[Cell] = field(default_factory=list)
    freshness: list[Freshness] = field(default_factory=list)
    rates: list[Rate] = field(default_factory=list)
    replay: list[Replay] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    store: list[StoreMemory] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def begin(self, part: str) -> None:
        """Note the load of the machine before a part is measured."""
        self.loads[part] = os.getloadavg()[0]

    def tables(self) -> list[Table]:
        """Return the tables of what was measured."""
        every = (
            _latency(self.latency),
            _freshness(self.freshness),
            _rates(self.rates),
            _replay(self.replay),
            _starts(self.starts),
            _memory(self.memory, self.store),
        )
        return [table for table in every if table.rows]

    def show(self, console: Console) -> None:
        """Print the tables."""
        for table in self.tables():
            console.print(table.rich())
        console.print(self.setting())
        for note in self.notes:
            console.print(f"note: {note}")

    def setting(self) -> str:
        """Return one line on the machine and its load during the measurement."""
        loads = ", ".join(f"{part} {load:.1f}" for part, load in self.loads.items())
        where = f"{self.machine['cores']} cores ({self.machine['processor']})"
        return f"{self.machine['time']}, {where}; load average at the start of {loads}"

    def save(self, folder: Path) -> None:
        """Write bench.json and bench.md."""
        folder.mkdir(exist_ok=True)
        (folder / "bench.json").write_text(json.dumps(asdict(self), indent=1) + "\n")
        text = [table.markdown() for table in self.tables()]
        notes = [f"- {note}" for note in self.notes]
        lines = [self.setting() + ".\n", *text, *notes]
        (folder / "bench.md").write_text("\n".join(lines) + "\n")


def machine() -> dict[str, Any]:
    """Return a description of the machine: cores, memory, versions."""
    processor, memory = "", ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal"):
            memory = f"{int(line.split()[1]) / 1024 / 1024:.0f} GiB"
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "time": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cores": len(os.sched_getaffinity(0)),
        "processor": processor or platform.processor(),
        "memory": memory,
        "python": platform.python_version(),
        "commit": commit,
    }


def _number(value: float, digits: int = 1) -> str:
    return "–" if isnan(value) else f"{value:,.{digits}f}"


def _latency(cells: Sequence[Cell]) -> Table:
    by_name: dict[str, dict[int, Cell]] = {}
    for cell in cells:
        by_name.setdefault(cell.name, {})[cell.connections] = cell
    rows = []
    for name, row in by_name.items():
        shown = [
            f"{_number(c.p50_ms)} / {_number(c.p99_ms)}, {c.per_second:,.0f}/s"
            for c in (row[n] for n in CONNECTIONS)
        ]
        n = sum(c.requests for c in row.values())
        degraded = sum(c.degraded * c.requests for c in row.values()) / max(1, n)
        errors = sum(c.errors for c in row.values())
        route = _routes(row[1].route)
        rows.append((name, route, *shown, str(errors), f"{degraded:.1%}"))
    columns = ("who asks", "route", *(_connections(n) for n in CONNECTIONS), "errors", "degraded")
    return Table("Latency: p50 / p99 in ms, answers a second", columns, rows)


def _connections(n: int) -> str:
    return "1 connection" if n == 1 else f"{n} connections"


def _routes(text: str) -> str:
    """Return the route that most answers came from, with a mark where there were others."""
    names = text.split()[::2]
    return "–" if not names else "several" if len(names) > 1 else names[0]


def _freshness(found: Sequence[Freshness]) -> Table:
    rows = [
        (
            f"{one.write}, {one.bus}",
            str(one.samples),
            str(one.never),
            _number(one.write_p50_ms),
            f"{_number(one.visible_p50_ms)} / {_number(one.visible_p99_ms)}",
            f"{_number(one.whole_p50_ms)} / {_number(one.whole_p99_ms)}",
            f"{one.background:.0f}/s",
        )
        for one in found
    ]
    columns = (
        "write, bus",
        "n",
        "never",
        "sent → accepted p50",
        "accepted → visible p50 / p99",
        "sent → visible p50 / p99",
        "events meanwhile",
    )
    return Table("Freshness in ms: an answer that shows the write has come back", columns, rows)


def _rates(found: Sequence[Rate]) -> Table:
    rows = [
        (
            one.what,
            f"{one.events:,}",
            _number(one.per_second, 0),
            f"{_number(one.p50_ms)} / {_number(one.p99_ms)}",
            str(one.errors),
        )
        for one in found
    ]
    columns = ("what", "events", "events/s", "a call: p50 / p99 ms", "errors")
    return Table("Events through the API", columns, rows)


def _replay(found: Sequence[Replay]) -> Table:
    rows = [
        (f"{one.consumer}, {one.bus}", f"{one.events:,}", _number(one.per_second, 0))
        for one in found
    ]
    columns = ("consumer, bus", "events", "events/s")
    return Table("One consumer process that catches up with its log", columns, rows)


def _starts(found: Sequence[Start]) -> Table:
    rows = [(one.process, _number(one.seconds, 2)) for one in found]
    return Table("From start to ready, in seconds", ("process", "seconds"), rows)


def _memory(found: Sequence[Memory], store: Sequence[StoreMemory]) -> Table:
    rows = [(one.process, _number(one.rss_mib, 0), _number(one.pss_mib, 0)) for one in found]
    if rows:
        total = sum(one.pss_mib for one in found)
        rows.append(("all", "", _number(total, 0)))
    for one in store:
        data = f"data of {one.users:,} viewers ({one.keys:,} keys)"
        rows.append((data, _number(one.used_mib, 0), ""))
        rows.append(("of it the event log", _number(one.log_mib, 0), ""))
    return Table("Memory in MiB", ("process", "resident", "its share (PSS)"), rows)
