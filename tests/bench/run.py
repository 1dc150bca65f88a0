"""Measurement of the running system: latency, freshness, event rates, start times, memory."""

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvloop
from rich.console import Console

from freshness import freshness
from latency import latencies, request_sets
from marquee_local.servers import kafka_lacks
from processes import Start, memory, starts, store_memory
from rates import SERVICES, rates
from replay import replay
from report import Report
from system import ROOT, System, found, started
from users import make_users, popular_movies

PARTS = ("latency", "freshness", "rates", "memory", "starts", "replay")


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    users: int = 20
    """Of each kind."""
    runs: int = 3
    seconds: float = 3.0
    ratings: int = 300
    others: int = 50
    calls: int = 20
    replayed: int = 20_000
    starts: int = 3


QUICK = Size(8, 1, 1.0, 60, 12, 4, 6_000, 1)


def main() -> int:
    """Measure what the command line asks for, print it and write reports/bench.*."""
    asked = _arguments()
    report, console = Report(asked.quick), _console()
    size = QUICK if asked.quick else Size()
    buses: tuple[str, ...] = ("redis", "kafka") if asked.bus == "both" else (asked.bus,)
    if "kafka" in buses and (lacks := kafka_lacks()):
        report.notes.append(f"Kafka was left out: {lacks}")
        buses = tuple(bus for bus in buses if bus != "kafka")
    bench = Bench(report, size, tuple(asked.parts), console)
    try:
        with _folder(asked.state) as folder:
            if asked.url:
                bench.measure(found(asked.url), whole=True)
            else:
                for at, bus in enumerate(buses):
                    bench.on_bus(folder / bus, bus, whole=at == 0)
            bench.replay(folder, buses)
    finally:  # what was measured before something failed, or was stopped, is shown
        report.show(console)
        report.save(ROOT / "reports")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--bus", choices=("redis", "kafka", "both"), default="both")
    parser.add_argument("--state", type=Path, help="folder for the demos; kept, and used again")
    parser.add_argument("--url", help="measure this running demo instead of one of its own")
    parser.add_argument("--quick", action="store_true", help="a look in two minutes, not a figure")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    return parser.parse_args()


def _console() -> Console:
    """Return the terminal; in a pipe as wide as the tables."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(width=150, highlight=False)


@contextlib.contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="marquee-bench-") as folder:
        yield Path(folder)


@dataclass
class Bench:
    """Measures part after part into a report."""

    report: Report
    size: Size
    parts: tuple[str, ...]
    console: Console
    registry: Path = Path()
    movies: tuple[int, ...] = ()

    def on_bus(self, folder: Path, bus: str, whole: bool) -> None:
        """Start a demo on a bus and measure it; `whole`: not freshness alone."""
        if not whole and "freshness" not in self.parts:
            return
        self.say(f"starting the demo on {bus}")
        with started(folder, bus) as system:
            first = Start(f"the demo on {bus}, first start here", system.ready_s)
            self.measure(system, whole)
        if "starts" in self.parts:
            self.say(f"starting the demo on {bus} again")
            with started(folder, bus) as system:
                second = Start(f"the demo on {bus}, again", system.ready_s)
            self.report.starts += (first, second)

    def measure(self, system: System, whole: bool) -> None:
        """Measure a running system; `whole`: not freshness alone."""
        size, report = self.size, self.report
        with httpx.Client(base_url=system.url, timeout=30.0, trust_env=False) as client:
            self.movies = tuple(popular_movies(client))
            users = make_users(client, self.movies, size.users)
        self.registry = system.state / "registry"
        if self.has("latency", whole):
            sets = request_sets(system.url, users, self.movies)
            work = latencies(system.url, sets, size.runs, size.seconds)
            report.latency += uvloop.run(work)
        if self.has("freshness"):
            known = users["30 ratings"] + users["8 ratings"]
            report.freshness += uvloop.run(
                freshness(system.url, system.bus, known, self.movies, size.ratings, size.others)
            )
        if self.has("rates", whole):
            report.rates += uvloop.run(rates(system, self.movies, size.calls, size.seconds))
        if self.has("memory", whole):
            report.memory, report.store = memory(system), [store_memory(system)]
        if self.has("starts", whole):
            report.starts += starts(system, size.starts)

    def replay(self, folder: Path, buses: tuple[str, ...]) -> None:
        """Let consumers catch up with logs of their own, on each bus."""
        if "replay" not in self.parts:
            return
        for bus in buses:
            self.has("replay")
            with tempfile.TemporaryDirectory(prefix="replay-", dir=folder) as own:
                self.report.replay += replay(
                    Path(own), bus, self.registry, self.movies, SERVICES, self.size.replayed
                )

    def has(self, part: str, whole: bool = True) -> bool:
        """Return whether a part is asked for; say that it begins, and note the load."""
        if part not in self.parts or not whole:
            return False
        self.report.begin(part)
        self.say(part)
        return True

    def say(self, line: str) -> None:
        self.console.print(f"[dim]bench: {line}[/dim]")


if __name__ == "__main__":
    sys.exit(main())
