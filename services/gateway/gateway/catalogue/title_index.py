"""Title search: inverted index of words, ignoring case and accents, with prefix matches."""

import bisect
import re
import unicodedata
from collections.abc import Iterable

_WORD = re.compile(r"\w+")
_ARTICLE_LAST = re.compile(r"^(.*), (the|a|an|les|la|le|l'|los|las|el|il|das|der|die|une|un)\b")

EXACT, BEGINNING, WORDS, PREFIXES = range(4)
"""Match of a title: equals the query; begins with it; has its words; has words that begin so."""


def fold_title(text: str) -> str:
    """Return text without case, accents and punctuation, words separated by one space."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(_WORD.findall("".join(c for c in plain if not unicodedata.combining(c))))


def spoken_title(title: str) -> str:
    """Return a title in spoken order, folded: "Matrix, The" becomes "the matrix"."""
    moved = _ARTICLE_LAST.match(title.casefold())
    return fold_title(f"{moved[2]} {moved[1]} {title[moved.end() :]}" if moved else title)


class TitleIndex:
    """Inverted index of titles' words; the year counts as a word."""

    def __init__(self, movies: Iterable[tuple[int, str, int | None]] = ()) -> None:
        self._movies: dict[str, set[int]] = {}
        self._titles: dict[int, str] = {}
        for movie_id, title, year in movies:
            self._titles[movie_id] = spoken_title(title)
            for word in _words(self._titles[movie_id], year):
                self._movies.setdefault(word, set()).add(movie_id)
        self._sorted = sorted(self._movies)

    def put(self, movie_id: int, title: str, year: int | None) -> None:
        """Add a movie."""
        self._titles[movie_id] = spoken_title(title)
        for word in _words(self._titles[movie_id], year):
            if word not in self._movies:
                self._movies[word] = set()
                bisect.insort(self._sorted, word)
            self._movies[word].add(movie_id)

    def remove(self, movie_id: int, title: str, year: int | None) -> None:
        """Remove a movie that was put with this title and year; its words stay in the index."""
        self._titles.pop(movie_id, None)
        for word in _words(spoken_title(title), year):
            self._movies[word].discard(movie_id)

    def search(self, query: str) -> dict[int, int]:
        """Return movie id → EXACT, BEGINNING, WORDS or PREFIXES for titles with all query words."""
        folded = fold_title(query)
        words = folded.split()
        if not words:
            return {}
        by_prefix = set.intersection(*(self._with_prefix(word) for word in words))
        by_word = set.intersection(*(self._movies.get(word, set()) for word in words))
        return {movie_id: self._match(movie_id, folded, by_word) for movie_id in by_prefix}

    def _match(self, movie_id: int, folded: str, by_word: set[int]) -> int:
        title = self._titles[movie_id]
        if title == folded:
            return EXACT
        if f"{title} ".startswith(f"{folded} "):
            return BEGINNING
        return WORDS if movie_id in by_word else PREFIXES

    def _with_prefix(self, prefix: str) -> set[int]:
        movies: set[int] = set()
        for i in range(bisect.bisect_left(self._sorted, prefix), len(self._sorted)):
            if not self._sorted[i].startswith(prefix):
                break
            movies |= self._movies[self._sorted[i]]
        return movies


def _words(folded: str, year: int | None) -> list[str]:
    words = folded.split()
    return words if year is None else [*words, str(year)]
