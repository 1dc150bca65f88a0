"""Genres: the names of a catalogue, how they are told apart, and their bits in a process's masks.

What travels between processes are names. A mask is local: its bits are those of the vocabulary of
the process, which begins with the names of a model or catalogue and grows with the films that come.
"""

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import Field

from marquee.domain.texts import Text

GENRES: tuple[str, ...] = (
    "Action",
    "Adventure",
    "Animation",
    "Children",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "IMAX",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
"""The genres of MovieLens, in the order of their bits in a compact row."""

MAX_GENRES: Final = 64
"""Genres of a catalogue, at most: the bits of a mask."""
MAX_LENGTH: Final = 40
"""Characters of a genre's name, at most."""

_ARRAY = "genres"
"""Name of the array of genres in a bundle."""

Masks = npt.NDArray[np.uint64]


NAME: Final = Text(MAX_LENGTH, strip=True)
"""The form of a genre's name."""

Genre = Annotated[str, NAME]
"""A genre's name, as the catalogue writes it."""

GenreNames = Annotated[tuple[Genre, ...], Field(max_length=MAX_GENRES)]
"""The genres of a film."""


@lru_cache(4096)
def genre_key(name: str) -> str:
    """Return the form in which two spellings of one genre are equal: no case, single spaces."""
    folded = unicodedata.normalize("NFC", name).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())


def distinct_genres(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names without repetition, of several spellings the first."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(genre_key(name), name)
    return tuple(found.values())


def catalogue_genres(films: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Return the vocabulary of a catalogue from the genres of each film.

    These are MovieLens' nineteen where no film has another, so that its vectors keep their columns;
    else the catalogue's own names, each in its most frequent spelling, by name. Of more than 64
    these are the most frequent.
    """
    films_with = Counter(name for genres in films for name in genres)
    if films_with.keys() <= set(GENRES):
        return GENRES
    spellings = frequent_spellings(films_with)
    films_of = Counter[str]()
    for name, n in films_with.items():
        films_of[spellings[genre_key(name)]] += n
    chosen = sorted(films_of, key=lambda name: (-films_of[name], name))[:MAX_GENRES]
    return tuple(sorted(chosen))


def frequent_spellings(counts: Counter[str]) -> dict[str, str]:
    """Return the most frequent spelling of each genre by its key, from films by spelling."""
    spellings: dict[str, str] = {}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        spellings.setdefault(genre_key(name), name)
    return spellings


def multi_hot(films: Sequence[Iterable[str]], names: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return the multi-hot matrix, float32 n × len(names), of the genres of n films.

    A genre that is not among `names` has no column.
    """
    columns = {genre_key(name): column for column, name in enumerate(names)}
    rows = np.zeros((len(films), len(names)), np.float32)
    for row, genres in zip(rows, films, strict=True):
        row[[columns[key] for key in map(genre_key, genres) if key in columns]] = 1
    return rows


def genre_arrays(names: Sequence[str]) -> dict[str, npt.NDArray[np.str_]]:
    """Return the genres of a bundle as an array by its name.

    There is none for MovieLens' nineteen, whose bundles stay as they were before there were others.
    """
    return {} if tuple(names) == GENRES else {_ARRAY: np.array(names, np.str_)}


def genres_from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> tuple[str, ...]:
    """Return the genres that `genre_arrays` has put among the arrays of a bundle."""
    return tuple(arrays[_ARRAY].tolist()) if _ARRAY in arrays else GENRES


class GenreVocabulary:
    """The genres that a process knows, each with a bit; it grows up to 64."""

    def __init__(self, names: Iterable[str] = GENRES) -> None:
        """Give the first 64 of these names their bits, in order."""
        self._names: list[str | None] = []
        self._bits: dict[str, int] = {}
        self._masks: dict[tuple[str, ...], int] = {}
        self.add(names)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that have a bit, in the order of their bits."""
        return tuple(name for name in self._names if name is not None)

    def lacks_room(self, names: Sequence[str]) -> bool:
        """Return whether `add` would leave out any of these names."""
        if tuple(names) in self._masks:
            return False
        new = {genre_key(name) for name in names} - self._bits.keys()
        return len(self._bits) + len(new) > MAX_GENRES

    def add(self, names: Iterable[str]) -> int:
        """Return the mask of names; those that are new get a bit, while there is one."""
        names = tuple(names)
        if (mask := self._masks.get(names)) is not None:
            return mask
        for name in names:
            if genre_key(name) not in self._bits and len(self._bits) < MAX_GENRES:
                self._give_bit(name)
        mask = self.mask(names)
        if all(genre_key(name) in self._bits for name in names):
            self._masks[names] = mask
        return mask

    def mask(self, names: Iterable[str]) -> int:
        """Return the mask of names; one that is unknown has no bit."""
        mask = 0
        for name in names:
            if (bit := self._bits.get(genre_key(name))) is not None:
                mask |= 1 << bit
        return mask

    def names_in(self, mask: int) -> tuple[str, ...]:
        """Return the names of a mask."""
        return tuple(name for bit, name in enumerate(self._names) if name and mask >> bit & 1)

    def keep(self, used: int) -> None:
        """Forget the genres that are not in the mask of those in use: their bits become free."""
        for key, bit in [*self._bits.items()]:
            if not used >> bit & 1:
                del self._bits[key]
                self._names[bit] = None
        self._masks.clear()

    def matrix(self, masks: Masks, names: Collection[str]) -> npt.NDArray[np.float32]:
        """Return the multi-hot matrix, float32 n × len(names), of n masks in columns of `names`."""
        single = np.array([self.mask((name,)) for name in names], np.uint64)
        is_of: npt.NDArray[np.bool_] = (masks[:, None] & single) != 0
        return is_of.astype(np.float32)

    def _give_bit(self, name: str) -> None:
        free = self._names.index(None) if None in self._names else len(self._names)
        self._names[free : free + 1] = [name]
        self._bits[genre_key(name)] = free
