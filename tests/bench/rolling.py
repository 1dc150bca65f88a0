"""`make bench-rolling`: two processes of every kind, each restarted in turn under load.

Of the trainer there is one, as in every system. The gateways stand behind a proxy that repeats
nothing. The load is a share of the measured best goodput, and each accepted rating is looked for
in the log and in the facts of every service. Exit status 1: a request failed, or a rating was lost
or doubled.
"""

import argparse
import dataclasses
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from marquee.domain.models import MODEL_NAMES
from marquee_local.servers import kafka_lacks
from marquee_testing.load.open_loop import Plan, Result
from marquee_testing.load.writes import AcceptedWrites, ratings_by_movie
from marquee_testing.servers.replicas import Process
from offered import best_goodput, offered, step_line
from replicated import System, kinds_of, prepared, replicated
from users import popular_movies

USERS = list(range(1, 611))
"""Those of the bundled data."""
SERVICES = ("gateway", *MODEL_NAMES, "trainer")
WRITES = 0.2
FIRST_RATE = 40.0
FIRST_WRITER = (1 << 45) + (1 << 20)
MOVIES = 200


def main() -> int:
    """Run what the command line asks for."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started ends too
    if asked.bus == "kafka" and (lacks := kafka_lacks()):
        raise SystemExit(f"Kafka cannot run: {lacks}")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
    with prepared(asked.state) as state:
        kinds = [kind for kind in kinds_of(state) if kind.split()[0] in asked.services]
        with replicated(
            state, asked.bus, {kind: 1 if kind.startswith("trainer") else 2 for kind in kinds}, {}
        ) as system:
            names = ", ".join(process.name for process in system.replicas.processes)
            console.print(f"[dim]ready: {names}[/dim]")
            return Rolling(system, asked, console).run()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-rolling", description=__doc__)
    parser.add_argument("--bus", choices=("redis", "kafka"), default="redis")
    parser.add_argument("--state", type=Path, help="folder for the models; kept, and used again")
    parser.add_argument("--services", nargs="+", choices=SERVICES, default=SERVICES)
    parser.add_argument("--share", type=float, default=0.7, help="of the best goodput")
    parser.add_argument("--rate", type=float, help="requests a second, instead of a share")
    parser.add_argument("--step", type=float, default=5.0, help="seconds of a step of the search")
    return parser.parse_args()


class Rolling:
    """One run: the search for the capacity, the restarts under load, the check."""

    def __init__(self, system: System, asked: argparse.Namespace, console: Console) -> None:
        self._system, self._asked, self._console = system, asked, console
        with httpx.Client(base_url=system.replicas.url, timeout=30.0, trust_env=False) as client:
            self._movies = popular_movies(client, MOVIES)

    def run(self) -> int:
        """Return the exit status."""
        settings, processes = self._system.settings, self._system.replicas.processes
        plan = Plan(self._system.replicas.url, 0.0, self._asked.step, USERS, self._movies, WRITES)
        rate = self._asked.rate or self._asked.share * self._capacity(plan)
        before = ratings_by_movie(settings, self._movies)
        with tempfile.TemporaryDirectory(prefix="marquee-rolling-") as folder:
            writes = AcceptedWrites(settings, Path(folder) / "journal.jsonl", FIRST_WRITER)
            plan = dataclasses.replace(
                plan, per_second=rate, seconds=3600.0, journal=str(writes.journal),
                first_writer=FIRST_WRITER,
            )  # fmt: skip
            with offered(plan) as load:
                times = {process.name: self._restart(process) for process in processes}
                load.stop()
                result = load.result()
            kinds = (process.name.split()[0] for process in processes)
            services = [name for name in dict.fromkeys(kinds) if name != "trainer"]
            faults = writes.faults(services)
            accepted = writes.entries()
        faults += _count_faults(before, ratings_by_movie(settings, self._movies), accepted)
        self._tell(rate, times, result, len(accepted), faults)
        return 1 if faults or failed(result) else 0

    def _restart(self, process: Process) -> tuple[float, float]:
        end, start = self._system.replicas.restart(process)
        self._console.print(
            f"[dim]{process.name}: ended after {end:.1f} s, ready after {start:.1f} s more[/dim]"
        )
        return end, start

    def _capacity(self, plan: Plan) -> float:
        def say(rate: float, result: Result) -> None:
            self._console.print(f"[dim]{step_line(rate, result)}[/dim]")

        return best_goodput(plan, FIRST_RATE, say).per_second("good")

    def _tell(
        self,
        rate: float,
        times: Mapping[str, tuple[float, float]],
        result: Result,
        accepted: int,
        faults: Sequence[str],
    ) -> None:
        table = Table(title="Restarted under load", title_justify="left")
        for title in ("process", "until it ended", "until it was ready again"):
            table.add_column(title)
        for name, (end, start) in times.items():
            table.add_row(name, f"{end:.1f} s", f"{start:.1f} s")
        self._console.print(table)
        self._console.print(step_line(rate, result))
        print(f"{failed(result)} of {result.sent:,} requests failed: {result.failures}")  # noqa: T201
        print(f"{accepted:,} ratings accepted; {len(faults)} lost, doubled or not accepted")  # noqa: T201
        for fault in faults[:20]:
            print(fault)  # noqa: T201


def failed(result: Result) -> int:
    """Return how many requests had no answer of 2xx."""
    return result.sent - result.outcomes.get("good", 0) - result.outcomes.get("degraded", 0)


def _count_faults(
    before: Mapping[int, int], after: Mapping[int, int], accepted: Sequence[Mapping[str, int]]
) -> list[str]:
    """Return the films whose number of ratings did not grow by what was accepted."""
    added = Counter(entry["movie"] for entry in accepted)
    return [
        f"film {movie} has {after[movie]} ratings, not {before[movie] + added[movie]}"
        for movie in before
        if after[movie] != before[movie] + added[movie]
    ]


if __name__ == "__main__":
    sys.exit(main())
