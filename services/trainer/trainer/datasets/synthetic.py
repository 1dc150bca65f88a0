"""Synthetic data sets of any size in the format of MovieLens, with latent structure.

Movies and users are points in one vector space: a movie lies near the directions of its genres, a
user near one of a few archetypes. Users choose movies by popularity (a power law over the ranks,
cut off at the tail) times e^affinity, and rate them by the movie's quality, their own mean and the
affinity. Tags are directions in the same space, so that they predict who likes a movie. The output
depends on the arguments alone.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from marquee.arrays import Ints, Vector
from marquee.counts import counted
from marquee.domain.genres import GENRES
from marquee.errors import DataError
from trainer.datasets.synthetic_titles import make_tags, make_titles

_DIMENSIONS = 8
_ARCHETYPES = 16
_BLOCK = 256
_CANDIDATES = 2000
_MIN_RATINGS = 20
# With it, co-watching finds twice as many held-out movies as popularity does, as in MovieLens.
_PICKINESS = 5.0
_START, _DAYS = 1_104_537_600, 5_800
# Shares of movies with a genre in percent, in the order of GENRES, as in the published data.
_GENRE_SHARES = np.array(
    [19, 13, 6, 7, 39, 12, 5, 45, 8, 1, 10, 2, 3, 6, 16, 10, 19, 4, 2], np.float64
)


@dataclass(frozen=True)
class _World:
    """Latent structure behind the ratings: m movies and u users in one vector space."""

    genres: npt.NDArray[np.bool_]
    movie_vectors: Vector
    popularity: Vector
    quality: Vector
    users: Vector
    means: Vector


def generate(
    users: int, movies: int, ratings: int, seed: int, directory: Path, genome_tags: int = 0
) -> Path:
    """Write `ratings.csv`, `movies.csv` and `tags.csv` into a folder.

    Args:
        users: Number of users.
        movies: Number of movies.
        ratings: Number of ratings; each user has at least 20 if there are enough.
        seed: Seed of all random draws.
        directory: Folder to write into.
        genome_tags: Number of tags of a tag genome for the more popular half of the movies; 0: no
            genome is written.

    Returns:
        The folder.

    Raises:
        DataError: The numbers contradict each other, or there is data in the folder.
    """
    _check(users, movies, ratings, directory)
    random = np.random.default_rng(seed)
    world = _make_world(users, movies, random)
    counts = _activity(users, movies, ratings, random)
    user_rows, movie_rows, half_stars = _rate(world, counts, random)
    times = _times(counts, random)
    vocabulary, loadings = _tag_space(max(60, genome_tags), random)
    scores = world.movie_vectors @ loadings.T
    directory.mkdir(parents=True, exist_ok=True)
    _write_movies(directory, world.genres, random)
    _write_ratings(directory, user_rows, movie_rows, half_stars, times)
    liked = np.flatnonzero(half_stars >= 8)
    tagged = np.sort(random.choice(liked, len(liked) // 12, replace=False))
    given = (user_rows[tagged], movie_rows[tagged], times[tagged])
    _write_tags(directory, given, scores, vocabulary, random)
    if genome_tags:
        top = np.argsort(-world.popularity, kind="stable")[: (movies + 1) // 2]
        _write_genome(directory, np.sort(top), scores, vocabulary)
    return directory


def _check(users: int, movies: int, ratings: int, directory: Path) -> None:
    if min(users, movies) < 1 or not users <= ratings <= users * (movies // 2):
        size = f"{counted(ratings, 'rating')} by {counted(users, 'user')}"
        raise DataError(
            f"{size} of {counted(movies, 'film')}: there must be at least one rating a user, and"
            " nobody rates more than half of the films"
        )
    if (directory / "ratings.csv").exists():
        raise DataError(f"{directory}: there is a ratings.csv already", "directory")


def _make_world(users: int, movies: int, random: np.random.Generator) -> _World:
    directions = _unit(random.standard_normal((len(GENRES), _DIMENSIONS), np.float32))
    genres = _movie_genres(movies, random)
    movie_vectors = _unit(genres.astype(np.float32) @ directions)
    movie_vectors = _unit(
        movie_vectors + 0.5 * _unit(random.standard_normal(movie_vectors.shape, np.float32))
    )
    quality = random.normal(0.0, 0.45, movies).astype(np.float32)
    # Better movies draw more users, at the same rank of the power law.
    rank = np.argsort(np.argsort(-(quality + random.normal(0.0, 0.8, movies))))
    popularity = (np.exp(-3.0 * rank / movies) / (rank + 120.0)).astype(np.float32)
    archetypes = _unit(random.standard_normal((_ARCHETYPES, _DIMENSIONS), np.float32))
    own = _unit(random.standard_normal((users, _DIMENSIONS), np.float32))
    tastes = _unit(archetypes[random.integers(_ARCHETYPES, size=users)] + 0.8 * own)
    means = random.normal(3.45, 0.4, users).astype(np.float32)
    return _World(genres, movie_vectors, popularity / popularity.sum(), quality, tastes, means)


def _unit(rows: Vector) -> Vector:
    norms = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    unit: Vector = rows / np.maximum(norms, np.float32(1e-6))[:, None]
    return unit


def _movie_genres(movies: int, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return a mask, m × 19: one to four genres a movie, the frequent ones more often."""
    numbers = random.choice([1, 2, 3, 4], movies, p=[0.32, 0.36, 0.23, 0.09])
    # The n smallest of exponential variates over weights are a draw without replacement.
    keys = random.standard_exponential((movies, len(GENRES))) / _GENRE_SHARES
    places = np.argsort(np.argsort(keys, axis=1), axis=1)
    mask: npt.NDArray[np.bool_] = places < numbers[:, None]
    return mask


