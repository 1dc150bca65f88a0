"""`make soak`: steady load for a long time, to find growth of memory, open files and keys.

Exit status 1: something grows. Slopes are medians of the slopes between all pairs of samples
(Theil and Sen), so that a single step, such as a table that doubles, is no trend.
"""

import argparse
import contextlib
import itertools
import json
import os
import sys
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import redis
from rich.console import Console
from rich.table import Table

from chaos import Run, folder_of
from chaos_state import prepared
from schedule import PROCESSES
from troubles import Hands

EACH_S = 5.0
WARM_SHARE = 0.4
"""So much of the time is left out: caches and tables fill up."""
MOST = {"MiB": 0.5, "files": 0.2, "threads": 0.1, "keys": 1.0}
"""What may be added a minute and still count as nothing."""
STEP = {"MiB": 3.0, "files": 5.0, "threads": 2.0, "keys": 20.0}
"""So much may be added in all: a connection more or an arena more is no trend."""
LOG = "valkey memory without the log"


@dataclass
class Series:
    """Measurements of one quantity: minutes and values."""

    unit: str
    minutes: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def slope(self) -> float:
        """Return the growth a minute after the warm-up."""
        warm = self.minutes[-1] * WARM_SHARE
        points = [p for p in zip(self.minutes, self.values, strict=True) if p[0] >= warm]
        pairs = itertools.combinations(points, 2)
        return median((b[1] - a[1]) / (b[0] - a[0]) for a, b in pairs)

    @property
    def grows(self) -> bool:
        gained = self.slope() * self.minutes[-1] * (1 - WARM_SHARE)
        return self.slope() > MOST[self.unit] and gained > STEP[self.unit]


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--bus", choices=("redis", "kafka"), default="redis")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=200.0, help="events a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="without torch")
    parser.add_argument("--state", type=Path, help="folder to work in; kept, its models used again")
    asked = parser.parse_args()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    with folder_of(asked.state) as folder:
        models = prepared(folder / "models", neural=not asked.short)
        run = Run(folder / f"soak-{asked.bus}", asked.bus, asked.seed, asked.minutes * 60, asked)
        with run.system(models) as hands, run.traffic():
            series = watched(run, hands, asked.minutes)
        events = sum('"write"' in line for line in run.journal.open())
    console.print(table(series))
    reports = Path(__file__).resolve().parents[2] / "reports"
    reports.mkdir(exist_ok=True)
    said = {name: asdict(one) for name, one in series.items()}
    (reports / "soak.json").write_text(json.dumps(said) + "\n")
    growing = [name for name, one in series.items() if one.grows]
    verdict = f"grows: {', '.join(growing)}" if growing else "nothing grows"
    rate = events / asked.minutes / 60
    console.print(f"soak: {events:,} events in {asked.minutes:g} min ({rate:.0f}/s): {verdict}")
    return 1 if growing else 0


def watched(run: Run, hands: Hands, minutes: float) -> dict[str, Series]:
    """Measure every five seconds for the given number of minutes."""
    series: dict[str, Series] = {}
    started = time.monotonic()
    with redis.Redis.from_url(f"redis://127.0.0.1:{run.redis}/0") as client:
        while (now := (time.monotonic() - started) / 60) < minutes:
            for (name, unit), value in measured(hands, client).items():
                one = series.setdefault(f"{name}, {unit}", Series(unit))
                one.minutes.append(now)
                one.values.append(value)
            time.sleep(EACH_S)
    return series


def measured(hands: Hands, client: Any) -> dict[tuple[str, str], float]:
    """Return memory, files and threads of each process, and memory and keys of the store."""
    found: dict[tuple[str, str], float] = defaultdict(float)
    for name in (*PROCESSES, "kafka.Kafka"):
        for pid in hands.pids(name):
            with contextlib.suppress(OSError):
                folder = Path(f"/proc/{pid}")
                status = dict(
                    line.split(":", 1) for line in (folder / "status").read_text().splitlines()
                )
                found[name, "MiB"] += int(status["VmRSS"].split()[0]) / 1024
                found[name, "threads"] += int(status["Threads"])
                found[name, "files"] += len(os.listdir(folder / "fd"))
    # The log grows by what is sent, and the streams of updates until they are trimmed.
    streams = [key for kind in ("*log:*", "*:updates") for key in client.scan_iter(kind, count=500)]
    taken = sum(client.memory_usage(key, samples=0) or 0 for key in streams)
    found[LOG, "MiB"] = (client.info("memory")["used_memory_dataset"] - taken) / 2**20
    found["valkey", "keys"] = client.dbsize()
    return found


def table(series: dict[str, Series]) -> Table:
    """Return one line for each thing."""
    shown = Table(title="Soak", title_justify="left")
    shown.add_column("what", no_wrap=True)
    for name in ("first", "last", "most", "a minute, once warm", "allowed", "verdict"):
        shown.add_column(name, justify="right")
    for name, one in sorted(series.items()):
        numbers = (one.values[0], one.values[-1], max(one.values))
        verdict = "GROWS" if one.grows else "steady"
        slope, allowed = f"{one.slope():+.3f}", f"{MOST[one.unit]:g}"
        shown.add_row(name, *(f"{number:,.1f}" for number in numbers), slope, allowed, verdict)
    return shown


if __name__ == "__main__":
    sys.exit(main())
