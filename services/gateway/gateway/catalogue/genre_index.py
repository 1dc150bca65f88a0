"""The genres of the catalogue's films: how many films have each, and how it is written."""

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence

from marquee.domain.genres import frequent_spellings, genre_key

_NEAR = 0.6
"""Least similarity of a name that is suggested, in 0..1."""


class GenreIndex:
    """Number of films by genre; of several spellings the most frequent one is the genre's name."""

    def __init__(self, films: Iterable[Sequence[str]] = ()) -> None:
        self._films = Counter(name for genres in films for name in genres)
        self._names: dict[str, str] | None = None

    def put(self, genres: Iterable[str]) -> None:
        """Count a film of these genres."""
        self._films.update(genres)
        self._names = None

    def remove(self, genres: Iterable[str]) -> None:
        """Count a film of these genres no more."""
        self._films -= Counter(genres)
        self._names = None

    @property
    def names(self) -> tuple[str, ...]:
        """All genres, by name."""
        return tuple(sorted(self._by_key().values()))

    def counts(self) -> dict[str, int]:
        """Return the number of films of each genre, by name."""
        counts = dict.fromkeys(self.names, 0)
        for spelling, n in self._films.items():
            counts[self._by_key()[genre_key(spelling)]] += n
        return counts

    def spelling(self, name: str) -> str | None:
        """Return a genre as the catalogue spells it, None where no film has it."""
        return self._by_key().get(genre_key(name))

    def nearest(self, name: str) -> str | None:
        """Return the genre that a mistyped name may mean, None where none is near."""
        found = difflib.get_close_matches(genre_key(name), self._by_key(), 1, _NEAR)
        return self._by_key()[found[0]] if found else None

    def _by_key(self) -> dict[str, str]:
        if self._names is None:
            self._names = frequent_spellings(self._films)
        return self._names
