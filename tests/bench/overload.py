"""`make bench-overload`: twice the load that gives the best goodput, for minutes.

A search finds the rate with the most good answers a second (2xx, not degraded); twice that is then
offered. What counts: goodput against the best, how fast the rest is refused (429, 503), the latency
of good answers, and the memory of each process before and after.
"""

import argparse
import dataclasses
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from marquee.domain.models import MODEL_NAMES
from marquee_testing.load.open_loop import Plan, Result
from marquee_testing.servers.replicas import Replicas
from offered import best_goodput, offer, offered, step_line
from replicated import kinds_of, prepared, replicated
from users import popular_movies

USERS = list(range(1, 611))
"""Those of the bundled data."""
SERVICES = ("gateway", *MODEL_NAMES)
FIRST_RATE = 50.0
MOVIES = 200
WARM_S = 3.0
SAMPLE_S = 2.0
SETTLE_S = 5.0
"""Of the run, before memory is read for the first time: buffers have their sizes then."""


def main() -> int:
    """Run what the command line asks for."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started ends too
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
    with prepared(asked.state) as state:
        wanted = [k for k in kinds_of(state, trainer=False) if k.split()[0] in asked.services]
        kinds = dict.fromkeys(wanted, 1)
        kinds["gateway app"] = asked.gateways
        with replicated(state, "redis", kinds, {}) as system:
            _measure(system.replicas, asked, console)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-overload", description=__doc__)
    parser.add_argument("--state", type=Path, help="folder for the models; kept, and used again")
    parser.add_argument("--services", nargs="+", choices=SERVICES, default=SERVICES)
    parser.add_argument("--minutes", type=float, default=5.0, help="of overload")
    parser.add_argument("--step", type=float, default=5.0, help="seconds of a step of the search")
    parser.add_argument("--gateways", type=int, default=1, help="more than one: behind a proxy")
    parser.add_argument("--writes", type=float, default=0.1, help="share of ratings, 0 to 1")
    parser.add_argument("--factor", type=float, default=2.0, help="of the best rate")
    return parser.parse_args()


def _measure(system: Replicas, asked: argparse.Namespace, console: Console) -> None:
    [gateway, *others] = system.of("gateway app")
    url = system.url if others else f"http://127.0.0.1:{gateway.port}"
    processes = system.processes
    with httpx.Client(base_url=url, timeout=30.0, trust_env=False) as client:
        movies = popular_movies(client, MOVIES)
    plan = Plan(url, FIRST_RATE, WARM_S, USERS, movies, asked.writes)
    offer(plan)

    def say(rate: float, result: Result) -> None:
        console.print(f"[dim]{step_line(rate, result)}[/dim]")

    best = best_goodput(dataclasses.replace(plan, seconds=asked.step), FIRST_RATE, say)
    rate = asked.factor * best.per_second("good")
    plan = dataclasses.replace(
        plan,
        per_second=rate,
        seconds=60 * asked.minutes,
        first_writer=plan.first_writer + (1 << 20),
    )
    with offered(plan) as load:
        began, samples = time.monotonic(), []
        while not load.is_over:
            time.sleep(SAMPLE_S)
            if time.monotonic() - began >= min(SETTLE_S, plan.seconds / 4):
                samples.append({process.name: _resident_mib(process.pid) for process in processes})
        result = load.result()
    say(rate, result)
    console.print(_answers(best, result))
    console.print(_memory(samples))
    console.print(f"Refused and failed: {result.failures}")


def _answers(best: Result, result: Result) -> Table:
    table = Table(title="Overload", title_justify="left")
    for title in ("what", "figure", "target"):
        table.add_column(title)
    goodput, of_best = result.per_second("good"), best.per_second("good")
    rows = (
        ("best goodput", f"{of_best:,.0f}/s", ""),
        ("goodput", f"{goodput:,.0f}/s, {goodput / of_best:.0%} of the best", "90 %"),
        ("offered", f"{result.sent / result.seconds:,.0f}/s", ""),
        ("good answers, p50 and p99", _latencies(result, "good"), ""),
        ("429 and 503, p50 and p99", _latencies(result, "refused"), "50 ms"),
        ("degraded", f"{result.outcomes.get('degraded', 0):,}", ""),
        ("failed", f"{result.outcomes.get('failed', 0):,}", "0"),
        ("generator", f"{result.own_cpu:.0%} of a core", ""),
        ("generator late, p99", f"{result.late_p99_ms:,.1f} ms", ""),
    )
    for row in rows:
        table.add_row(*row)
    return table


def _latencies(result: Result, outcome: str) -> str:
    nothing = float("nan")
    p50, p99 = (part.get(outcome, nothing) for part in (result.p50_ms, result.p99_ms))
    return f"{p50:,.0f} ms, {p99:,.0f} ms"


def _memory(samples: Sequence[Mapping[str, float]]) -> Table:
    table = Table(title="Resident memory in MiB", title_justify="left")
    for title in ("process", "first", "middle", "last", "most"):
        table.add_column(title)
    for name in samples[0]:
        values = [sample[name] for sample in samples]
        shown = (values[0], values[len(values) // 2], values[-1], max(values))
        table.add_row(name, *(f"{value:,.0f}" for value in shown))
    return table


def _resident_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / (1 << 20)


if __name__ == "__main__":
    sys.exit(main())
