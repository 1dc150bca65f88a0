"""`make bench-events`: figures of event handling compared with their goals, on both buses.

Medians over the runs: how soon a write is visible while 200 events a second stream in, how fast one
consumer process brings a log into the store, and how many writes a second the API accepts.
"""

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import httpx
import uvloop
from rich.console import Console

from freshness import CALLS_A_SECOND, Freshness, freshness
from marquee_local.servers import kafka_lacks
from rates import IN_CALL, SERVICES, rates
from replay import replay
from report import Table, machine
from system import ROOT, System, started
from users import make_users, popular_movies

STREAM = 200
"""Events a second that stream in while freshness is measured."""
P50_MS, P99_MS = 50.0, 1000.0
PROFILES_A_SECOND, ENCODED_A_SECOND = 10_000.0, 2_000.0
PUTS_A_SECOND, BULK_A_SECOND = 800.0, 12_000.0
PARTS = ("freshness", "rates", "replay")


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    runs: int = 5
    ratings: int = 100
    others: int = 20
    calls: int = 12
    seconds: float = 3.0
    replayed: int = 20_000


QUICK = Size(runs=1, ratings=30, others=6, calls=4, seconds=1.0, replayed=6_000)


@dataclass(frozen=True)
class Figure:
    """A median beside its goal: a lower bound, or an upper one where less is better."""

    what: str
    bus: str
    values: tuple[float, ...]
    unit: str
    wished: float
    most: bool = False

    @property
    def value(self) -> float:
        return median(self.values)

    @property
    def met(self) -> bool:
        return self.value <= self.wished if self.most else self.value >= self.wished

    def row(self) -> tuple[str, ...]:
        """Return it as text: name, bus, median, least to most, wish, whether it is met."""
        span = f"{min(self.values):,.0f} to {max(self.values):,.0f}"
        sign = "≤" if self.most else "≥"
        wish = f"{sign} {self.wished:,.0f} {self.unit}"
        met = "yes" if self.met else "NO"
        return self.what, self.bus, f"{self.value:,.1f} {self.unit}", span, wish, met


