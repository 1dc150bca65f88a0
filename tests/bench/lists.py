"""`make bench-lists`: lists that are given again and computed ones, shelves, and several workers.

One process of each kind runs, and beside its gateway further ones on the same servers and services:
some keep no lists, some have several workers. Each is measured in turn, several times. Viewers are
those of the bundled data, and nothing changes meanwhile.
"""

import argparse
import itertools
import random
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import httpx
import uvloop
from rich.console import Console

from load import Measured, load, rendered
from marquee_testing.servers.replicas import Process, replicas
from marquee_testing.waiting import until
from pairs import good_per_second
from replicated import kinds_of, prepared, replicated
from report import Table

VIEWERS = range(1, 611)
"""Those of the bundled data, with 20 ratings and more."""
CONNECTIONS = 32
LIST = "/v1/users/{}/recommendations?k=10"
SHELVES = "/v1/users/{}/shelves?rows=8&k=10"
KEPT, COMPUTED = "kept", "computed"
_CACHE = {KEPT: "64", COMPUTED: "0"}
_TARGETS = {(KEPT, 1): ("at least 4,000", "at most 20")}
_MAX_RATIO = 3.0
_MAX_REFUSED = 0.01
"""Share of refusals from which latencies say nothing of lists."""


@dataclass
class Gateway:
    """A gateway: whether it keeps lists, its workers, its address, and what was measured."""

    lists: str
    workers: int
    url: str
    runs: list[Measured] = field(default_factory=list)

    def row(self) -> tuple[str, ...]:
        """Return its row of the table of throughput: medians of the runs."""
        rate, latency = _TARGETS.get((self.lists, self.workers), ("", ""))
        p50, p99 = (self._latency(share) for share in (0.5, 0.99))
        return (
            f"{self.lists}, {_workers(self.workers)}",
            f"{median(map(good_per_second, self.runs)):,.0f}",
            rate,
            p50,
            p99,
            latency,
            f"{sum(run.errors for run in self.runs)}, {sum(run.degraded for run in self.runs)}",
            f"{median(run.own_cpu / run.seconds for run in self.runs):.0%}",
        )

    def _latency(self, share: float) -> str:
        """Return a latency in ms; none where many answers are quick because they refuse."""
        errors = sum(run.errors for run in self.runs)
        if errors > _MAX_REFUSED * sum(len(run.latencies) for run in self.runs):
            return "–"
        return f"{median(run.quantile_ms(share) for run in self.runs):.1f}"


def requests(url: str, path: str, viewers: Sequence[int]) -> Iterator[bytes]:
    """Return requests of a path for viewers in turn, without end."""
    return itertools.cycle([rendered(url, "GET", path.format(viewer)) for viewer in viewers])


def measured(url: str, path: str, viewers: Sequence[int], connections: int, s: float) -> Measured:
    """Measure requests of a path for viewers in turn, for some seconds."""
    return uvloop.run(load(url, requests(url, path, viewers), connections, s))


def throughput(
    gateways: Sequence[Gateway], viewers: Sequence[int], asked: argparse.Namespace
) -> Table:
    """Measure the lists of all gateways in turn."""
    for gateway in gateways:  # each worker has kept the lists, and knows its services
        measured(gateway.url, LIST, viewers, CONNECTIONS, asked.seconds)
    for turn in range(asked.turns):
        for gateway in gateways if turn % 2 else reversed(gateways):
            run = measured(gateway.url, LIST, viewers, CONNECTIONS, asked.seconds)
            gateway.runs.append(run)
    columns = (
        "lists",
        "good answers a second",
        "target",
        "p50, ms",
        "p99, ms",
        "target",
        "refused, degraded",
        "generator, of a core",
    )
    title = f"Lists at {CONNECTIONS} connections, medians of {asked.turns} × {asked.seconds:g} s"
    return Table(title, columns, [gateway.row() for gateway in gateways])


