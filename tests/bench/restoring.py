"""Time to rebuild an empty Redis from a snapshot, and to verify it, on generated data.

`python tests/bench/restoring.py --ratings 1000000` writes data once into --state, imports it as
snapshot 0, starts a Valkey of its own, and prints what `marquee rebuild` and `marquee verify` take.
"""

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import redis
from rich.console import Console
from rich.table import Table

from marquee.bus.factory import open_bus
from marquee.bus.topics import create_topics
from marquee.consumer.handlers.by_service import FACTS_BY_SERVICE
from marquee.settings import Settings
from marquee.snapshots.format import newest_snapshot
from marquee_local.servers import valkey
from trainer.datasets.reader import read_dataset
from trainer.datasets.synthetic import generate
from trainer.history.history import History
from trainer.operations.rebuild import Rebuilder
from trainer.operations.verify import Verification

SERVICES = [name for name in FACTS_BY_SERVICE if name != "trainer"]


def main() -> int:
    """Measure, and print a table."""
    asked = _arguments()
    with tempfile.TemporaryDirectory() as temporary:
        state = asked.state or Path(temporary)
        ratings = _import(state, asked)
        with valkey(state / "valkey") as url:
            settings = Settings.model_validate({"state": state, "redis_url": url})
            bus = open_bus(settings)
            create_topics(bus, settings.partitions)
            bus.close()
            rebuilt = [_seconds(lambda: _rebuild(settings)) for _ in range(asked.runs)]
            verified = [_seconds(lambda: _verify(settings)) for _ in range(asked.runs)]
            with redis.Redis.from_url(url) as client:
                memory = client.info("memory")["used_memory"]
    _print(ratings, asked.runs, rebuilt, verified, int(memory))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ratings", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=6_000)
    parser.add_argument("--movies", type=int, default=4_000)
    parser.add_argument("--data", type=Path, help="a data set to take instead of generated data")
    parser.add_argument("--state", type=Path, help="folder that keeps the imported data")
    parser.add_argument("--runs", type=int, default=3)
    return parser.parse_args()


def _import(state: Path, asked: argparse.Namespace) -> int:
    """Make the data set snapshot 0, once; return how many ratings it has."""
    settings = Settings.model_validate({"state": state})
    if (held := newest_snapshot(settings.history)) is not None:
        return held.manifest.ratings
    source = asked.data or state / "data"
    if asked.data is None:
        generate(asked.users, asked.movies, asked.ratings, 1, source)
    dataset, _ = read_dataset(source)
    history = History(settings.history, settings.partitions)
    return history.import_dataset(dataset).manifest.ratings


def _rebuild(settings: Settings) -> None:
    rebuilding = Rebuilder(settings)
    for _ in rebuilding.run(SERVICES, replace=True):
        pass
    rebuilding.close()


def _verify(settings: Settings) -> None:
    verification = Verification(settings)
    bad = [verdict for verdict in verification.run(list(FACTS_BY_SERVICE)) if not verdict.equal]
    verification.close()
    if bad:
        sys.exit(f"the rebuilt facts are not those of the snapshot: {bad[:3]}")


def _seconds(call: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds of the clock and of this process."""
    started, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - started, time.process_time() - cpu


def _print(
    ratings: int,
    runs: int,
    rebuilt: list[tuple[float, float]],
    verified: list[tuple[float, float]],
    memory: int,
) -> None:
    table = Table("what", "seconds", "of CPU", title=f"{ratings:,} ratings, medians of {runs}")
    for name, seconds in (("marquee rebuild", rebuilt), ("marquee verify", verified)):
        clock, cpu = (f"{statistics.median(part):.1f}" for part in zip(*seconds, strict=True))
        table.add_row(name, clock, cpu)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console = Console()
    console.print(table)
    console.print(f"facts of {len(SERVICES)} services in Redis: {memory / 2**20:,.0f} MiB")
    console.print(f"memory of the command at most: {peak:,.0f} MiB")


if __name__ == "__main__":
    sys.exit(main())
