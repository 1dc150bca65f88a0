"""Segments in the gateway: lists, names, operators' wishes, and promotions for a segment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.api.segments import routes
from gateway.catalogue.catalogue import Catalogue, Row
from gateway.catalogue.popularity import PopularList
from gateway.recommend.answers import RecommendationAnswer, RecommendationQuery
from gateway.recommend.filter_stage import ListRequest
from gateway.recommend.orchestrator import Orchestrator, Timeouts
from gateway.state.profiles import Profile
from gateway.state.rules import MovieRules, Rules
from gateway.upstream.models import Call, Failure, RecommendReply, Reply
from gateway.upstream.segments import (
    fetch_segment_movies,
    fetch_segments,
    fetch_user_segment,
    segment_movies_path,
)
from marquee.domain.movies import Movie
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import Reason, Route, Scored
from marquee.domain.routing import Thresholds
from marquee.errors import ModelUnavailable, NotFound
from marquee.events import Promotion
from marquee.features.popularity import MovieSums

CATALOGUE = Catalogue(Row.of(Movie(movie_id=i, title=f"Film {i}")) for i in range(1, 31))
FAN = Ratings({1: 9, 2: 8, 3: 10})
LISTED = {
    "items": [{"id": 0, "name": "Western", "typical": [1, 2]}, {"id": 1, "name": "War",
                                                               "typical": [3]}],
    "model_version": "v1",
    "choice": {"k": 2},
}  # fmt: skip
DOWN = Failure("it is down", unresponsive=True)


@dataclass
class FakeModels:
    """Services that answer each path as told."""

    replies: Mapping[str, Reply | Failure] = field(default_factory=dict)
    calls: list[tuple[str, Call]] = field(default_factory=list)

    async def recommend(
        self, _: Route, request: Mapping[str, Any], __: float
    ) -> RecommendReply | Failure:
        movies = [i for i in range(30, 0, -1) if i > 3 and i not in request["exclude"]]
        return RecommendReply(tuple(Scored(i, 1.0, Reason.POPULAR) for i in movies), "m-1")

    async def call(self, service: str, call: Call) -> Reply | Failure:
        self.calls.append((service, call))
        return self.replies.get(call.path.partition("?")[0], DOWN)


def promoted(*segments: int) -> Rules:
    return Rules({9: MovieRules(promotion=Promotion(movie_id=9, slots=(1,), segments=segments))})


async def ask(models: FakeModels, rules: Rules, facts: Ratings = FAN) -> RecommendationAnswer:
    orchestrator = Orchestrator(
        models, PopularList(CATALOGUE, MovieSums()), Thresholds(), Timeouts()
    )
    return await orchestrator.answer(RecommendationQuery(Profile(facts, rules), ListRequest(5)))


def in_segment(segment: int | None) -> FakeModels:
    return FakeModels({"/internal/segment": Reply(200, {"segment": segment})})


@pytest.mark.parametrize(("segment", "placed"), [(2, True), (3, False), (None, False)])
async def test_a_promotion_for_a_segment_is_placed_for_its_users_alone(
    segment: int | None, placed: bool
) -> None:
    models = in_segment(segment)
    answer = await ask(models, promoted(2, 5))
    assert [p.movie_id for p in answer.filtered.placed] == ([9] if placed else [])
    assert answer.fallbacks == ()
    [(service, call)] = models.calls
    assert (service, call.body) == ("user-model", {"ratings": [(1, 4.5), (2, 4.0), (3, 5.0)]})


async def test_nobody_is_asked_while_no_promotion_in_force_is_for_segments() -> None:
    models = in_segment(2)
    assert [p.movie_id for p in (await ask(models, promoted())).filtered.placed] == [9]
    ended = Promotion.model_validate(
        {"movie_id": 9, "segments": [2], "until": "2001-01-01T00:00:00Z"}
    )
    await ask(models, Rules({9: MovieRules(promotion=ended)}))
    assert models.calls == []


async def test_a_user_who_likes_nothing_is_in_no_segment_and_nobody_is_asked() -> None:
    models = in_segment(2)
    answer = await ask(models, promoted(2), Ratings({1: 4}))
    assert (answer.filtered.placed, models.calls) == ((), [])


@pytest.mark.parametrize("reply", [DOWN, Reply(503, {"detail": "no version"})])
async def test_without_the_service_the_list_comes_and_says_what_is_left_out(reply: Any) -> None:
    answer = await ask(FakeModels({"/internal/segment": reply}), promoted(2))
    assert len(answer.filtered.items) == 5
    assert answer.filtered.placed == ()
    assert "promotions for segments were left out" in answer.fallbacks[0].why


async def test_names_that_operators_gave_replace_generated_ones() -> None:
    names = Reply(200, {"k": 7, "names": {"1": "Trenches"}, "kept": [1]})
    models = FakeModels({
        "/internal/segments/movies": Reply(200, LISTED),
        "/internal/segments/movies/names": names,
    })  # fmt: skip
    document = await fetch_segments(models, "movies", 1.0)
    shown = [(segment["name"], segment["named"], segment["kept"]) for segment in document["items"]]
    assert shown == [("Western", False, False), ("Trenches", True, True)]
    assert document["wanted"] == 7
    names_query = models.calls[1][1].body
    assert names_query == {"segments": [{"id": 0, "films": [1, 2]}, {"id": 1, "films": [3]}]}


async def test_without_the_trainer_segments_keep_their_generated_names() -> None:
    models = FakeModels({"/internal/segments/users": Reply(200, LISTED)})
    document = await fetch_segments(models, "users", 1.0)
    assert [segment["name"] for segment in document["items"]] == ["Western", "War"]
    assert document["wanted"] is None


async def test_refusals_of_the_service_are_errors_that_clients_see() -> None:
    path = "/internal/segments/users/9/films"
    missing = FakeModels(
        {path: Reply(404, {"code": "not_found", "detail": "there is no segment 9 of users"})}
    )
    call = Call("GET", segment_movies_path("users", 9))
    with pytest.raises(NotFound, match="no segment 9"):
        await fetch_segment_movies(missing, call)
    assert await fetch_segment_movies(FakeModels(), call) == DOWN
    with pytest.raises(ModelUnavailable, match="down"):
        await fetch_segments(FakeModels(), "users", 1.0)


async def test_the_segment_of_a_user_is_asked_by_what_he_rated() -> None:
    assert await fetch_user_segment(in_segment(4), FAN, 1.0) == 4
    assert await fetch_user_segment(FakeModels(), FAN, 1.0) == DOWN


def test_every_call_of_the_api_has_a_route() -> None:
    assert {(r.path, *r.methods) for r in routes.routes} == {  # type: ignore[attr-defined]
        ("/v1/segments/{kind}", "GET"),
        ("/v1/segments/{kind}", "PUT"),
        ("/v1/segments/{kind}/{segment_id}", "GET"),
        ("/v1/segments/{kind}/{segment_id}", "PUT"),
        ("/v1/segments/{kind}/{segment_id}/recommendations", "GET"),
    }
