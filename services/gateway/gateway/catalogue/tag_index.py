"""Which movies carry a tag: for the filter `tag`."""

import functools
from collections.abc import Iterable, Mapping, Sequence

MIN_RELEVANCE = 0.2
"""A movie carries a tag from this relevance on.

The tag genome's tags are kept from 0.5 on. The tags that users gave come to 0.2 to 0.5 where one
user gave them; below 0.2 are those that are on every tenth tagged movie, such as notes to oneself.
"""


@functools.lru_cache(65536)
def fold_tag(tag: str) -> str:
    """Return a tag in the form in which equal tags are equal: casefolded, single spaces."""
    return " ".join(tag.casefold().split())


def relevant_tags(tags: Mapping[str, float]) -> set[str]:
    """Return the folded names of the relevant ones of tags (name → relevance)."""
    return {fold_tag(name) for name, relevance in tags.items() if relevance >= MIN_RELEVANCE}


class TagIndex:
    """Folded tag → the ids of the movies that carry it."""

    def __init__(self, movies: Iterable[tuple[int, Mapping[str, float]]] = ()) -> None:
        # Lists, not sets: a movie is rarely taken out, and they hold little besides the ids.
        self._movies: dict[str, list[int]] = {}
        for movie_id, tags in movies:
            self.put(movie_id, tags)

    def put(self, movie_id: int, tags: Mapping[str, float]) -> None:
        """Add a movie that the index does not have."""
        for name in relevant_tags(tags):
            self._movies.setdefault(name, []).append(movie_id)

    def remove(self, movie_id: int, tags: Mapping[str, float]) -> None:
        """Take out a movie that was put with these tags."""
        for name in relevant_tags(tags):
            movies = self._movies[name]
            movies.remove(movie_id)
            if not movies:
                del self._movies[name]

    def movies(self, tag: str) -> Sequence[int]:
        """Return the ids of the movies that carry a tag, in whatever case; none: unknown tag."""
        return self._movies.get(fold_tag(tag), ())
