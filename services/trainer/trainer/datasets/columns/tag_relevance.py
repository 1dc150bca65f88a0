"""Relevance of tags to movies, 0 to 1: by the tag genome, or by the tags that users gave."""

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

MIN_RELEVANCE = 0.5
"""Genome tags below this rather say what a movie is not."""
TAGS_PER_MOVIE = 20
"""Number of the most relevant tags of a movie that are stored."""
MAX_LENGTH = 100
MAX_TAGS = 2000
"""Tags whose relevance is stated that a film may have."""

Tags = dict[int, dict[str, float]]


def clean_tag(text: str) -> str:
    """Normalise a tag: casefolded, with single spaces."""
    return " ".join(text.casefold().split())


def genome_tags(
    movie_ids: npt.NDArray[np.int64],
    tag_ids: npt.NDArray[np.int64],
    relevances: npt.NDArray[np.float32],
    names: Mapping[int, str],
) -> Tags:
    """Return the tags of each movie by the tag genome, most relevant first.

    The tag genome is that of Vig, Sen and Riedl (2012). A movie gets its 20 highest relevances of
    at least 0.5, at equal relevance those with smaller tag ids; tags without a name are left out.

    Args:
        movie_ids: Movie of each of the n scores.
        tag_ids: Tag of each score, n.
        relevances: Relevance of the tag to the movie, 0 to 1, n.
        names: Names of tags by id.
    """
    keep = (relevances >= MIN_RELEVANCE) & np.isin(tag_ids, np.fromiter(names, np.int64))
    movies, tag_ids, relevances = movie_ids[keep], tag_ids[keep], relevances[keep]
    order = np.lexsort((tag_ids, -relevances, movies))
    result: Tags = {}
    columns = (movies[order].tolist(), tag_ids[order].tolist(), relevances[order].tolist())
    for movie_id, tag_id, relevance in zip(*columns, strict=True):
        tags = result.setdefault(movie_id, {})
        if len(tags) < TAGS_PER_MOVIE:
            tags.setdefault(names[tag_id], round(relevance, 4))
    return result


def user_tags(given: Iterable[tuple[int, int, str]]) -> Tags:
    """Return the tags of each movie by the tags that users gave, most relevant first.

    The relevance is a TF-IDF scaled to 0..1: for a tag given by n users to the movie, and to `df`
    of the N tagged movies, it is (1 - 2^-n) · log(1 + N / df) / log(1 + N). The first factor is the
    confidence in n users (a half for one), the second is 1 for a tag of a single movie. A movie
    gets its 20 highest relevances, at equal relevance in alphabetical order.

    Args:
        given: (user id, movie id, clean tag) of each tag given.
    """
    counts: dict[int, dict[str, int]] = {}
    for _, movie_id, tag in set(given):
        tags = counts.setdefault(movie_id, {})
        tags[tag] = tags.get(tag, 0) + 1
    rarity = _rarity(counts)
    return {
        movie_id: _most_relevant({tag: (1.0 - 0.5**n) * rarity[tag] for tag, n in tags.items()})
        for movie_id, tags in sorted(counts.items())
    }


def _rarity(counts: Mapping[int, Mapping[str, int]]) -> dict[str, float]:
    movies: dict[str, int] = {}
    for tags in counts.values():
        for tag in tags:
            movies[tag] = movies.get(tag, 0) + 1
    total = len(counts)
    return {tag: float(np.log1p(total / df) / np.log1p(total)) for tag, df in movies.items()}


def _most_relevant(relevances: Mapping[str, float]) -> dict[str, float]:
    ranked = sorted(relevances.items(), key=lambda item: (-item[1], item[0]))
    return {tag: round(relevance, 4) for tag, relevance in ranked[:TAGS_PER_MOVIE]}
