"""What sets a segment apart, in words: genres, decade and tag by lift, and typical movies."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.arrays import Reals
from marquee.domain.movies import GENRES, Movie, genre_mask, genre_matrix

_COMMON = {"genres": 0.25, "decades": 0.3, "tags": 0.05}
"""Share of a segment that a word must hold for."""
_LIFT = 1.25
_TAGGED = 0.5
_TYPICAL = 30
"""Movies that a description lists: enough to know the segment again in another version."""


def describe(
    weights: Reals, sizes: Sequence[int], movies: Sequence[Movie], likes: Reals
) -> list[dict[str, Any]]:
    """Return a description of each of s segments; `weights` s × n tells how much of each movie
    is in it (a movie of the segment, or a like of its users), `likes` s × n what is typical."""
    genres = genre_matrix(np.array([genre_mask(movie.genres) for movie in movies], np.uint32))
    decades, decade_names = _decades(movies)
    tags, tag_names = _tags(movies)
    shares = [_shares(weights, flags) for flags in (genres, decades, tags)]
    everywhere = [
        _shares(weights.sum(axis=0, keepdims=True), f)[0] for f in (genres, decades, tags)
    ]
    taken: dict[str, int] = {}
    described = []
    for i, size in enumerate(sizes):
        words = [
            _apart(share[i], overall, names, _COMMON[kind])
            for kind, share, overall, names in zip(
                _COMMON, shares, everywhere, (GENRES, decade_names, tag_names), strict=True
            )
        ]
        described.append({
            "id": i,
            "name": _unique(_name(*words), taken),
            "size": int(size),
            "genres": {name: round(float(shares[0][i, g]), 4) for g, name in enumerate(GENRES)},
            "apart": dict(zip(_COMMON, words, strict=True)),
            "typical": _typical(likes, i, movies),
        })  # fmt: skip
    return described


def _shares(weights: Reals, flags: npt.NDArray[np.floating]) -> Reals:
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    shares: Reals = (weights @ flags) / total
    return shares


def _apart(share: Reals, overall: Reals, names: Sequence[str], least: float) -> list[str]:
    """Return up to three names, those most frequent here compared with everywhere first."""
    lift = share / np.maximum(overall, 1e-9)
    fitting = np.flatnonzero((share >= least) & (lift >= _LIFT))
    order = fitting[np.argsort(-(lift * np.sqrt(share))[fitting], kind="stable")][:3]
    return [names[i] for i in order]


def _name(genres: list[str], decades: list[str], tags: list[str]) -> str:
    words = [", ".join(genres[:2]) or "Mixed", *decades[:1], *(f"“{tag}”" for tag in tags[:1])]
    return " · ".join(words)


def _unique(name: str, taken: dict[str, int]) -> str:
    taken[name] = taken.get(name, 0) + 1
    return name if taken[name] == 1 else f"{name} ({taken[name]})"


def _typical(likes: Reals, segment: int, movies: Sequence[Movie]) -> list[int]:
    """Return the movies that weigh most, by how much more than elsewhere."""
    share = likes[segment] / max(likes[segment].sum(), 1e-12)
    overall = likes.sum(axis=0) / max(likes.sum(), 1e-12)
    score = share * np.log1p(share / np.maximum(overall, 1e-12))
    order = np.argsort(-score, kind="stable")[:_TYPICAL]
    return [movies[i].movie_id for i in order if score[i] > 0]


def _decades(movies: Sequence[Movie]) -> tuple[Reals, list[str]]:
    years = np.array([movie.year or 0 for movie in movies]) // 10 * 10
    known = sorted(set(years[years > 0].tolist()))
    return (years[:, None] == np.array(known)[None, :]).astype(float), [f"{y}s" for y in known]


def _tags(movies: Sequence[Movie]) -> tuple[Reals, list[str]]:
    counts: dict[str, int] = {}
    carried = [[t for t, relevance in f.tags.items() if relevance >= _TAGGED] for f in movies]
    for tags in carried:
        for tag in tags:
            counts[tag] = counts.get(tag, 0) + 1
    names = sorted((t for t, n in counts.items() if n >= 5), key=lambda t: (-counts[t], t))[:300]
    columns = {tag: i for i, tag in enumerate(names)}
    flags = np.zeros((len(movies), len(names)))
    for row, tags in enumerate(carried):
        flags[row, [columns[tag] for tag in tags if tag in columns]] = 1
    return flags, names
