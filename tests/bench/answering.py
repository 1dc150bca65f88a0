"""Latency of one model service's answers, in this process on a bundle: no network, no store.

`python tests/bench/answering.py MODEL BUNDLE` prints its results as JSON.
"""

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.arrays import Reals
from marquee.domain.genres import GENRES
from marquee.domain.movies import Movie
from marquee.domain.rating_sums import RatingSums
from marquee.domain.ratings import RatedMovies
from marquee.domain.recommendation import RecommendRequest, Route
from marquee.features.movie_table import MovieTable
from marquee.features.popularity import LivePopularity, MovieSums
from marquee.serving.movie_rows import MovieTableWriter
from marquee.serving.replica import ServingState

COUNTS = (1, 3, 10, 50, 300)
"""Ratings of the users who ask."""
ROUTES = {
    "content": Route.SIMILAR, "hybrid": Route.HYBRID,
    "user-model": Route.USER_CLUSTER, "neural": Route.NEURAL,
}  # fmt: skip
Ratings = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]

_TIMES = 200
_WARM = 20
_USERS = 40


@dataclass(frozen=True)
class Answered:
    """Duration of a call in ms: p50 by the clock, and CPU time, free of other load.

    `ratings` None: the derivation of a new movie or user, not an answer.
    """

    model: str
    what: str
    ratings: int | None
    movies: int
    p50_ms: float
    cpu_p50_ms: float
    cpu_p99_ms: float
    resident_mib: float


def answers_of(model: str, bundle: Path) -> list[Answered]:
    """Return the cost of a model's answers, measured in a child process; empty without a bundle."""
    if not bundle.is_dir():
        return []
    command = [sys.executable, __file__, model, str(bundle)]
    text = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return [Answered(**values) for values in json.loads(text)]


def _measure(name: str, bundle: Path) -> list[Answered]:
    service = importlib.import_module(f"{name.replace('-', '_')}.app").SERVICE
    model: Any = service.load(bundle)
    movies: MovieTable = model.movies()
    popularity = LivePopularity(movies, _sums(model), model.half_life)
    serving = ServingState(model, movies, popularity, MovieTableWriter(model, movies, None))
    found = []

    def add(what: str, ratings: int | None, call: Callable[[int], object]) -> None:
        clock, cpu = _times(call)
        p50, p99 = np.percentile(cpu, (50, 99)).tolist()
        median = float(np.median(clock))
        found.append(Answered(name, what, ratings, len(movies), median, p50, p99, _resident_mib()))

    for count in COUNTS:
        asked = [_request(name, user) for user in _users(model, count)]

        def answer(i: int, asked: list[RecommendRequest] = asked) -> object:
            return service.answer(serving, asked[i % len(asked)])

        add("answer", count, answer)
    if hasattr(model, "row"):
        movie = Movie(
            movie_id=2**31 - 2, title="New", year=2019, genres=GENRES[2:5], tags=_some_tags(model)
        )
        add("new film", None, lambda _i: model.row(movie, (0, 0, 0)))
    if hasattr(model, "encode") and name in ("user-model", "neural"):
        rated = [RatedMovies(ids, stars) for ids, stars in _users(model, 50)]
        add("new viewer", None, lambda i: model.encode(rated[i % len(rated)]))
    return found


def _times(call: Callable[[int], object]) -> Reals:
    """Return the ms by the clock and of CPU, 2 × calls, after some calls that warm up."""
    times = []
    for i in range(_WARM + _TIMES):
        clock, cpu = time.perf_counter(), time.thread_time()
        call(i)
        times.append((time.perf_counter() - clock, time.thread_time() - cpu))
    return 1000 * np.array(times[_WARM:]).T


def _sums(model: Any) -> MovieSums:
    sums = MovieSums()
    ids, rows = model.base.movie_ids.tolist(), model.base_sums.tolist()
    sums.replace(0, {i: RatingSums(*row) for i, row in zip(ids, rows, strict=True)})
    return sums


def _users(model: Any, count: int) -> list[Ratings]:
    """Return users with this number of ratings, of movies drawn by popularity."""
    rng = np.random.default_rng(count)
    n = model.base_sums[:, 0]
    share = n / n.sum()
    size = min(count, int((n > 0).sum()))
    return [
        (
            model.base.movie_ids[rng.choice(len(n), size, replace=False, p=share)],
            rng.choice([2.0, 3.0, 4.0, 4.5, 5.0], size).astype(np.float32),
        )
        for _ in range(_USERS)
    ]


def _request(name: str, user: Ratings) -> RecommendRequest:
    ids, stars = user[0].tolist(), user[1].tolist()
    if name == "content":
        return RecommendRequest(route=ROUTES[name], viewed=tuple(ids), k=10)
    pairs = tuple(zip(ids, stars, strict=True))
    return RecommendRequest(route=ROUTES[name], ratings=pairs, k=10)


def _some_tags(model: Any) -> dict[str, float]:
    """Return as many tags as a movie has at most, of the model's own vocabulary."""
    for place in (model, getattr(model, "cold", None), getattr(model, "movie_rows", None)):
        vectors = getattr(place, "movie_vectors", None) or getattr(place, "vectors", None)
        if vectors is not None:
            return dict.fromkeys(vectors.tags[:20], 0.8)
    return {}


def _resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / (1 << 20)


def main() -> None:
    """Print what the answers of a model cost."""
    name, bundle = sys.argv[1:]
    json.dump([asdict(one) for one in _measure(name, Path(bundle))], sys.stdout)


if __name__ == "__main__":
    main()