def _activity(users: int, movies: int, ratings: int, random: np.random.Generator) -> Ints:
    """Return the number of ratings of each user: log-normal above a floor, `ratings` in total."""
    floor = min(_MIN_RATINGS, ratings // users)
    extra = ratings - floor * users
    limit = movies // 2 - floor
    weights = random.lognormal(0.0, 1.2, users)
    counts = np.zeros(users, np.int64)
    while (left := extra - int(counts.sum())) > 0:
        open_weights = np.where(counts < limit, weights, 0.0)
        share = np.floor(left * open_weights / open_weights.sum()).astype(np.int64)
        if not share.any():
            share = (np.argsort(np.argsort(-open_weights)) < left).astype(np.int64)
        counts = np.minimum(counts + share, limit)
    return counts + floor


def _rate(
    world: _World, counts: Ints, random: np.random.Generator
) -> tuple[Ints, Ints, npt.NDArray[np.uint8]]:
    """Return user row, movie row and half stars of each rating, sorted by user, then movie."""
    by_activity = np.argsort(counts, kind="stable")
    chosen: list[Ints] = []
    for start in range(0, len(counts), _BLOCK):
        block = by_activity[start : start + _BLOCK]
        chosen.append(_choose(world, world.users[block], counts[block], random))
    user_rows = np.repeat(by_activity, counts[by_activity])
    movie_rows = np.concatenate(chosen)
    order = np.lexsort((movie_rows, user_rows))
    user_rows, movie_rows = user_rows[order], movie_rows[order]
    return user_rows, movie_rows, _half_stars(world, user_rows, movie_rows, random)


def _choose(world: _World, tastes: Vector, counts: Ints, random: np.random.Generator) -> Ints:
    """Draw the movies of a block of users: counts[0] movies of the first user, and so on.

    A block shares a pool of candidates, drawn by popularity. Each user draws from the pool with
    weights of e^affinity times the popularity, divided by the probability of being in the pool.
    Both draws are without replacement: the smallest of exponential variates over weights
    (Efraimidis and Spirakis 2006).
    """
    movies = len(world.popularity)
    size = min(movies, max(_CANDIDATES, 4 * int(counts.max())))
    race = random.standard_exponential(movies, np.float32) / world.popularity
    pool = np.argpartition(race, size - 1)[:size] if size < movies else np.arange(movies)
    drawn = -np.expm1(-race[pool].max() * world.popularity[pool]) if size < movies else 1.0
    weights = (
        np.exp(_PICKINESS * (tastes @ world.movie_vectors[pool].T)) * world.popularity[pool] / drawn
    )
    keys = random.standard_exponential(weights.shape, np.float32) / weights
    ranked = np.argpartition(keys, int(counts.max()) - 1, axis=1)[:, : int(counts.max())]
    closest = np.take_along_axis(keys, ranked, axis=1)
    ranked = np.take_along_axis(ranked, np.argsort(closest, axis=1), axis=1)
    chosen: Ints = pool[ranked[np.arange(ranked.shape[1]) < counts[:, None]]]
    return chosen


def _half_stars(
    world: _World, user_rows: Ints, movie_rows: Ints, random: np.random.Generator
) -> npt.NDArray[np.uint8]:
    half_stars = np.empty(len(user_rows), np.uint8)
    for start in range(0, len(user_rows), 1 << 20):
        part = slice(start, start + (1 << 20))
        users, movies = user_rows[part], movie_rows[part]
        affinity = np.einsum("nd,nd->n", world.users[users], world.movie_vectors[movies])
        stars = world.means[users] + world.quality[movies] + 1.5 * (affinity - 0.4)
        stars += 0.8 * random.standard_normal(len(users), np.float32)
        half_stars[part] = np.clip(np.rint(2 * stars), 1, 10)
    return half_stars


def _times(counts: Ints, random: np.random.Generator) -> Ints:
    """Return the times of the ratings by user: a first session, and later ones."""
    starts = np.repeat(_START + random.integers(0, _DAYS * 86_400, len(counts)), counts)
    n = len(starts)
    later = random.random(n) < 0.4
    days = np.where(later, np.floor(random.exponential(200.0, n)), 0.0)
    return np.asarray(starts + days * 86_400 + random.integers(0, 3_600, n), np.int64)


def _tag_space(n: int, random: np.random.Generator) -> tuple[list[str], Vector]:
    return make_tags(n, random), _unit(random.standard_normal((n, _DIMENSIONS), np.float32))


def _write_movies(
    directory: Path, genres: npt.NDArray[np.bool_], random: np.random.Generator
) -> None:
    movies = len(genres)
    years = 2019 - np.minimum(random.exponential(18.0, movies), 95.0).astype(np.int64)
    titles = make_titles(movies, random)
    names = np.array(GENRES)
    with (directory / "movies.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["movieId", "title", "genres"])
        for i, (title, year) in enumerate(zip(titles, years, strict=True)):
            writer.writerow([i + 1, f"{title} ({year})", "|".join(names[genres[i]])])


def _write_ratings(
    directory: Path,
    user_rows: Ints,
    movie_rows: Ints,
    half_stars: npt.NDArray[np.uint8],
    times: Ints,
) -> None:
    stars = pa.array([f"{half / 2:.1f}" for half in range(11)])
    table = {
        "userId": user_rows + 1,
        "movieId": movie_rows + 1,
        "rating": stars.take(pa.array(half_stars)),
        "timestamp": times,
    }
    _write(directory / "ratings.csv", table)


def _write_tags(
    directory: Path,
    given: tuple[Ints, Ints, Ints],
    scores: Vector,
    vocabulary: list[str],
    random: np.random.Generator,
) -> None:
    """Write one tag for each of the given ratings: one of the movie's strongest tags."""
    user_rows, movie_rows, times = given
    strongest = np.argsort(-scores, axis=1, kind="stable")[:, :6]
    choice = np.minimum(random.geometric(0.4, len(user_rows)) - 1, strongest.shape[1] - 1)
    table = {
        "userId": user_rows + 1,
        "movieId": movie_rows + 1,
        "tag": pa.array(vocabulary).take(pa.array(strongest[movie_rows, choice])),
        "timestamp": times + 60,
    }
    _write(directory / "tags.csv", table)


def _write_genome(directory: Path, movie_rows: Ints, scores: Vector, vocabulary: list[str]) -> None:
    n = len(vocabulary)
    relevances = 1.0 / (1.0 + np.exp(-(10.0 * scores[movie_rows] - 5.0)))
    _write(directory / "genome-tags.csv", {"tagId": np.arange(1, n + 1), "tag": vocabulary})
    table = {
        "movieId": np.repeat(movie_rows + 1, n),
        "tagId": np.tile(np.arange(1, n + 1), len(movie_rows)),
        "relevance": np.round(relevances.ravel().astype(np.float64), 5),
    }
    _write(directory / "genome-scores.csv", table)


def _write(path: Path, columns: dict[str, Any]) -> None:
    options = pyarrow.csv.WriteOptions(quoting_style="none", include_header=False)
    with path.open("wb") as file:
        file.write((",".join(columns) + "\n").encode())
        pyarrow.csv.write_csv(pa.table(columns), file, options)