@dataclass
class Bench:
    """Measures both buses into figures."""

    size: Size
    parts: tuple[str, ...]
    console: Console
    figures: list[Figure] = field(default_factory=list)
    registry: Path = Path()
    movies: tuple[int, ...] = ()

    def on_bus(self, folder: Path, bus: str) -> None:
        """Start the demo on a bus and measure what needs the whole system."""
        self.console.print(f"[dim]bench-events: starting the demo on {bus}[/dim]")
        with started(folder, bus) as system:
            with httpx.Client(base_url=system.url, timeout=30.0, trust_env=False) as client:
                self.movies = tuple(popular_movies(client))
                users = make_users(client, self.movies, 20)
            self.registry = system.state / "registry"
            known = users["30 ratings"] + users["8 ratings"]
            if "freshness" in self.parts:
                self._freshness(system, known)
            if "rates" in self.parts:
                self._rates(system)

    def _freshness(self, system: System, known: Sequence[int]) -> None:
        size, seen = self.size, dict[str, list[Freshness]]()
        for _ in self._runs(f"freshness on {system.bus}"):
            for one in uvloop.run(
                freshness(
                    system.url,
                    system.bus,
                    known,
                    self.movies,
                    size.ratings,
                    size.others,
                    STREAM // CALLS_A_SECOND,
                )
            ):
                seen.setdefault(one.write, []).append(one)
        for write, found in seen.items():
            p50 = tuple(one.visible_p50_ms for one in found)
            p99 = tuple(one.visible_p99_ms for one in found)
            what = f"{write}: accepted → visible at {found[0].background:.0f} events/s"
            self._add(f"{what}, p50", system.bus, p50, "ms", P50_MS, most=True)
            self._add(f"{what}, p99", system.bus, p99, "ms", P99_MS, most=True)

    def _rates(self, system: System) -> None:
        bulk, single = [], []
        for _ in self._runs(f"rates on {system.bus}"):
            found = uvloop.run(rates(system, self.movies, self.size.calls, self.size.seconds))
            bulk.append(found[0].per_second)
            single.append(found[2].per_second)
        what = "PUT of a rating, 32 connections"
        self._add(what, system.bus, tuple(single), "/s", PUTS_A_SECOND)
        what = f"POST /v1/events, {IN_CALL:,} a call"
        self._add(what, system.bus, tuple(bulk), "/s", BULK_A_SECOND)

    def replay(self, folder: Path, bus: str) -> None:
        """Let one consumer process of each service catch up with a log of its own."""
        seen: dict[str, list[float]] = {}
        for _ in self._runs(f"replay on {bus}"):
            with tempfile.TemporaryDirectory(prefix="replay-", dir=folder) as own:
                for one in replay(
                    Path(own), bus, self.registry, self.movies, SERVICES, self.size.replayed
                ):
                    seen.setdefault(one.consumer, []).append(one.per_second)
        for consumer, values in seen.items():
            profiles = consumer.startswith("gateway")
            wished = PROFILES_A_SECOND if profiles else ENCODED_A_SECOND
            what = f"{consumer}: bus → Redis, catching up"
            self._add(what, bus, tuple(values), "/s", wished)

    def _runs(self, what: str) -> Iterator[int]:
        for run in range(1, self.size.runs + 1):
            self.console.print(f"[dim]bench-events: {what}, run {run} of {self.size.runs}[/dim]")
            yield run

    def _add(
        self,
        what: str,
        bus: str,
        values: tuple[float, ...],
        unit: str,
        wished: float,
        most: bool = False,
    ) -> None:
        self.figures.append(Figure(what, bus, values, unit, wished, most))

    def table(self) -> Table:
        """Return all figures."""
        columns = ("what", "bus", "median", "least to most", "wish", "met")
        rows = [figure.row() for figure in self.figures]
        return Table(f"Events, medians of {self.size.runs}", columns, rows)


def main() -> int:
    """Measure what the command line asks for, print it and write reports/bench-events.*."""
    asked = _arguments()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
    buses: tuple[str, ...] = ("redis", "kafka") if asked.bus == "both" else (asked.bus,)
    if "kafka" in buses and (lacks := kafka_lacks()):
        console.print(f"note: Kafka is left out: {lacks}")
        buses = tuple(bus for bus in buses if bus != "kafka")
    size = QUICK if asked.quick else Size(runs=asked.runs)
    bench = Bench(size, tuple(asked.parts), console)
    try:
        with _folder(asked.state) as folder:
            for bus in buses:
                bench.on_bus(folder / bus, bus)
                if "replay" in bench.parts:
                    bench.replay(folder, bus)
    finally:  # what was measured before something failed, or was stopped, is shown
        _tell(bench, console)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-events", description=__doc__)
    parser.add_argument("--bus", choices=("redis", "kafka", "both"), default="both")
    parser.add_argument("--state", type=Path, help="folder for the demos; kept, and used again")
    parser.add_argument("--quick", action="store_true", help="a look, not a figure")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    return parser.parse_args()


@contextlib.contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="marquee-events-") as folder:
        yield Path(folder)


def _tell(bench: Bench, console: Console) -> None:
    console.print(bench.table().rich())
    where = machine()
    console.print(f"{where['time']}, {where['cores']} cores ({where['processor']})")
    reports = ROOT / "reports"
    reports.mkdir(exist_ok=True)
    said = [{**figure.__dict__, "value": figure.value} for figure in bench.figures]
    text = json.dumps({"machine": where, "figures": said}, indent=1)
    (reports / "bench-events.json").write_text(text + "\n")
    (reports / "bench-events.md").write_text(bench.table().markdown())


if __name__ == "__main__":
    sys.exit(main())
