"""Index of movies by tag, for the filter `tag`."""

import functools
from collections.abc import Iterable, Mapping, Sequence

MIN_RELEVANCE = 0.2
"""Least relevance at which a movie carries a tag.

Tags of the tag genome have 0.5 or more. A tag that one user gave has 0.2 to 0.5; those below 0.2
are on every tenth tagged movie, such as personal notes.
"""


@functools.lru_cache(65536)
def fold_tag(tag: str) -> str:
    """Return a tag's canonical form: casefolded, single spaces."""
    return " ".join(tag.casefold().split())


def relevant_tags(tags: Mapping[str, float]) -> set[str]:
    """Return the folded names of the relevant tags among `tags` (name → relevance)."""
    return {fold_tag(name) for name, relevance in tags.items() if relevance >= MIN_RELEVANCE}


class TagIndex:
    """Inverted index: folded tag → ids of the movies that carry it."""

    def __init__(self, movies: Iterable[tuple[int, Mapping[str, float]]] = ()) -> None:
        # Lists, not sets: removals are rare, and lists need little memory beyond the ids.
        self._movies: dict[str, list[int]] = {}
        for movie_id, tags in movies:
            self.put(movie_id, tags)

    def put(self, movie_id: int, tags: Mapping[str, float]) -> None:
        """Add a movie that the index does not have."""
        for name in relevant_tags(tags):
            self._movies.setdefault(name, []).append(movie_id)

    def remove(self, movie_id: int, tags: Mapping[str, float]) -> None:
        """Remove a movie that was put with these tags."""
        for name in relevant_tags(tags):
            movies = self._movies[name]
            movies.remove(movie_id)
            if not movies:
                del self._movies[name]

    def movies(self, tag: str) -> Sequence[int]:
        """Return the ids of the movies that carry a tag, ignoring case; none for an unknown tag."""
        return self._movies.get(fold_tag(tag), ())
