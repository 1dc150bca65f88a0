"""Facts of one user: ratings in half stars, viewed, dismissed and listed movies, packed too.

Packed form, little endian: version (uint8), three counts (uint32 each), then movie ids of the
ratings (uint32 each), their half stars (uint8 each), viewed ids, dismissed ids (uint32 each), and,
if any is known, the times of the ratings (uint32 each, seconds since 1970, 0: unknown): 9 bytes a
rating. The movies of the watchlist come last, as ids up to the end, and the times before them are
written, whether known or not. Order is the order of the last change, so the newest rating stands
last. A reader that does not know the times, or the watchlist, ends before them. That is version 1.
Where an id needs more than 32 bits, or the
user's id is a string, it is version 2: after the counts the length of that string (uint8) and its
text, and movie ids are int64: 13 bytes a rating.
"""

import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import core_schema

from marquee.domain.ids import are_narrow
from marquee.domain.likes import is_like
from marquee.errors import StoreUnavailable

_HEADER = struct.Struct("<BIII")
_NARROW, _WIDE = 1, 2
"""Versions of the packed form, with ids of 4 and of 8 bytes."""
LATEST = 2**32 - 1
"""The last time, in seconds since 1970, that the packed form holds (the year 2106)."""


def half_stars(rating: float) -> int:
    """Return a rating in stars as half stars, 1 to 10."""
    return round(rating * 2)


def stars(half: int) -> float:
    """Return half stars as stars."""
    return half / 2


@dataclass
class Ratings:
    """One user's facts; the dictionaries keep the order of change.

    Attributes:
        rated: movie id → half stars.
        viewed: ids of movies seen.
        dismissed: ids of movies that are not interesting.
        times: movie id → seconds since 1970, of the ratings whose time is known.
        user: the user's id where it is a string, else empty.
        watchlist: ids of movies to see later.
    """

    rated: dict[int, int] = field(default_factory=dict)
    viewed: dict[int, None] = field(default_factory=dict)
    dismissed: dict[int, None] = field(default_factory=dict)
    times: dict[int, int] = field(default_factory=dict)
    user: str = ""
    watchlist: dict[int, None] = field(default_factory=dict)

    def rate(self, movie_id: int, half: int, at: int = 0) -> int | None:
        """Set a rating; return the half stars that it replaces, if any.

        Args:
            movie_id: The movie.
            half: The rating in half stars.
            at: Its time in seconds since 1970; 0 or less: unknown.
        """
        before = self.rated.pop(movie_id, None)
        self.rated[movie_id] = half
        self.times.pop(movie_id, None)
        if at > 0:
            self.times[movie_id] = min(at, LATEST)
        return before

    def unrate(self, movie_id: int) -> int | None:
        """Remove a rating; return the half stars that it had, if any."""
        self.times.pop(movie_id, None)
        return self.rated.pop(movie_id, None)

    def view(self, movie_id: int) -> None:
        """Mark a movie as viewed, newest last."""
        self.viewed.pop(movie_id, None)
        self.viewed[movie_id] = None

    def dismiss(self, movie_id: int) -> None:
        """Mark a movie as not interesting."""
        self.dismissed[movie_id] = None

    def restore(self, movie_id: int) -> None:
        """Take back a dismissal."""
        self.dismissed.pop(movie_id, None)

    def list_for_later(self, movie_id: int) -> None:
        """Put a movie on the watchlist, newest last."""
        self.watchlist.pop(movie_id, None)
        self.watchlist[movie_id] = None

    def unlist(self, movie_id: int) -> None:
        """Take a movie off the watchlist."""
        self.watchlist.pop(movie_id, None)

    @property
    def positive(self) -> int:
        """Number of likes among the ratings (`marquee.domain.likes`)."""
        return sum(is_like(half) for half in self.rated.values())

    @property
    def seen(self) -> set[int]:
        """Movies that a list must not contain: rated, viewed or dismissed."""
        return {*self.rated, *self.viewed, *self.dismissed}

    def __bool__(self) -> bool:
        return bool(self.rated or self.viewed or self.dismissed or self.watchlist)

    def pack(self) -> bytes:
        """Return the packed form."""
        n = len(self.rated)
        # Both are in the order of change, so the times are in order where none is unknown.
        known = self.times.values() if len(self.times) == n else map(self._time, self.rated)
        times = np.fromiter(known, "<u4", n)
        parts = (self.rated, self.viewed, self.dismissed, self.watchlist)
        narrow = not self.user and all(are_narrow(part) for part in parts)
        rated, viewed, dismissed, watchlist = (_pack_ids(part, narrow) for part in parts)
        return b"".join(
            (
                packed_head([len(part) for part in parts[:3]], None if narrow else self.user),
                rated,
                bytes(self.rated.values()),
                viewed,
                dismissed,
                packed_tail(times, watchlist),
            )
        )

    @property
    def packed(self) -> bytes:
        """The packed form."""
        return self.pack()

    def _time(self, movie_id: int) -> int:
        return self.times.get(movie_id, 0)

    @classmethod
    def unpack(cls, data: bytes | None) -> "Ratings":
        """Return the facts of a packed form; None is a user without facts.

        Raises:
            StoreUnavailable: The packed form has another version.
        """
        if data is None:
            return cls()
        layout = PackedLayout.of(data)
        n = layout.rated
        halves = data[layout.halves_at : layout.viewed_at]
        rated = layout.ids(data, layout.ids_at, n)
        times = np.frombuffer(data, "<u4", n, layout.times_at).tolist() if layout.timed else []
        return cls(
            dict(zip(rated, halves, strict=True)),
            dict.fromkeys(layout.ids(data, layout.viewed_at, layout.viewed)),
            dict.fromkeys(layout.ids(data, layout.dismissed_at, layout.dismissed)),
            {movie_id: time for movie_id, time in zip(rated, times, strict=False) if time},
            layout.user,
            dict.fromkeys(layout.ids(data, layout.watchlist_at, layout.watchlist)),
        )


