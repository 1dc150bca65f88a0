"""Latency and answers a second: each kind of user and their mix, at several connections."""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from load import Measured, load, rendered
from users import KINDS, KNOWN

CONNECTIONS = (1, 8, 32)
WARM_UP_S = 0.5


@dataclass(frozen=True)
class Cell:
    """One row of the table at one number of connections: medians over the runs."""

    name: str
    connections: int
    per_second: float
    p50_ms: float
    p99_ms: float
    requests: int
    errors: int
    degraded: float
    """Share of the answers, 0 to 1."""
    own_cpu: float
    """Share of a core that the load generator took, 0 to 1."""
    route: str


def request_sets(
    url: str, users: Mapping[str, Sequence[int]], movies: Sequence[int]
) -> dict[str, list[bytes]]:
    """Return the requests of each row, in an order that repeats."""
    sets = {name: [_get_list(url, i) for i in ids] for name, ids in users.items()}
    draw = random.Random(3)
    sets["known users"] = [one for name in KNOWN for one in sets[name]]
    sets["all, mixed"] = [one for kind in KINDS for one in sets[kind.name]]
    for name in ("known users", "all, mixed"):
        draw.shuffle(sets[name])
    sets["similar to a film"] = [
        rendered(url, "GET", f"/v1/movies/{movie_id}/similar") for movie_id in movies[:200]
    ]
    return sets


def _get_list(url: str, user_id: int) -> bytes:
    return rendered(url, "GET", f"/v1/users/{user_id}/recommendations")


async def latencies(
    url: str, sets: Mapping[str, Sequence[bytes]], runs: int, seconds: float
) -> list[Cell]:
    """Measure every row at every number of connections, `runs` times in alternation."""
    seen: dict[tuple[str, int], list[Measured]] = {}
    for _ in range(runs):
        for (name, requests), connections in itertools.product(sets.items(), CONNECTIONS):
            await load(url, _turning(requests), connections, WARM_UP_S)
            measured = await load(url, _turning(requests), connections, seconds)
            seen.setdefault((name, connections), []).append(measured)
    return [_cell(name, connections, found) for (name, connections), found in seen.items()]


def _turning(requests: Sequence[bytes]) -> Iterator[bytes]:
    return itertools.cycle(requests)


def _cell(name: str, connections: int, runs: Sequence[Measured]) -> Cell:
    n = sum(len(run.latencies) for run in runs)
    if not n:
        raise SystemExit(f"{name}, {connections} connections: no answer came")
    routes = sum((run.routes for run in runs), runs[0].routes.__class__())
    return Cell(
        name,
        connections,
        per_second=median(run.per_second for run in runs),
        p50_ms=median(run.quantile_ms(0.5) for run in runs),
        p99_ms=median(run.quantile_ms(0.99) for run in runs),
        requests=n,
        errors=sum(run.errors for run in runs),
        degraded=sum(run.degraded for run in runs) / max(1, n),
        own_cpu=median(run.own_cpu / run.seconds for run in runs),
        route=" ".join(f"{route} {n}" for route, n in routes.most_common()),
    )
