"""The relevance of tags to movies, 0 to 1: from the tag genome, or from the tags that users gave."""

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

MIN_RELEVANCE = 0.5
"""A genome tag below this says more of what a movie is not."""
TAGS_PER_MOVIE = 20
"""Only the most relevant tags of a movie are kept."""
MAX_LENGTH = 100

Tags = dict[int, dict[str, float]]


def clean_tag(text: str) -> str:
    """Return a tag in the form in which equal tags are equal: casefolded, single spaces."""
    return " ".join(text.casefold().split())


def genome_tags(
    movie_ids: npt.NDArray[np.int64],
    tag_ids: npt.NDArray[np.int64],
    relevances: npt.NDArray[np.float32],
    names: Mapping[int, str],
) -> Tags:
    """Return the tags of each movie, most relevant first, of the n scores of the tag genome.

    Vig, Sen and Riedl 2012, The Tag Genome. Kept are relevances of at least 0.5, the 20 highest of
    a movie, at equal relevance the smaller tag id; scores of tags without a name are left out.
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
    """Return the tags of each movie, most relevant first, of (user id, movie id, clean tag) given.

    A TF-IDF scaled to 0..1, the same for the same counts in any movie: given by n users, on `df` of
    the N tagged movies, a tag's relevance is (1 - 2^-n) · log(1 + N / df) / log(1 + N). The first
    factor is the trust in n voices (one: a half), the second is 1 for a tag of one movie only. Kept
    are the 20 highest of a movie, at equal relevance in the order of the alphabet.
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
