"""Time and memory of an import, of a table of ratings that is written for it.

`python tests/bench/importing.py --ratings 25000000` writes films and ratings as CSV once into
--state, imports them as a user does, and prints seconds (wall and CPU), the peak of memory, and
what 25 M ratings would take at this rate. The budget on two cores is 90 s and 4 GiB.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv
from rich.console import Console
from rich.table import Table

from stage_cost import Cost, Limits, run_command

FILMS, PER_USER = 62_003, 154
"""Films, a prime, and ratings of a user, as in ml-25m."""
WHOLE = 25_000_000
CHUNK = 1 << 20
BUDGET_S, BUDGET_GIB = 90.0, 4.0
IDS = ("whole", "uuid")


def main() -> int:
    """Measure, and print a table; the status tells whether the budget is kept."""
    asked = _arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.state or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        release = folder / f"release-{asked.ids}-{asked.ratings}"
        if not release.exists():
            write(release, asked.ratings, asked.ids)
        shutil.rmtree(folder / "state", ignore_errors=True)
        limits = Limits(3600, 16)
        costs = [
            run_command("check", ["data", "check", str(release)], folder, limits),
            run_command("import", ["data", "import", str(release)], folder, limits),
        ]
        size = sum(file.stat().st_size for file in release.iterdir())
    _print(costs, asked.ratings, size)
    if asked.json:
        print(json.dumps([vars(cost) for cost in costs]))  # noqa: T201 (it is the output)
    cost = costs[-1]
    is_kept = cost.cpu_s <= BUDGET_S and cost.peak_mib <= 1024 * BUDGET_GIB
    return 0 if not cost.outcome and (is_kept or asked.ratings < WHOLE) else 1


def write(folder: Path, ratings: int, ids: str) -> None:
    """Write films and ratings; no user rates a film twice."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    films = "".join(f"{i},Film {i} ({1950 + i % 70}),Drama|Comedy\n" for i in range(1, FILMS + 1))
    (part / "movies.csv").write_text("movieId,title,genres\n" + films)
    kinds = [pa.string() if ids == "uuid" else pa.int64(), pa.int64(), pa.float64(), pa.int64()]
    names = ("userId", "movieId", "rating", "timestamp")
    schema = pa.schema(list(zip(names, kinds, strict=True)))
    options = csv.WriteOptions(quoting_style="none")
    with csv.CSVWriter(part / "ratings.csv", schema, write_options=options) as writer:
        for first in range(0, ratings, CHUNK):
            rows = np.arange(first, min(first + CHUNK, ratings))
            writer.write_table(pa.table(_columns(rows, ids), schema=schema))
    part.rename(folder)


def _columns(rows: np.ndarray, ids: str) -> list[pa.Array]:
    """Return the columns of some rows; each user goes through the films in steps of its own."""
    users, nth = rows // PER_USER + 1, rows % PER_USER
    movies = (users * 7919 + nth * (users * 31 % (FILMS - 1) + 1)) % FILMS + 1
    halves = (rows * 2654435761 >> 7) % 10 + 1
    times = 1_000_000_000 + users * 4000 + nth * 13
    texts = pa.array(users)
    if ids == "uuid":
        distinct, places = np.unique(users, return_inverse=True)
        named = [f"3f2504e0-4f89-41d3-9a0c-{user:012x}" for user in distinct.tolist()]
        texts = pa.array(named).take(pa.array(places))
    return [texts, pa.array(movies), pa.array(halves / 2), pa.array(times)]


def _print(costs: list[Cost], ratings: int, size: int) -> None:
    table = Table(
        "command", "wall s", "CPU s", "peak MiB", "CPU s for 25 M", "outcome",
        title=f"{ratings:,} ratings, {size / 1e6:,.0f} MB", title_justify="left", box=None,
    )  # fmt: skip
    for cost in costs:
        seconds = (f"{s:.1f}" for s in (cost.wall_s, cost.cpu_s))
        at_25m = f"{cost.cpu_s * WHOLE / ratings:.0f}"
        table.add_row(cost.name, *seconds, f"{cost.peak_mib:,.0f}", at_25m, cost.outcome or "done")
    Console().print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--ratings", type=int, default=5_000_000, help="Rows of the table.")
    parser.add_argument("--ids", choices=IDS, default="whole", help="Ids of users.")
    parser.add_argument("--state", type=Path, help="Folder to keep the tables in.")
    parser.add_argument("--json", action="store_true", help="Write JSON too.")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
