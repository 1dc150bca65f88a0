"""Answer to a request for shelves: all lists are asked for at once, then the rows are made.

Four calls leave together, whatever the number of rows: the viewer's own list and the one of new
films (by the viewer's route, with the fallbacks of any list), the films like some that the viewer
liked, and the viewer's segment with films for it. A row whose call fails is left out, or has
popular films, and the answer says so.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from gateway.recommend.answers import Fallback, RecommendationAnswer, RecommendationQuery
from gateway.recommend.candidate_filter import candidate_filter
from gateway.recommend.filter_stage import FilterStage, UserContext
from gateway.recommend.orchestrator import Orchestrator
from gateway.recommend.shelf_sources import ShelfSources, first_new_year, seeds
from gateway.recommend.shelves import Shelf, ShelfMaker
from gateway.upstream.models import Failure
from gateway.upstream.shelf_calls import SegmentMovies, fetch_segment_of, fetch_similar_to_each
from marquee.domain.recommendation import Route, Scored

MAX_RANKED: Final = 200
"""Films of the viewer's own list that rows are made of, at most."""
_DEEPER: Final = 4
"""Films that are asked for, for each one of a row: rows above may have taken some."""


@dataclass(frozen=True)
class ShelvesAnswer:
    """The rows, and the answer that the viewer's own list came with.

    Attributes:
        answer: The list, and the decision behind it.
        shelves: The rows.
        fallbacks: What did not answer, of the list and of the other rows.
    """

    answer: RecommendationAnswer
    shelves: Sequence[Shelf]
    fallbacks: tuple[Fallback, ...]


async def make_shelves(
    orchestrator: Orchestrator, query: RecommendationQuery, rows: int
) -> ShelvesAnswer:
    """Return at most so many rows; `query` says how many films a row has."""
    facts, popular, k = query.profile.facts, orchestrator.popular, query.list_request.k
    # Promotions are placed when rows are made, once.
    ranked_query = replace(
        query,
        profile=replace(query.profile, rules=query.profile.rules.blocks_only),
        list_request=replace(query.list_request, k=min(MAX_RANKED, max(rows, _DEEPER) * k)),
    )
    answer, (new, similar, segment) = await asyncio.gather(
        orchestrator.answer(ranked_query), _other_lists(orchestrator, query, ranked_query)
    )
    fallbacks = list(answer.fallbacks)
    if isinstance(similar, Failure):
        fallbacks.append(Fallback(Route.SIMILAR, f"rows of similar films: {similar.why}"))
        similar = {}
    if isinstance(segment, Failure):
        fallbacks.append(Fallback(Route.USER_CLUSTER, f"the row of a segment: {segment.why}"))
        segment = SegmentMovies(None)
    ranked = answer.filtered.items
    is_personal = answer.route is not Route.POPULAR
    sources = ShelfSources(
        facts,
        popular,
        query.list_request.filter,
        ranked,
        similar,
        segment,
        is_personal,
        new.items if is_personal else (),
        new.first_year,
    )
    stage = FilterStage(query.profile.rules, popular.catalogue, datetime.now(UTC))
    segments = frozenset(() if segment.segment is None else (segment.segment,))
    maker = ShelfMaker(stage, UserContext(facts, segments), query.list_request, ranked)
    return ShelvesAnswer(answer, maker.shelves(sources.all(), rows), tuple(fallbacks))


@dataclass(frozen=True)
class _NewMovies:
    """The first year of new films, None where there are none, and the viewer's list of them."""

    first_year: int | None
    items: Sequence[Scored] = ()


async def _other_lists(
    orchestrator: Orchestrator, query: RecommendationQuery, ranked_query: RecommendationQuery
) -> tuple[_NewMovies, Mapping[int, Sequence[Scored]] | Failure, SegmentMovies | Failure]:
    """Return the new films, those like each seed, and the segment with its films.

    They are tasks of their own, begun in the next turn of the event loop: the call for the viewer's
    own list, which takes longest, is on its way by then, and its service works meanwhile.
    """
    filters = _filters(orchestrator, query) if query.profile.facts else {}
    return await asyncio.gather(
        _new(orchestrator, ranked_query, query.list_request.k),
        _similar(orchestrator, query, filters),
        _segment(orchestrator, query, filters),
    )


async def _new(orchestrator: Orchestrator, query: RecommendationQuery, k: int) -> _NewMovies:
    """Return the new films for rows of k; no list for a viewer of whom nothing is known.

    What fails here fails for the viewer's own list too, which says so.
    """
    wanted = query.list_request
    first_year = first_new_year(orchestrator.popular.catalogue, wanted.filter, k)
    if first_year is None or not query.profile.facts:
        return _NewMovies(first_year)
    movies = replace(wanted.filter, year_from=first_year)
    new_query = replace(query, list_request=replace(wanted, k=2 * k, filter=movies))
    return _NewMovies(first_year, (await orchestrator.answer(new_query)).filtered.items)


async def _similar(
    orchestrator: Orchestrator, query: RecommendationQuery, filters: Mapping[str, Any]
) -> Mapping[int, Sequence[Scored]] | Failure:
    movie_ids = seeds(query.profile.facts, orchestrator.popular)
    if not movie_ids:
        return {}
    n, seconds = _DEEPER * query.list_request.k, orchestrator.timeouts.call
    return await fetch_similar_to_each(orchestrator.models, movie_ids, n, filters, seconds)


async def _segment(
    orchestrator: Orchestrator, query: RecommendationQuery, filters: Mapping[str, Any]
) -> SegmentMovies | Failure:
    facts = query.profile.facts
    if not facts.positive:
        return SegmentMovies(None)
    n, seconds = _DEEPER * query.list_request.k, orchestrator.timeouts.call
    return await fetch_segment_of(orchestrator.models, facts, n, filters, seconds)


def _filters(orchestrator: Orchestrator, query: RecommendationQuery) -> dict[str, Any]:
    """Return the filters of lists that are no viewer's: what was seen is among the excluded."""
    facts, wanted = query.profile.facts, query.list_request
    exclude = wanted.exclude.union(facts.seen)
    return candidate_filter(wanted.filter, orchestrator.popular.catalogue, exclude)
