"""Route of a list for several viewers, with the rating that each can be expected to give."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import Context, context_of
from gateway.api.predictions import predict_ratings
from gateway.api.schemas.batch_documents import TogetherDocument
from gateway.api.schemas.list_requests import TogetherBody
from gateway.api.schemas.presenters import filter_notes
from gateway.catalogue.catalogue import MovieFilter, Row
from gateway.http.route import documents, json_response, router
from gateway.recommend.answers import Fallback, RecommendationAnswer, RecommendationQuery
from gateway.recommend.filter_stage import FilteredList, FilterStage, ListRequest, UserContext
from gateway.recommend.orchestrator import OWN_VERSION
from gateway.recommend.together import (
    ExpectedRating,
    Member,
    best_first,
    borda,
    given_rating,
    joined_facts,
    least_rating,
    mean_rating,
    scored,
    without_misery,
)
from gateway.state.profiles import Profile
from gateway.upstream.models import Failure
from marquee.domain.ids import as_given
from marquee.domain.recommendation import Reason, Route

routes = router("Recommendations")

LIST_LENGTH: Final = 100
"""Films of each viewer's own list that are considered."""
_MARGIN: Final = 3
"""Films whose ratings are predicted, for each one of the list: some are below the threshold."""
_MIN_PREDICTED: Final = 60


@dataclass(frozen=True)
class _Group:
    """The viewers, in the order of the request, with their profiles and lists."""

    user_ids: Sequence[int]
    profiles: Sequence[Profile]
    answers: Sequence[RecommendationAnswer]

    @property
    def members(self) -> list[Member]:
        pairs = zip(self.profiles, self.answers, strict=True)
        return [Member(profile.facts, answer.filtered.items) for profile, answer in pairs]


@routes.post(
    "/v1/recommendations/together",
    responses=documents(TogetherDocument),
    summary="Recommend to several",
)
async def recommend_together(request: Request, body: TogetherBody) -> Response:
    """A list for two to five viewers who watch together. Films are ordered by the mean preference
    of all, and none comes before others that one of them can be expected to rate below
    `least_rating` ("average without misery"). Each film has the rating of each viewer, given or
    expected. No film is in the list that one of them has dismissed, or seen, unless `allow_seen`.
    """
    context = context_of(request)
    movies = context.movie_filter(body)
    group = await _group(context, body, movies)
    members = group.members
    counts = borda(members)
    considered = best_first(counts, max(_MIN_PREDICTED, _MARGIN * body.k))
    ratings, failures, version = await _ratings(context, members, considered)
    passing, others = without_misery(considered, ratings, body.least_rating)
    user = UserContext(joined_facts(members, body.allow_seen))
    list_request = ListRequest(body.k, movies, frozenset(body.exclude))
    stage = FilterStage(group.profiles[0].rules, context.catalogue, datetime.now(UTC))
    filtered = stage.apply(scored([*passing, *others], counts), user, list_request)
    notes = [*filter_notes(movies, filtered, context.catalogue), *_misery(filtered, others, body)]
    known = all(profile.known for profile in group.profiles)
    fallbacks = _fallbacks(group.answers, failures)
    return json_response(
        {
            "users": [as_given(user_id) for user_id in group.user_ids],
            "items": _items(context, group, filtered, ratings),
            "model_version": version,
            "profile": "known" if known else "unavailable",
            "degraded": bool(fallbacks) or not known or context.is_degraded(),
            "fallbacks": [{"route": f.route, "why": f.why} for f in fallbacks],
            "notes": notes,
        }
    )


async def _group(context: Context, body: TogetherBody, movies: MovieFilter) -> _Group:
    """Return the viewers with their own lists, which leave out what nobody may see."""
    user_ids = list(dict.fromkeys(body.users))
    profiles = await asyncio.gather(*map(context.read_profile, user_ids))
    facts = joined_facts([Member(profile.facts, ()) for profile in profiles], body.allow_seen)
    exclude = frozenset(facts.seen.union(body.exclude))
    list_request = ListRequest(LIST_LENGTH, movies, exclude, body.diversity)
    queries = [
        # Promotions are placed in the list for all.
        RecommendationQuery(replace(profile, rules=profile.rules.blocks_only), list_request, user)
        for user, profile in zip(user_ids, profiles, strict=True)
    ]
    answers = await asyncio.gather(*map(context.orchestrator.answer, queries))
    return _Group(user_ids, profiles, answers)


async def _ratings(
    context: Context, members: Sequence[Member], movie_ids: Sequence[int]
) -> tuple[dict[int, list[ExpectedRating]], list[str], str]:
    """Return film → the rating of each member, why some are means, and the model's version."""
    predicted = await asyncio.gather(
        *(predict_ratings(context, member.facts, movie_ids) for member in members)
    )
    failures = [answer.why for answer in predicted if isinstance(answer, Failure)]
    versions = [a.model_version for a in predicted if not isinstance(a, Failure)]
    by_member = [
        {}
        if isinstance(answer, Failure)
        else {i.movie_id: ExpectedRating(i.rating, i.confidence) for i in answer.items}
        for answer in predicted
    ]
    ratings = {
        movie_id: [
            given_rating(member.facts, movie_id)
            or of_member.get(movie_id)
            or ExpectedRating(context.live_view.popular.mean(movie_id))
            for member, of_member in zip(members, by_member, strict=True)
        ]
        for movie_id in movie_ids
    }
    return ratings, failures, versions[0] if versions else OWN_VERSION


def _items(
    context: Context,
    group: _Group,
    filtered: FilteredList,
    ratings: Mapping[int, Sequence[ExpectedRating]],
) -> list[dict[str, Any]]:
    items, placed = [], {placement.movie_id for placement in filtered.placed}
    for item in filtered.items:
        row = context.catalogue.get(item.movie_id) or Row.unknown(item.movie_id)
        mean = context.live_view.popular.mean(item.movie_id)
        of_film = ratings.get(item.movie_id) or [ExpectedRating(mean)] * len(group.user_ids)
        items.append(
            row.summary()
            | {
                "score": item.score,
                "reason": item.reason,
                "promoted": item.movie_id in placed,
                "mean_rating": mean_rating(of_film),
                "least_rating": least_rating(of_film),
                "ratings": [
                    {
                        "user_id": as_given(user_id),
                        "rating": rating.rating,
                        "confidence": rating.confidence,
                        "rated": rating.is_given,
                    }
                    for user_id, rating in zip(group.user_ids, of_film, strict=True)
                ],
            }
        )
    return items


def _misery(filtered: FilteredList, others: Sequence[int], body: TogetherBody) -> list[str]:
    """Return what is to be said where films are shown that one of the viewers may not like."""
    low = set(others)
    n = sum(i.movie_id in low and i.reason is not Reason.PROMOTED for i in filtered.items)
    if not n:
        return []
    what = f"one of the viewers can be expected to rate below {body.least_rating:g} stars"
    return [f"too few films suit all: {n} of these {what}"]


def _fallbacks(answers: Sequence[RecommendationAnswer], failures: list[str]) -> list[Fallback]:
    """Return the routes and predictions that failed, each once."""
    lists = (fallback for answer in answers for fallback in answer.fallbacks)
    predictions = (Fallback(Route.NEURAL, f"expected ratings: {why}") for why in failures)
    return list(dict.fromkeys([*lists, *predictions]))
