"""Title search: inverted index of words, ignoring case and accents, with prefix matches.

Words that a mark joins are one word too: "Spider-Man" is found by `spiderman`, "WALL·E" by `walle`,
and "Spiderman" by `spider-man`. A joined word has no more characters than its words, so the index
has at most twice those of the titles.
"""

import bisect
import re
import unicodedata
from collections.abc import Callable, Iterable

_WORD = re.compile(r"\w+")
_JOINT = re.compile(r"\w[^\w\s]+\w")
"""Two words with a mark and no blank between them."""
_ARTICLE_LAST = re.compile(r"^(.*), (the|a|an|les|la|le|l'|los|las|el|il|das|der|die|une|un)(?!\w)")

EXACT, BEGINNING, WORDS, PREFIXES = range(4)
"""Match of a title: equals the query; begins with it; has its words; has words that begin so."""


def fold_title(text: str) -> str:
    """Return text without case, accents and punctuation, words separated by one space."""
    return " ".join(_WORD.findall(_plain(text)))


def spoken_title(title: str) -> str:
    """Return a title in spoken order, folded: "Matrix, The" becomes "the matrix"."""
    return fold_title(_spoken(title))


def readable_title(title: str) -> str:
    """Return a title in spoken order, its first part alone.

    "Matrix, The" becomes "The Matrix", "Boot, Das (Boat, The)" becomes "Das Boot".
    """
    first = title.split(" (", 1)[0]
    moved = _ARTICLE_LAST.match(first.casefold())
    if moved is None or moved.end() != len(first):
        return first
    name, article = first[: len(moved[1])], first[len(moved[1]) + 2 :]
    return f"{article}{name}" if article.endswith("'") else f"{article} {name}"


def _plain(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c))


def _spoken(title: str) -> str:
    moved = _ARTICLE_LAST.match(title.casefold())
    return f"{moved[2]} {moved[1]} {title[moved.end() :]}" if moved else title


def _groups(text: str) -> list[list[str]]:
    """Return the words of a text, those together between which there is no blank."""
    plain = _plain(text)
    if _JOINT.search(plain) is None:
        return [[word] for word in _WORD.findall(plain)]
    return [words for part in plain.split() if (words := _WORD.findall(part))]


class _Words:
    """Movies by word, and by how words begin."""

    def __init__(self) -> None:
        self._movies: dict[str, set[int]] = {}
        self._sorted: list[str] = []

    def add(self, words: Iterable[str], movie_id: int) -> None:
        """Add a movie to words; those that are new are found once they are sorted."""
        for word in words:
            self._movies.setdefault(word, set()).add(movie_id)

    def put(self, words: Iterable[str], movie_id: int) -> None:
        """Add a movie to words, at their places."""
        for word in words:
            if word not in self._movies:
                bisect.insort(self._sorted, word)
        self.add(words, movie_id)

    def remove(self, words: Iterable[str], movie_id: int) -> None:
        """Remove a movie from its words, which stay."""
        for word in words:
            self._movies[word].discard(movie_id)

    def sort(self) -> None:
        """Sort the words after `add`."""
        self._sorted = sorted(self._movies)

    def with_word(self, word: str) -> set[int]:
        """Return the movies of a word."""
        return self._movies.get(word, _NONE)

    def with_prefix(self, prefix: str) -> set[int]:
        """Return the movies of all words that begin so."""
        movies: set[int] = set()
        for i in range(bisect.bisect_left(self._sorted, prefix), len(self._sorted)):
            if not self._sorted[i].startswith(prefix):
                break
            movies |= self._movies[self._sorted[i]]
        return movies


_NONE: set[int] = set()


class TitleIndex:
    """Inverted index of titles' words; the year counts as a word."""

    def __init__(self, movies: Iterable[tuple[int, str, int | None]] = ()) -> None:
        self._words, self._joined = _Words(), _Words()
        self._titles: dict[int, str] = {}
        for movie_id, title, year in movies:
            self._titles[movie_id], words, joined = _entry(title, year)
            self._words.add(words, movie_id)
            self._joined.add(joined, movie_id)
        self._words.sort()
        self._joined.sort()

    def put(self, movie_id: int, title: str, year: int | None) -> None:
        """Add a movie."""
        self._titles[movie_id], words, joined = _entry(title, year)
        self._words.put(words, movie_id)
        self._joined.put(joined, movie_id)

    def remove(self, movie_id: int, title: str, year: int | None) -> None:
        """Remove a movie that was put with this title and year; its words stay in the index."""
        self._titles.pop(movie_id, None)
        _, words, joined = _entry(title, year)
        self._words.remove(words, movie_id)
        self._joined.remove(joined, movie_id)

    def search(self, query: str) -> dict[int, int]:
        """Return movie id → EXACT, BEGINNING, WORDS or PREFIXES for titles with all query words."""
        groups = _groups(query)
        if not groups:
            return {}
        folded = " ".join(word for words in groups for word in words)
        by_prefix = set.intersection(*(_with_all(words, self._with_prefix) for words in groups))
        by_word = set.intersection(*(_with_all(words, self._with_word) for words in groups))
        return {movie_id: self._match(movie_id, folded, by_word) for movie_id in by_prefix}

    def _match(self, movie_id: int, folded: str, by_word: set[int]) -> int:
        title = self._titles[movie_id]
        if title == folded or (movie_id in by_word and _unspaced(title) == _unspaced(folded)):
            return EXACT
        if f"{title} ".startswith(f"{folded} "):
            return BEGINNING
        return WORDS if movie_id in by_word else PREFIXES

    def _with_word(self, word: str) -> set[int]:
        joined = self._joined.with_word(word)
        return self._words.with_word(word) | joined if joined else self._words.with_word(word)

    def _with_prefix(self, prefix: str) -> set[int]:
        movies = self._words.with_prefix(prefix)
        # A joined word's first letter is that of its first word, whose movies are found already.
        if len(prefix) > 1:
            movies |= self._joined.with_prefix(prefix)
        return movies


def _with_all(words: list[str], find: Callable[[str], set[int]]) -> set[int]:
    """Return the movies with all words of a group, or with the one that they are together."""
    if len(words) == 1:
        return find(words[0])
    return set.intersection(*map(find, words)) | find("".join(words))


def _unspaced(text: str) -> str:
    return text.replace(" ", "")


def _entry(title: str, year: int | None) -> tuple[str, list[str], list[str]]:
    """Return a title, spoken and folded, and the words and joined words of which it is found."""
    groups = _groups(_spoken(title))
    words = [word for group in groups for word in group]
    joined = ["".join(group) for group in groups if len(group) > 1]
    return " ".join(words), words if year is None else [*words, str(year)], joined
