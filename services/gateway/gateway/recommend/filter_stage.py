"""The filter stage: curators' rules and the request's filters, applied after every route.

It is the one place where rules take effect, for model routes, fallbacks and the own list alike. A
movie is removed when it is blocked, seen (rated, viewed, dismissed), excluded by the request,
outside its filters, or not in the catalogue (if there is one); promoted movies likewise. Then
promotions are placed, heaviest first, ties by movie id. One with slots takes the first of them that
is free and within the list. One without slots takes the first free rank of 1, 5, 9, …, so that such
promotions never fill more than every fourth place. A promotion for genres holds when the request
asks for one of them or for none; one for segments when the user is in one of them. On later pages
of a list ranks go on where the page before ended.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gateway.catalogue.catalogue import Catalogue, MovieFilter
from gateway.state.rules import Rules
from marquee.domain.genres import genre_key
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import Reason, Scored
from marquee.events import Promotion

PROMOTION_INTERVAL = 4
"""Promotions without slots take every fourth rank, from the first."""


@dataclass(frozen=True)
class UserContext:
    """The user as the filter stage sees them: facts and segments."""

    facts: Ratings = field(default_factory=Ratings)
    segments: frozenset[int] = frozenset()


@dataclass(frozen=True)
class ListRequest:
    """The list that a request asks for.

    Attributes:
        k: Number of movies.
        filter: What the movies must be like.
        exclude: Ids of movies to leave out.
        diversity: Share of a movie's exposure threshold that its score loses, in 0..1; None: the
            default of the system, which the popular list, the same for all, is spared.
        shown: Ids of the movies that earlier pages of the list have shown.
    """

    k: int = 10
    filter: MovieFilter = field(default_factory=MovieFilter)
    exclude: frozenset[int] = frozenset()
    diversity: float | None = None
    shown: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Removal:
    """A movie that was removed, with the rule and its details."""

    movie_id: int
    rule: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Placement:
    """A promoted movie and the rank (from 1) that its promotion gave it."""

    movie_id: int
    rank: int
    promotion: Promotion


@dataclass(frozen=True)
class FilteredList:
    """At most k movies in order, with the removals and placements behind them."""

    items: tuple[Scored, ...]
    removed: tuple[Removal, ...] = ()
    placed: tuple[Placement, ...] = ()


class FilterStage:
    """Rules and catalogue of one moment, applied to lists of movies."""

    def __init__(self, rules: Rules, catalogue: Catalogue, now: datetime) -> None:
        self._rules = rules
        self._catalogue = catalogue
        self._now = now

    def apply(
        self,
        items: Iterable[Scored],
        user: UserContext,
        list_request: ListRequest,
        promote: bool = True,
    ) -> FilteredList:
        """Return the first k of `items` (best first) that may be shown, with promotions.

        `items` may be lazy: no more are taken than needed. Repeated movies count once.
        """
        removed: dict[int, Removal] = {}
        placed = self._place(user, list_request, removed) if promote else []
        promoted_ids = {p.movie_id for p in placed}
        allowed: dict[int, Scored] = {}
        organic: list[Scored] = []
        for item in items:
            if item.movie_id in allowed or item.movie_id in removed:
                continue
            if removal := self._removal(item.movie_id, user, list_request):
                removed[item.movie_id] = removal
                continue
            allowed[item.movie_id] = item
            if item.movie_id not in promoted_ids:
                organic.append(item)
            if len(organic) >= list_request.k:
                break
        promoted = {p.rank: _promoted_item(p.movie_id, allowed.get(p.movie_id)) for p in placed}
        merged = tuple(_merge(promoted, iter(organic), list_request.k))
        first_rank = len(list_request.shown) + 1
        placements = _with_final_ranks(placed, merged, first_rank)
        return FilteredList(merged, tuple(removed.values()), placements)

    def allows(self, movie_id: int, user: UserContext, list_request: ListRequest) -> bool:
        """Return whether a movie may be shown."""
        return self._removal(movie_id, user, list_request) is None

    def has_more(
        self,
        page: FilteredList,
        items: Iterable[Scored],
        user: UserContext,
        list_request: ListRequest,
    ) -> bool:
        """Return whether one of `items` may be shown that a page does not have."""
        on_page = {item.movie_id for item in page.items}
        return any(
            item.movie_id not in on_page
            and self._removal(item.movie_id, user, list_request) is None
            for item in items
        )

    def _place(
        self, user: UserContext, list_request: ListRequest, removed: dict[int, Removal]
    ) -> list[Placement]:
        placed: dict[int, Placement] = {}
        for promotion in self._rules.promotions(self._now):
            if not _applies(promotion, user, list_request):
                continue
            if removal := self._removal(promotion.movie_id, user, list_request):
                removed[promotion.movie_id] = removal
                continue
            rank = next((r for r in _ranks(promotion, list_request) if r not in placed), None)
            if rank is not None:
                placed[rank] = Placement(promotion.movie_id, rank, promotion)
        return [placed[rank] for rank in sorted(placed)]

    def _removal(
        self, movie_id: int, user: UserContext, list_request: ListRequest
    ) -> Removal | None:
        block = self._rules.block(movie_id, self._now)
        if block is not None:
            return Removal(movie_id, "blocked", block.model_dump(mode="json", exclude={"movie_id"}))
        if rule := _seen_or_left_out(movie_id, user.facts, list_request):
            return Removal(movie_id, rule)
        return self._outside(movie_id, list_request)

    def _outside(self, movie_id: int, list_request: ListRequest) -> Removal | None:
        row = self._catalogue.get(movie_id)
        if row is None:
            # Started without the store: the model service has applied the filters.
            return Removal(movie_id, "not_in_catalogue") if len(self._catalogue) else None
        wanted = list_request.filter
        return None if wanted.is_any or wanted.allows(row) else Removal(movie_id, "outside_filter")


def _seen_or_left_out(movie_id: int, facts: Ratings, list_request: ListRequest) -> str | None:
    """Return why a movie is no candidate of a list, whatever it is like; None where it is one."""
    if movie_id in facts.rated:
        return "rated"
    if movie_id in facts.viewed:
        return "viewed"
    if movie_id in facts.dismissed:
        return "dismissed"
    if movie_id in list_request.exclude:
        return "excluded"
    return "shown" if movie_id in list_request.shown else None


def _applies(promotion: Promotion, user: UserContext, list_request: ListRequest) -> bool:
    """Return whether a promotion is meant for this request and this user."""
    if promotion.segments and not user.segments.intersection(promotion.segments):
        return False
    wanted = list_request.filter.genre_keys
    return not (promotion.genres and wanted) or any(
        genre_key(name) in wanted for name in promotion.genres
    )


def _ranks(promotion: Promotion, list_request: ListRequest) -> Iterator[int]:
    """Yield the ranks that a promotion may take, counted from the first one of the page."""
    before, k = len(list_request.shown), list_request.k
    ranks: Iterable[int] = promotion.slots or range(1, before + k + 1, PROMOTION_INTERVAL)
    return (rank - before for rank in ranks if before < rank <= before + k)


def _promoted_item(movie_id: int, item: Scored | None) -> Scored:
    """Return a promoted movie with the score and explanation of its route, if it has one."""
    if item is None:
        return Scored(movie_id, 0.0, Reason.PROMOTED)
    return Scored(movie_id, item.score, Reason.PROMOTED, item.because)


def _with_final_ranks(
    placed: list[Placement], items: tuple[Scored, ...], first_rank: int
) -> tuple[Placement, ...]:
    """Return the placements with the ranks in the final list, of which a page may be a part."""
    if not placed:
        return ()
    ranks = {item.movie_id: rank for rank, item in enumerate(items, first_rank)}
    return tuple(replace(p, rank=ranks[p.movie_id]) for p in placed)


def _merge(promoted: dict[int, Scored], organic: Iterator[Scored], k: int) -> Iterator[Scored]:
    """Yield up to k movies, promoted ones at their ranks (earlier when the others run out)."""
    for rank in range(1, k + 1):
        movie = promoted.get(rank) or next(organic, None)
        if movie is not None:
            yield movie
