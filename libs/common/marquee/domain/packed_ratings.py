"""Packed ratings as they are stored, read without decoding more of them than is asked for."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from marquee.domain.ratings import PackedLayout, RatedMovies, Ratings


class StoredRatings(Ratings):
    """One user's facts in packed form; each part is decoded when it is first read.

    They are for reading: a change of a part is not in `data`.
    """

    def __init__(self, data: bytes) -> None:
        """Take the packed form (`marquee.domain.ratings`).

        Raises:
            StoreUnavailable: It has another version.
        """
        self.data = data
        self._layout = layout = PackedLayout.of(data)
        self.user = layout.user

    @cached_property
    def rated(self) -> dict[int, int]:  # type: ignore[override]
        """Movie id → half stars."""
        layout = self._layout
        halves = self.data[layout.halves_at : layout.viewed_at]
        return dict(zip(self._rated_ids, halves, strict=True))

    @cached_property
    def viewed(self) -> dict[int, None]:  # type: ignore[override]
        """Ids of movies seen."""
        layout = self._layout
        return dict.fromkeys(layout.ids(self.data, layout.viewed_at, layout.viewed))

    @cached_property
    def dismissed(self) -> dict[int, None]:  # type: ignore[override]
        """Ids of movies that are not interesting."""
        layout = self._layout
        return dict.fromkeys(layout.ids(self.data, layout.dismissed_at, layout.dismissed))

    @cached_property
    def times(self) -> dict[int, int]:  # type: ignore[override]
        """Movie id → seconds since 1970, of the ratings whose time is known."""
        layout = self._layout
        if not layout.timed:
            return {}
        times = np.frombuffer(self.data, "<u4", layout.rated, layout.times_at).tolist()
        pairs = zip(self._rated_ids, times, strict=False)
        return {movie_id: time for movie_id, time in pairs if time}

    @cached_property
    def watchlist(self) -> dict[int, None]:  # type: ignore[override]
        """Ids of movies to see later."""
        layout = self._layout
        return dict.fromkeys(layout.ids(self.data, layout.watchlist_at, layout.watchlist))

    @property
    def packed(self) -> bytes:
        """The packed form, as it is stored."""
        return self.data

    def __bool__(self) -> bool:
        """Return whether there is any fact."""
        layout = self._layout
        return bool(layout.rated or layout.viewed or layout.dismissed or layout.watchlist)

    def __eq__(self, other: object) -> bool:
        """Return whether the facts are the same, in whatever form."""
        if not isinstance(other, Ratings):
            return NotImplemented
        names = ("rated", "viewed", "dismissed", "times", "user", "watchlist")
        return all(getattr(self, name) == getattr(other, name) for name in names)

    __hash__ = None  # type: ignore[assignment]

    @cached_property
    def _rated_ids(self) -> list[int]:
        return self._layout.ids(self.data, self._layout.ids_at, self._layout.rated)


@dataclass(frozen=True)
class PackedArrays:
    """The arrays of packed ratings, as models read them.

    Attributes:
        rated: Ratings, oldest change first.
        viewed: int64, ids of movies seen.
        dismissed: int64, ids of movies that are not interesting.
    """

    rated: RatedMovies
    viewed: npt.NDArray[np.int64]
    dismissed: npt.NDArray[np.int64]

    @classmethod
    def of(cls, data: bytes) -> "PackedArrays":
        """Return the arrays of a packed form.

        Raises:
            StoreUnavailable: It has another version.
            ValueError: It ends too early.
        """
        layout = PackedLayout.of(data)
        n = layout.rated
        halves = np.frombuffer(data, np.uint8, n, layout.halves_at)
        times: npt.NDArray[np.int64] | None = np.zeros(0, np.int64)
        if n:
            # Before a watchlist there are times, known or not.
            packed = np.frombuffer(data, "<u4", n if layout.timed else 0, layout.times_at)
            times = packed.astype(np.int64) if packed.any() else None
        rated = RatedMovies(
            _ids(data, layout, layout.ids_at, n), halves.astype(np.float32) / np.float32(2), times
        )
        return cls(
            rated,
            _ids(data, layout, layout.viewed_at, layout.viewed),
            _ids(data, layout, layout.dismissed_at, layout.dismissed),
        )

    @property
    def seen(self) -> list[int]:
        """Movies that a list must not contain: rated, viewed or dismissed."""
        ids: list[int] = self.rated.movie_ids.tolist()
        return [*ids, *self.viewed.tolist(), *self.dismissed.tolist()]


def _ids(data: bytes, layout: PackedLayout, at: int, n: int) -> npt.NDArray[np.int64]:
    return np.frombuffer(data, layout.id_type, n, at).astype(np.int64)
