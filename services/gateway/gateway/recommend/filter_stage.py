"""The filter stage: one place after every route, fallback and cache, where rules take effect.

A movie stays out when it is blocked, seen (rated, viewed, dismissed), excluded by the request,
outside its filters, or not in the catalogue (if there is one); promoted movies as any other. Then
promotions are placed, heaviest first, ties by movie id. One with slots takes the first of them that
is free and within the list. One without slots takes the first free rank of 1, 5, 9, …, so that such
promotions never fill more than every fourth place. A promotion for genres holds when the request
asks for one of them or for none; one for segments when the user is in one of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gateway.catalogue.catalogue import Catalogue, MovieFilter
from gateway.state.rules import Rules
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import Reason, Scored
from marquee.events import Promotion

PROMOTION_INTERVAL = 4
"""Promotions without slots take every fourth rank, from the first."""


@dataclass(frozen=True)
class UserContext:
    """The user as the filter stage sees him."""

    facts: Ratings = field(default_factory=Ratings)
    segments: frozenset[int] = frozenset()


@dataclass(frozen=True)
class ListRequest:
    """What a request asks for: k movies within a filter, without those excluded.

    `diversity`: the share of the places that is kept for movies that few are shown.
    """

    k: int = 10
    movies: MovieFilter = MovieFilter()
    exclude: frozenset[int] = frozenset()
    diversity: float = 0.0


@dataclass(frozen=True)
class Removal:
    """A movie that was kept out: by which rule, and what that rule says."""

    movie_id: int
    rule: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Placement:
    """A promoted movie: the rank (from 1) that its promotion gave it."""

    movie_id: int
    rank: int
    promotion: Promotion


@dataclass(frozen=True)
class FilteredList:
    """At most k movies in order, and what the rules did to come to them."""

    items: tuple[Scored, ...]
    removed: tuple[Removal, ...] = ()
    placed: tuple[Placement, ...] = ()


class FilterStage:
    """The rules and the catalogue of one moment, applied to lists of movies."""

    def __init__(self, rules: Rules, rows: Catalogue, now: datetime) -> None:
        self._rules = rules
        self._rows = rows
        self._now = now

    def apply(
        self,
        items: Iterable[Scored],
        user: UserContext,
        list_request: ListRequest,
        promote: bool = True,
    ) -> FilteredList:
        """Return the first k of `items` (best first) that may be shown, with promotions.

        `items` may be lazy: no more are taken than are needed. A movie that comes twice counts once.
        """
        removed: dict[int, Removal] = {}
        placed = self._place(user, list_request, removed) if promote else []
        taken = {p.movie_id: p for p in placed}
        known: dict[int, Scored] = {}
        natural: list[Scored] = []
        for item in items:
            if item.movie_id in known or item.movie_id in removed:
                continue
            if objection := self._objection(item.movie_id, user, list_request):
                removed[item.movie_id] = objection
                continue
            known[item.movie_id] = item
            if item.movie_id not in taken:
                natural.append(item)
            if len(natural) >= list_request.k:
                break
        promoted = {p.rank: _promoted(p.movie_id, known.get(p.movie_id)) for p in placed}
        merged = tuple(_merged(promoted, iter(natural), list_request.k))
        return FilteredList(merged, tuple(removed.values()), _ranked(placed, merged))

    def _place(
        self, user: UserContext, list_request: ListRequest, removed: dict[int, Removal]
    ) -> list[Placement]:
        placed: dict[int, Placement] = {}
        for promotion in self._rules.promotions(self._now):
            if not _meant(promotion, user, list_request):
                continue
            if objection := self._objection(promotion.movie_id, user, list_request):
                removed[promotion.movie_id] = objection
                continue
            rank = next((r for r in _ranks(promotion, list_request.k) if r not in placed), None)
            if rank is not None:
                placed[rank] = Placement(promotion.movie_id, rank, promotion)
        return [placed[rank] for rank in sorted(placed)]

    def _objection(
        self, movie_id: int, user: UserContext, list_request: ListRequest
    ) -> Removal | None:
        block = self._rules.block(movie_id, self._now)
        if block is not None:
            return Removal(movie_id, "blocked", block.model_dump(mode="json", exclude={"movie_id"}))
        facts = user.facts
        for rule, movies in (
            ("rated", facts.rated),
            ("viewed", facts.viewed),
            ("dismissed", facts.dismissed),
            ("excluded", list_request.exclude),
        ):
            if movie_id in movies:
                return Removal(movie_id, rule)
        return self._misfit(movie_id, list_request)

    def _misfit(self, movie_id: int, list_request: ListRequest) -> Removal | None:
        row = self._rows.get(movie_id)
        if row is None:
            # Started without the store: the model service has applied the filters.
            return Removal(movie_id, "not_in_catalogue") if len(self._rows) else None
        return None if list_request.movies.allows(row) else Removal(movie_id, "outside_filter")


def _meant(promotion: Promotion, user: UserContext, list_request: ListRequest) -> bool:
    """Return whether a promotion speaks to this request and this user."""
    if promotion.segments and not user.segments.intersection(promotion.segments):
        return False
    asked = list_request.movies.genres
    return not (promotion.genres and asked) or not set(asked).isdisjoint(promotion.genres)


def _ranks(promotion: Promotion, k: int) -> Iterator[int]:
    ranks: Iterable[int] = promotion.slots or range(1, k + 1, PROMOTION_INTERVAL)
    return (rank for rank in ranks if rank <= k)


def _promoted(movie_id: int, item: Scored | None) -> Scored:
    """Return a promoted movie with the score and grounds that the route gave it, if any."""
    if item is None:
        return Scored(movie_id, 0.0, Reason.PROMOTED)
    return Scored(movie_id, item.score, Reason.PROMOTED, item.because)


def _ranked(placed: list[Placement], items: tuple[Scored, ...]) -> tuple[Placement, ...]:
    """Return the placings with the ranks that they came to have."""
    if not placed:
        return ()
    ranks = {item.movie_id: rank for rank, item in enumerate(items, 1)}
    return tuple(replace(p, rank=ranks[p.movie_id]) for p in placed)


def _merged(promoted: dict[int, Scored], natural: Iterator[Scored], k: int) -> Iterator[Scored]:
    """Yield up to k movies: promoted ones at their ranks (earlier when the others run out)."""
    for rank in range(1, k + 1):
        movie = promoted.get(rank) or next(natural, None)
        if movie is not None:
            yield movie
