"""Names and descriptions of segments: genres, decade and tag by lift, and typical movies."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from marquee.arrays import Floating, Reals
from marquee.domain.genres import catalogue_genres, multi_hot
from marquee.domain.movies import Movie

_MIN_SHARES = {"genres": 0.25, "decades": 0.3, "tags": 0.05}
"""Share of a segment that a word must hold for, by kind of word."""
_MIN_LIFT = 1.25
"""Ratio of this share to that everywhere from which on a word is distinctive."""
_MIN_RELEVANCE = 0.5
"""Relevance from which on a movie carries a tag."""
_MAX_TAGS, _MIN_TAGGED = 300, 5
"""Tags that are looked at: the most frequent, of movies that are not too few."""
_TYPICAL = 30
"""Movies that a description lists: enough to find the segment again in another version."""


def describe_segments(
    weights: Reals, sizes: Sequence[int], movies: Sequence[Movie], likes: Reals
) -> list[dict[str, Any]]:
    """Return a description of each of s segments, for operators.

    Args:
        weights: How much of each movie is in each segment, s × n: 1 for a movie of the segment, or
            the likes of the segment's users.
        sizes: Movies or users of each segment, s.
        movies: The movies, n.
        likes: Likes that tell which movies are typical of a segment, s × n.

    Returns:
        By segment: `id`, `name`, `size`, shares of all `genres`, distinctive words (`apart`) and
        the ids of the most `typical` movies.
    """
    genre_names = catalogue_genres(movie.genres for movie in movies)
    genres = multi_hot([movie.genres for movie in movies], genre_names)
    decades, decade_names = _decades(movies)
    tags, tag_names = _tags(movies)
    everything = weights.sum(axis=0, keepdims=True)
    shares = [_shares(weights, flags) for flags in (genres, decades, tags)]
    overall = [_shares(everything, flags)[0] for flags in (genres, decades, tags)]
    vocabularies = (genre_names, decade_names, tag_names)
    used: dict[str, int] = {}
    descriptions = []
    for i, size in enumerate(sizes):
        words = [
            _distinctive(share[i], everywhere, names, min_share)
            for share, everywhere, names, min_share in zip(
                shares, overall, vocabularies, _MIN_SHARES.values(), strict=True
            )
        ]
        description = {
            "id": i,
            "name": _unique(_name(*words), used),
            "size": int(size),
            "genres": {
                name: round(float(shares[0][i, g]), 4) for g, name in enumerate(genre_names)
            },
            "apart": dict(zip(_MIN_SHARES, words, strict=True)),
            "typical": _typical(likes, i, movies),
        }
        descriptions.append(description)
    return descriptions


def _shares(weights: Reals, flags: Floating) -> Reals:
    """Return the share of each segment's weight with each of w flags (n × w), s × w."""
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    shares: Reals = (weights @ flags) / total
    return shares


def _distinctive(share: Reals, overall: Reals, names: Sequence[str], min_share: float) -> list[str]:
    """Return up to three names, those most frequent here compared with everywhere first."""
    lift = share / np.maximum(overall, 1e-9)
    fitting = np.flatnonzero((share >= min_share) & (lift >= _MIN_LIFT))
    order = fitting[np.argsort(-(lift * np.sqrt(share))[fitting], kind="stable")][:3]
    return [names[i] for i in order]


def _name(genres: list[str], decades: list[str], tags: list[str]) -> str:
    words = [", ".join(genres[:2]) or "Mixed", *decades[:1], *(f"“{tag}”" for tag in tags[:1])]
    return " · ".join(words)


def _unique(name: str, used: dict[str, int]) -> str:
    """Return the name, with its number where it was used before."""
    used[name] = used.get(name, 0) + 1
    return name if used[name] == 1 else f"{name} ({used[name]})"


def _typical(likes: Reals, segment: int, movies: Sequence[Movie]) -> list[int]:
    """Return the ids of the movies with the largest share · log(1 + lift) of a segment's likes."""
    share = likes[segment] / max(likes[segment].sum(), 1e-12)
    overall = likes.sum(axis=0) / max(likes.sum(), 1e-12)
    score = share * np.log1p(share / np.maximum(overall, 1e-12))
    order = np.argsort(-score, kind="stable")[:_TYPICAL]
    return [movies[i].movie_id for i in order if score[i] > 0]


def _decades(movies: Sequence[Movie]) -> tuple[Reals, list[str]]:
    """Return which of w decades each movie is of, n × w, and their names."""
    years = np.array([movie.year or 0 for movie in movies]) // 10 * 10
    decades = sorted(set(years[years > 0].tolist()))
    flags = years[:, None] == np.array(decades)[None, :]
    return flags.astype(float), [f"{decade}s" for decade in decades]


def _tags(movies: Sequence[Movie]) -> tuple[Reals, list[str]]:
    """Return which of w frequent tags each movie carries, n × w, and their names."""
    counts: dict[str, int] = {}
    tags_of = [
        [tag for tag, relevance in movie.tags.items() if relevance >= _MIN_RELEVANCE]
        for movie in movies
    ]
    for tags in tags_of:
        for tag in tags:
            counts[tag] = counts.get(tag, 0) + 1
    frequent = (tag for tag, n in counts.items() if n >= _MIN_TAGGED)
    names = sorted(frequent, key=lambda tag: (-counts[tag], tag))[:_MAX_TAGS]
    columns = {tag: i for i, tag in enumerate(names)}
    flags = np.zeros((len(movies), len(names)))
    for row, tags in enumerate(tags_of):
        flags[row, [columns[tag] for tag in tags if tag in columns]] = 1
    return flags, names
