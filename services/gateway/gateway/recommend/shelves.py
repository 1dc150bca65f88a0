"""Shelves: ranked rows of films, no film in two of them, each behind the filter stage.

Rows are ordered by what the viewer's own list thinks of their first films: the sum of
1 / log2(1 + rank) over a row, as in a discounted cumulative gain, with films that the list does not
have at the rank after its end. Each further row of a kind counts less, so that kinds take turns.
Then rows are filled in that order, each with the best films that no row above has; films of the
watchlist are in its row alone, if there is one. The viewer's own list stays first, without one what
is popular; a row that is left with too few films is dropped.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from math import log2
from typing import Final

from gateway.recommend.filter_stage import FilteredList, FilterStage, ListRequest, UserContext
from gateway.recommend.shelf_sources import ShelfKind, ShelfSource
from marquee.domain.recommendation import Scored

MIN_ROW: Final = 3
"""Films of a row at least, where a row may have as many."""
SAME_KIND: Final = 0.8
"""What a row counts for each row of its kind above it."""
_PROMOTING: Final = (ShelfKind.FOR_YOU, ShelfKind.POPULAR)
"""Kinds of rows in which promoted films are placed: a title of the others would not be true."""


@dataclass(frozen=True)
class Shelf:
    """A row: what it is of, and its films after the filter stage."""

    source: ShelfSource
    filtered: FilteredList


@dataclass(frozen=True)
class ShelfMaker:
    """Makes the rows of one viewer.

    Attributes:
        stage: Rules and catalogue of the moment.
        user: The viewer.
        list_request: Filter and exclusions; k is that of a row.
        ranked: The viewer's own list, best first.
    """

    stage: FilterStage
    user: UserContext
    list_request: ListRequest
    ranked: Sequence[Scored]
    _allowed: dict[int, bool] = field(default_factory=dict, init=False, repr=False)
    """Whether films that were asked about may be shown: most of them stand in several sources."""

    def shelves(self, sources: Iterable[ShelfSource], rows: int) -> list[Shelf]:
        """Return at most so many rows."""
        shelves: list[Shelf] = []
        taken: frozenset[int] = frozenset()
        ordered = self._ordered(list(sources))
        reserved = self._reserved(ordered[:rows])
        for source in ordered:
            if len(shelves) == rows:
                break
            is_watchlist = source.kind is ShelfKind.WATCHLIST
            filtered = self._filled(source, taken if is_watchlist else taken | reserved)
            if len(filtered.items) >= min(MIN_ROW, self.list_request.k):
                shelves.append(Shelf(source, filtered))
                taken = taken.union(item.movie_id for item in filtered.items)
        return shelves or self._whatever_there_is(ordered)

    def _ordered(self, sources: list[ShelfSource]) -> list[ShelfSource]:
        """Return the sources in the order of their rows."""
        kinds = {source.kind for source in sources}
        first = ShelfKind.FOR_YOU if ShelfKind.FOR_YOU in kinds else ShelfKind.POPULAR
        own = [source for source in sources if source.kind is first]
        left = [source for source in sources if source.kind is not first]
        gains = {id(source): self._gain(source) for source in left}
        ordered: list[ShelfSource] = []
        while left:
            best = max(left, key=lambda source: gains[id(source)] * _turn(source, ordered))
            left.remove(best)
            ordered.append(best)
        return [*own, *ordered]

    def _gain(self, source: ShelfSource) -> float:
        """Return what the viewer's own list thinks of the first films of a source."""
        own, discounts, last = self._own, self._discounts, 1 / log2(2 + len(self.ranked))
        others = (item.movie_id for item in source.movies if item.movie_id not in own)
        return sum(discounts.get(i, last) for i in islice(others, self.list_request.k))

    @cached_property
    def _own(self) -> frozenset[int]:
        """The first films of the viewer's own list."""
        return frozenset(item.movie_id for item in self.ranked[: self.list_request.k])

    @cached_property
    def _discounts(self) -> dict[int, float]:
        """What each film of the viewer's own list adds to a gain."""
        return {item.movie_id: 1 / log2(1 + rank) for rank, item in enumerate(self.ranked, 1)}

    def _reserved(self, sources: Sequence[ShelfSource]) -> frozenset[int]:
        """Return the films of the watchlist's row, where there will be one."""
        for source in sources:
            if source.kind is ShelfKind.WATCHLIST:
                filtered = self._filled(source, frozenset())
                if len(filtered.items) >= min(MIN_ROW, self.list_request.k):
                    return frozenset(item.movie_id for item in filtered.items)
        return frozenset()

    def _filled(self, source: ShelfSource, taken: frozenset[int]) -> FilteredList:
        wanted = replace(self.list_request, exclude=self.list_request.exclude | taken)
        promote = source.kind in _PROMOTING
        # The stage says why it removes each film, and nobody asks that of rows.
        left = (i for i in source.movies if i.movie_id not in taken and self._is_allowed(i))
        return self.stage.apply(left, self.user, wanted, promote)

    def _is_allowed(self, item: Scored) -> bool:
        """Return whether a film may be shown in some row."""
        is_allowed = self._allowed.get(item.movie_id)
        if is_allowed is None:
            is_allowed = self.stage.allows(item.movie_id, self.user, self.list_request)
            self._allowed[item.movie_id] = is_allowed
        return is_allowed

    def _whatever_there_is(self, sources: Iterable[ShelfSource]) -> list[Shelf]:
        """Return the longest row where none has enough films; no row where there are no films."""
        filled = (Shelf(source, self._filled(source, frozenset())) for source in sources)
        longest = max(filled, key=lambda shelf: len(shelf.filtered.items), default=None)
        return [longest] if longest is not None and longest.filtered.items else []


def _turn(source: ShelfSource, above: Sequence[ShelfSource]) -> float:
    return SAME_KIND ** sum(other.kind is source.kind for other in above)