def packed_head(counts: Sequence[int], user: str | None) -> bytes:
    """Return the beginning of packed ratings, which movie ids follow.

    Args:
        counts: Numbers of rated, viewed and dismissed movies.
        user: None where ids have 4 bytes; else the user's id, empty if it is no string.
    """
    if user is None:
        return _HEADER.pack(_NARROW, *counts)
    text = user.encode()
    return _HEADER.pack(_WIDE, *counts) + bytes((len(text),)) + text


def packed_tail(times: npt.NDArray[np.uint32], watchlist: bytes) -> bytes:
    """Return the end of packed ratings: times, unless none is known or needed, and the watchlist.

    Args:
        times: Times of the ratings, `<u4`, 0 where unknown.
        watchlist: Ids of the watchlist's movies, in the width of the others.
    """
    return times.tobytes() + watchlist if watchlist or times.any() else b""


def _pack_ids(ids: Collection[int], narrow: bool) -> bytes:
    return np.fromiter(ids, "<u4" if narrow else "<i8", len(ids)).tobytes()


@dataclass(frozen=True)
class PackedLayout:
    """Where the parts of packed ratings stand, in bytes, and how many entries each has."""

    user: str
    width: int
    rated: int
    viewed: int
    dismissed: int
    ids_at: int
    timed: bool
    """Whether times follow."""
    watchlist: int
    """Number of movies of the watchlist, which follow the times."""

    @classmethod
    def of(cls, data: bytes) -> "PackedLayout":
        """Read the layout of a packed form.

        Raises:
            StoreUnavailable: The packed form has another version.
            ValueError: It ends within the user's id.
        """
        version, rated, viewed, dismissed = _HEADER.unpack_from(data)
        if version == _NARROW:
            user, width, start = b"", 4, _HEADER.size
        elif version == _WIDE:
            start = _HEADER.size + 1
            user, width = data[start : start + data[start - 1]], 8
            if len(user) < data[start - 1]:
                raise ValueError("packed ratings end within the id of their user")
            start += len(user)
        else:
            raise StoreUnavailable(
                f"packed ratings have version {version}, expected {_NARROW} or {_WIDE}"
            )
        end = start + rated + width * (rated + viewed + dismissed)
        listed = max(0, len(data) - end - 4 * rated) // width
        counts = rated, viewed, dismissed
        return cls(user.decode(), width, *counts, start, len(data) > end, listed)

    @property
    def id_type(self) -> str:
        """Type of the ids, for numpy."""
        return "<u4" if self.width == 4 else "<i8"

    @property
    def halves_at(self) -> int:
        """Offset of the half stars."""
        return self.ids_at + self.width * self.rated

    @property
    def viewed_at(self) -> int:
        """Offset of the viewed ids."""
        return self.halves_at + self.rated

    @property
    def dismissed_at(self) -> int:
        """Offset of the dismissed ids."""
        return self.viewed_at + self.width * self.viewed

    @property
    def times_at(self) -> int:
        """Offset of the times, which is the end where there are none."""
        return self.dismissed_at + self.width * self.dismissed

    @property
    def watchlist_at(self) -> int:
        """Offset of the ids of the watchlist, if there are any."""
        return self.times_at + 4 * self.rated

    def ids(self, data: bytes, at: int, n: int) -> list[int]:
        """Return n movie ids at an offset, which for none may be beyond the end."""
        if not n:
            return []
        ids: list[int] = np.frombuffer(data, self.id_type, n, at).tolist()
        return ids


@dataclass(frozen=True)
class RatedMovies:
    """A user's ratings as arrays, oldest change first.

    Attributes:
        movie_ids: int64 n.
        stars: float32 n, 0.5 to 5.
        times: int64 n, seconds since 1970, 0 where unknown; None: all are.
    """

    movie_ids: npt.NDArray[np.int64]
    stars: npt.NDArray[np.float32]
    times: npt.NDArray[np.int64] | None = None

    @classmethod
    def of(cls, ratings: Ratings) -> "RatedMovies":
        """Return the arrays of a user's ratings, oldest change first."""
        n = len(ratings.rated)
        return cls(
            np.fromiter(ratings.rated, np.int64, n),
            np.fromiter(ratings.rated.values(), np.float32, n) / np.float32(2),
            np.fromiter((ratings.times.get(i, 0) for i in ratings.rated), np.int64, n),
        )

    @property
    def liked(self) -> npt.NDArray[np.bool_]:
        """Which ratings are likes, n."""
        return is_like(np.rint(self.stars * 2).astype(np.int64))


HALF_STARS: Final = tuple(n / 2 for n in range(1, 11))
"""The ratings that there are, in stars."""


class _StarsError:
    """Pydantic's annotation by which a wrong rating is told with those that there are."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.custom_error_schema(
            handler(source),
            custom_error_type="not_allowed",
            custom_error_message="must be a number of 0.5 to 5 stars in half stars",
            custom_error_context={"allowed": [*HALF_STARS]},
        )


Stars = Annotated[float, Field(strict=True, ge=0.5, le=5.0, multiple_of=0.5), _StarsError()]
"""A rating in a document: `4` and `4.0` are one, `"4"` and `true` are none."""
