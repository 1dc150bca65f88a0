"""Which films carry a tag: for the filter `tag`."""

import functools
from collections.abc import Iterable, Mapping, Sequence

RELEVANT = 0.2
"""A film carries a tag from this relevance on.

The tag genome's tags are kept from 0.5 on. The tags that users gave come to 0.2 to 0.5 where one
user gave them; below 0.2 are those that are on every tenth tagged film, such as notes to oneself.
"""


@functools.lru_cache(65536)
def folded(tag: str) -> str:
    """Return a tag in the form in which equal tags are equal: casefolded, single spaces."""
    return " ".join(tag.casefold().split())


def carried(tags: Mapping[str, float]) -> set[str]:
    """Return the folded names of the relevant ones of tags (name → relevance)."""
    return {folded(name) for name, relevance in tags.items() if relevance >= RELEVANT}


class TagIndex:
    """Folded tag → the ids of the films that carry it."""

    def __init__(self, films: Iterable[tuple[int, Mapping[str, float]]] = ()) -> None:
        # Lists, not sets: a film is rarely taken out, and they hold little besides the ids.
        self._films: dict[str, list[int]] = {}
        for movie_id, tags in films:
            self.put(movie_id, tags)

    def put(self, movie_id: int, tags: Mapping[str, float]) -> None:
        """Add a film that the index does not have."""
        for name in carried(tags):
            self._films.setdefault(name, []).append(movie_id)

    def remove(self, movie_id: int, tags: Mapping[str, float]) -> None:
        """Take out a film that was put with these tags."""
        for name in carried(tags):
            films = self._films[name]
            films.remove(movie_id)
            if not films:
                del self._films[name]

    def films(self, tag: str) -> Sequence[int]:
        """Return the ids of the films that carry a tag, in whatever case; none: unknown tag."""
        return self._films.get(folded(tag), ())