def shelves(url: str, viewers: Sequence[int], asked: argparse.Namespace) -> Table:
    """Measure shelves and lists, both computed, at one connection in turn."""
    runs: dict[str, list[Measured]] = {LIST: [], SHELVES: []}
    for turn in range(asked.turns + 1):
        for path in (LIST, SHELVES) if turn % 2 else (SHELVES, LIST):
            run = measured(url, path, viewers, 1, asked.seconds)
            if turn:  # the first one warms up
                runs[path].append(run)
    pairs = zip(runs[LIST], runs[SHELVES], strict=True)
    ratio = median(rows.quantile_ms(0.5) / one.quantile_ms(0.5) for one, rows in pairs)
    made = [
        (
            name,
            f"{median(run.quantile_ms(0.5) for run in runs[path]):.1f}",
            f"{median(run.quantile_ms(0.99) for run in runs[path]):.1f}",
            of_list,
            target,
            f"{sum(run.errors for run in runs[path])}, {sum(run.degraded for run in runs[path])}",
        )
        for name, path, of_list, target in (
            ("a list of 10 films", LIST, "1", ""),
            ("shelves of 8 rows × 10 films", SHELVES, f"{ratio:.2f}", f"at most {_MAX_RATIO:g}"),
        )
    ]
    columns = ("computed, 1 connection", "p50, ms", "p99, ms", "× the list's p50", "target")
    return Table(f"Shelves, medians of {asked.turns} pairs", (*columns, "refused, degraded"), made)


def main() -> int:
    """Run what the command line asks for."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started ends too
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
    viewers = random.Random(1).sample(VIEWERS, min(asked.viewers, len(VIEWERS)))
    with prepared(asked.state) as state, ExitStack() as stack:
        kinds = dict.fromkeys(kinds_of(state, trainer=False), 1)
        system = stack.enter_context(replicated(state, "redis", kinds, {}))
        [first] = system.replicas.of("gateway app")
        gateways = [
            Gateway(lists, workers, _started(stack, first, lists, workers))
            for lists in (KEPT, COMPUTED)
            for workers in dict.fromkeys((1, *asked.workers))
        ]
        for gateway in gateways:
            _wait_for_viewers(gateway.url, viewers)
        one = next(g for g in gateways if (g.lists, g.workers) == (COMPUTED, 1))
        for table in (
            shelves(one.url, viewers, asked),
            throughput(gateways, viewers, asked),
        ):
            console.print(table.rich())
            print(table.markdown())  # noqa: T201 - for the page of figures
    return 0


def _started(stack: ExitStack, first: Process, lists: str, workers: int) -> str:
    """Start a gateway beside the first one; return its address."""
    environ = {
        **first.environ,
        "MARQUEE_CACHE_MB": _CACHE[lists],
        "MARQUEE_WORKERS": str(workers),
    }
    logs = first.log.parent / f"{lists}-{workers}"
    [gateway] = stack.enter_context(replicas(logs, environ, {"gateway app": 1})).processes
    return f"http://127.0.0.1:{gateway.port}"


def _wait_for_viewers(url: str, viewers: Sequence[int]) -> None:
    """Wait until the facts of all viewers are there, and their lists are no fallbacks."""
    with httpx.Client(base_url=url, timeout=30.0, trust_env=False) as client:

        def is_known(viewer: int) -> bool:
            answer = client.get(LIST.format(viewer))
            if answer.status_code != 200:
                return False
            document = answer.json()
            return not document["degraded"] and bool(document["evidence"]["ratings"])

        for viewer in viewers:
            until(lambda viewer=viewer: is_known(viewer))  # type: ignore[misc]


def _workers(n: int) -> str:
    return "1 worker" if n == 1 else f"{n} workers"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-lists", description=__doc__)
    parser.add_argument("--state", type=Path, help="folder for the models; kept, and used again")
    parser.add_argument("--viewers", type=int, default=100, help="of the bundled data, drawn")
    parser.add_argument("--turns", type=int, default=5, help="measurements of each")
    parser.add_argument("--seconds", type=float, default=3.0, help="of one measurement")
    parser.add_argument(
        "--workers", type=int, nargs="*", default=[2], help="numbers of workers beside one"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
