"""One request: the services asked, the fallbacks without an answer, and the result."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from gateway.api.schemas.presenters import list_document
from gateway.catalogue.catalogue import Catalogue, MovieFilter, Row
from gateway.catalogue.popularity import PopularList
from gateway.recommend.answers import RecommendationAnswer, RecommendationQuery
from gateway.recommend.filter_stage import ListRequest
from gateway.recommend.orchestrator import (
    MAX_RESERVE,
    MIN_RESERVE,
    OWN_VERSION,
    Orchestrator,
    Timeouts,
)
from gateway.state.profiles import Profile
from gateway.state.rules import MovieRules, Rules
from gateway.upstream.models import Call, Failure, RecommendReply, Reply
from marquee.domain.movies import Movie
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import Reason, RecommendRequest, Route, Scored
from marquee.domain.routing import Thresholds
from marquee.events import Block, Promotion
from marquee.features.popularity import MovieSums

N = 200
CATALOGUE = Catalogue(
    Row.of(
        Movie(
            movie_id=i,
            title=f"Film {i}",
            genres=("Crime",) if i <= 4 else ("Drama",),
            tags={"Square": 0.9} if i in (1, 4, 9, 16, 25, 36) else {},
        )
    )
    for i in range(1, N + 1)
)
LIKER = Ratings(dict.fromkeys(range(1, 21), 9))
NOVICE = Ratings({1: 9})


@dataclass
class FakeModels:
    """Services that know all movies in reverse order, but for those that fail or hold few."""

    down: dict[str, str] = field(default_factory=dict)
    unresponsive: bool = False
    few: dict[Route, int] = field(default_factory=dict)
    delay: float = 0.0
    fresh: bool = True
    requests: list[tuple[Route, Mapping[str, Any], float]] = field(default_factory=list)

    async def recommend(
        self, route: Route, request: Mapping[str, Any], seconds: float
    ) -> RecommendReply | Failure:
        RecommendRequest.model_validate_json(orjson.dumps(dict(request)))
        self.requests.append((route, request, seconds))
        time.sleep(self.delay)
        if route in self.down:
            return Failure(self.down[route], self.unresponsive)
        movies = self._movies(request)[: min(request["k"], self.few.get(route, N))]
        return RecommendReply(tuple(movies), f"{route}-1", self.fresh)

    async def call(self, _: str, __: Call) -> Reply | Failure:
        raise AssertionError("a walk only recommends")

    def _movies(self, request: Mapping[str, Any]) -> list[Scored]:
        seen = {movie_id for movie_id, _ in request["ratings"]} | {
            *request["viewed"],
            *request["dismissed"],
            *request["exclude"],
        }
        allowed = MovieFilter(tuple(request["genres"]))
        return [
            Scored(row.movie_id, float(row.movie_id), Reason.PREDICTED_FOR_YOU)
            for row in sorted(CATALOGUE, key=lambda row: -row.movie_id)
            if row.movie_id not in seen
            and allowed.allows(row)
            and (request["only"] is None or row.movie_id in request["only"])
        ]

    @property
    def routes(self) -> list[Route]:
        return [route for route, *_ in self.requests]


def orchestrator(models: FakeModels, **timeouts: float) -> Orchestrator:
    popular = PopularList(CATALOGUE, MovieSums())
    return Orchestrator(models, popular, Thresholds(), Timeouts(**timeouts))


async def ask(
    models: FakeModels, facts: Ratings, list_request: ListRequest | None = None, **more: Any
) -> RecommendationAnswer:
    query = RecommendationQuery(
        Profile(facts, more.pop("rules", Rules())), list_request or ListRequest(10), **more
    )
    return await orchestrator(models).answer(query)


def ids(answer: RecommendationAnswer) -> list[int]:
    return [item.movie_id for item in answer.filtered.items]


def blocked(*movie_ids: int) -> Rules:
    return Rules({i: MovieRules(block=Block(movie_id=i)) for i in movie_ids})


async def test_the_chosen_service_is_asked_once_for_a_reserve_and_its_movies_are_the_answer() -> (
    None
):
    models = FakeModels()
    answer = await ask(models, LIKER, user_id=7)
    assert ids(answer) == list(range(200, 190, -1))
    assert (answer.route, answer.model_version, answer.fallbacks) == (Route.NEURAL, "neural-1", ())
    [(route, request, _)] = models.requests
    assert (route, request["k"], request["user_id"]) == (Route.NEURAL, 15, 7)
    assert request["ratings"][0] == (1, 4.5)


async def test_the_wish_for_broader_lists_travels_and_rules_hold_all_the_same() -> None:
    models = FakeModels()
    promoted = MovieRules(promotion=Promotion(movie_id=3, slots=(2,)))
    rules = Rules({3: promoted, 200: MovieRules(block=Block(movie_id=200))})
    answer = await ask(models, NOVICE, ListRequest(4, diversity=0.5), rules=rules)
    assert ids(answer) == [199, 3, 198, 197]
    assert [request["diversity"] for _, request, _ in models.requests] == [0.5]
    await ask(models, NOVICE, ListRequest(4))
    assert "diversity" not in models.requests[-1][1]


async def test_as_many_more_movies_are_asked_for_as_rules_may_remove_then_all_the_reserve() -> None:
    models = FakeModels()
    await ask(models, LIKER, rules=blocked(*range(1, 5)))
    assert [request["k"] for _, request, _ in models.requests] == [10 + MIN_RESERVE + 4]
    models = FakeModels()
    await ask(models, LIKER, rules=blocked(*range(135, 201)))
    assert [request["k"] for _, request, _ in models.requests] == [
        10 + MAX_RESERVE,
        10 + MAX_RESERVE,
    ]


async def test_a_failing_service_is_replaced_down_the_chain_and_named() -> None:
    models = FakeModels(down={Route.NEURAL: "it is down", Route.USER_CLUSTER: "it is slow"})
    answer = await ask(models, LIKER)
    assert answer.route is Route.HYBRID
    assert [(f.route, f.why) for f in answer.fallbacks] == [
        (Route.NEURAL, "it is down"),
        (Route.USER_CLUSTER, "it is slow"),
    ]
    assert len(ids(answer)) == 10


async def test_without_any_service_the_own_popular_list_answers_k_movies_not_seen() -> None:
    models = FakeModels(down=dict.fromkeys(Route, "no connection"))
    answer = await ask(models, LIKER, ListRequest(30))
    assert ids(answer) == list(range(21, 51))
    assert (answer.route, answer.model_version) == (Route.POPULAR, OWN_VERSION)
    assert models.routes == ["neural", "user-cluster", "hybrid", "similar", "popular"]
    assert len(answer.fallbacks) == 5


async def test_where_rules_leave_too_few_the_same_service_is_asked_once_more() -> None:
    models = FakeModels()
    answer = await ask(models, LIKER, rules=blocked(*range(135, 201)))
    assert ids(answer) == list(range(134, 124, -1))
    assert models.routes == [Route.NEURAL, Route.NEURAL]
    assert set(models.requests[1][1]["exclude"]) == set(range(141, 201))
    assert answer.fallbacks == ()


async def test_where_that_is_still_too_little_the_next_service_adds_its_movies() -> None:
    models = FakeModels(few={Route.NEURAL: 3})
    answer = await ask(models, LIKER)
    assert ids(answer) == list(range(200, 190, -1))
    assert models.routes == [Route.NEURAL, Route.USER_CLUSTER]
    assert answer.route is Route.NEURAL
    assert [(f.route, f.why) for f in answer.fallbacks] == [(Route.NEURAL, "3 of 10 films found")]


async def test_a_service_without_movies_is_not_named_as_the_route() -> None:
    models = FakeModels(few={Route.NEURAL: 0})
    answer = await ask(models, LIKER)
    assert (answer.route, answer.model_version) == (Route.USER_CLUSTER, "user-cluster-1")


async def test_a_short_list_is_no_failure_where_no_more_movies_exist() -> None:
    models = FakeModels()
    answer = await ask(models, NOVICE, ListRequest(10, MovieFilter(("Crime",))))
    assert ids(answer) == [4, 3, 2]
    assert (models.routes, answer.fallbacks) == ([Route.HYBRID], ())


async def test_a_tag_is_asked_for_as_the_movies_that_carry_it() -> None:
    models = FakeModels()
    answer = await ask(models, NOVICE, ListRequest(3, MovieFilter(tag="square")))
    assert ids(answer) == [36, 25, 16]
    [(route, request, _)] = models.requests
    assert (route, sorted(request["only"])) == (Route.HYBRID, [1, 4, 9, 16, 25, 36])
    assert (answer.route, answer.fallbacks) == (Route.HYBRID, ())


async def test_without_a_tag_all_movies_are_asked_for() -> None:
    models = FakeModels()
    await ask(models, NOVICE)
    assert models.requests[0][1]["only"] is None


async def test_the_own_list_keeps_to_the_tag_too() -> None:
    models = FakeModels(down=dict.fromkeys(Route, "no connection"))
    answer = await ask(models, NOVICE, ListRequest(10, MovieFilter(tag="SQUARE")))
    assert ids(answer) == [4, 9, 16, 25, 36]


async def test_a_tag_that_no_movie_carries_is_an_empty_list_that_says_so() -> None:
    models, list_request = FakeModels(), ListRequest(3, MovieFilter(tag="cube"))
    answer = await ask(models, NOVICE, list_request)
    assert (ids(answer), models.requests) == ([], [])
    shown = list_document(answer, RecommendationQuery(Profile(NOVICE), list_request), CATALOGUE)
    assert shown["reason"].startswith("no film is known to carry the tag 'cube'; 1 rating")
    assert (shown["items"], shown["degraded"], shown["fallbacks"]) == ([], False, [])


async def test_blocked_movies_stay_out_of_the_own_list_too() -> None:
    models = FakeModels(down=dict.fromkeys(Route, "no connection"))
    answer = await ask(models, NOVICE, ListRequest(3), rules=blocked(2, 3))
    assert ids(answer) == [4, 5, 6]


async def test_a_service_that_was_silent_is_not_waited_for_twice() -> None:
    models = FakeModels(down=dict.fromkeys(Route, "no word"), unresponsive=True)
    answer = await ask(models, NOVICE, ListRequest(3))
    assert models.routes == [Route.HYBRID, Route.SIMILAR]
    assert [(f.route, f.why) for f in answer.fallbacks] == [
        (route, "no word") for route in (Route.HYBRID, Route.SIMILAR, Route.POPULAR)
    ]
    refusing = FakeModels(down=dict.fromkeys(Route, "no model"))
    await ask(refusing, NOVICE, ListRequest(3))
    assert refusing.routes == [Route.HYBRID, Route.SIMILAR, Route.POPULAR]


async def test_similar_is_skipped_where_there_is_no_movie_to_start_from() -> None:
    models = FakeModels(down=dict.fromkeys(Route, "no connection"))
    await ask(models, Ratings({1: 2}))
    assert models.routes == [Route.HYBRID, Route.POPULAR]


async def test_services_are_told_only_the_positions_that_their_rows_depend_on() -> None:
    after = {"movies:1": 4, "ratings:2": 9}
    models = FakeModels()
    await ask(models, LIKER, after=after, wait=0.5)
    assert models.requests[0][1]["after"] == {"movies:1": 4}
    await ask(models, Ratings(), after=after, wait=0.5)
    route, request, seconds = models.requests[1]
    assert (route, request["after"]) == (Route.POPULAR, after)
    assert request["deadline_ms"] == 500
    assert seconds == pytest.approx(0.75, abs=0.01)


async def test_an_answer_is_as_fresh_as_the_service_that_gave_it() -> None:
    answer = await ask(FakeModels(fresh=False), LIKER)
    assert answer.fresh is False


async def test_when_the_time_is_used_up_nobody_else_is_asked() -> None:
    models = FakeModels(down=dict.fromkeys(Route, "slow"), delay=0.03)
    answer = await orchestrator(models, call=0.05, request=0.05).answer(
        RecommendationQuery(Profile(LIKER), ListRequest(5))
    )
    assert len(models.requests) < 5
    assert answer.fallbacks[-1].why == "no time is left for it"
    assert len(ids(answer)) == 5


async def test_the_document_shows_movies_with_titles_and_grounds() -> None:
    answer = await ask(FakeModels(), NOVICE, ListRequest(1), user_id=3)
    shown = list_document(
        answer, RecommendationQuery(Profile(NOVICE), ListRequest(1), 3), CATALOGUE
    )
    assert shown["reason"] == shown["route_reason"] == "1 rating, 1 positive: fewer than 5 ratings"
    assert shown["evidence"] == {"ratings": 1, "positive": 1, "viewed": 0, "unknown": 0}
    assert (shown["user_id"], shown["degraded"], shown["profile"]) == (3, False, "known")
    assert shown["items"] == [
        {
            "movie_id": 200,
            "title": "Film 200",
            "year": None,
            "genres": ("Drama",),
            "score": 200.0,
            "reason": "predicted_for_you",
            "because": [],
            "promoted": False,
        }
    ]


async def test_an_unknown_profile_makes_the_answer_degraded() -> None:
    query = RecommendationQuery(Profile(known=False), ListRequest(2), user_id=1)
    answer = await orchestrator(FakeModels()).answer(query)
    shown = list_document(answer, query, CATALOGUE)
    assert (shown["profile"], shown["degraded"], shown["route"]) == ("unavailable", True, "popular")
    assert shown["reason"] == "the profile cannot be read; no rating, no viewed film"
