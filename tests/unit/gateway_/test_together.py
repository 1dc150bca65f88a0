"""A list for several viewers: average without misery, each one's rating, nothing seen."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.app import create_app
from gateway.recommend.together import (
    ExpectedRating,
    Member,
    best_first,
    borda,
    joined_facts,
    without_misery,
)
from gateway.state.rules import MovieRules, Rules
from gateway.upstream.models import Call, Failure, RecommendReply, Reply
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import Reason, Route, Scored
from marquee_testing.fakes.gateway_api import (
    MOVIES,
    ApiHarness,
    FakeModels,
    client_of,
    fields_of,
    movie_ids,
    parts,
)

PATH = "/v1/recommendations/together"
IDS = st.integers(1, 20)


def member(*ranked: int, **facts: Any) -> Member:
    return Member(Ratings(**facts), [Scored(i, 1.0, Reason.PREDICTED_FOR_YOU) for i in ranked])


# --- the strategy


def test_a_film_that_all_like_comes_before_one_that_one_loves() -> None:
    counts = borda([member(1, 2, 3, 4), member(5, 2, 6, 7), member(8, 2, 9, 10)])
    assert best_first(counts, 1) == [2]
    assert counts[2] == pytest.approx(0.75)
    assert counts[1] == pytest.approx(1 / 3)


def test_a_film_that_one_has_seen_counts_by_the_stars_given() -> None:
    counts = borda([member(1, 2, rated={3: 10}), member(3, 1)])
    assert counts[3] == pytest.approx(1.0)


@given(st.lists(st.lists(IDS, unique=True, max_size=12), min_size=1, max_size=5))
def test_counts_are_fair_and_between_zero_and_one(rankings: list[list[int]]) -> None:
    members = [member(*ranking) for ranking in rankings]
    counts = borda(members)
    assert all(0 <= count <= 1 for count in counts.values())
    assert borda(members[::-1]) == pytest.approx(counts)
    for film in counts:
        better = [film, *(i for i in rankings[0] if i != film)]
        raised = borda([member(*better), *members[1:]])
        assert raised[film] >= counts[film] - 1e-9  # who raises a film does not lower it


@given(
    st.lists(IDS, unique=True),
    st.dictionaries(IDS, st.lists(st.none() | st.integers(1, 10), min_size=2, max_size=2)),
    st.integers(1, 10),
)
def test_none_comes_first_that_somebody_would_hate(
    movies: list[int], halves: dict[int, list[int | None]], half: int
) -> None:
    ratings = {
        i: [ExpectedRating(None if h is None else h / 2) for h in pair]
        for i, pair in halves.items()
    }
    passing, others = without_misery(movies, ratings, half / 2)
    assert sorted([*passing, *others]) == sorted(movies)
    assert passing == [i for i in movies if i in passing]
    lowest = {i: min((h for h in halves.get(i, []) if h is not None), default=10) for i in movies}
    assert all(lowest[i] >= half for i in passing)
    assert all(lowest[i] < half for i in others)
    assert [lowest[i] for i in others] == sorted((lowest[i] for i in others), reverse=True)


def test_what_any_has_seen_or_dismissed_keeps_a_film_out() -> None:
    members = [member(rated={1: 2}), member(viewed={2: None}, dismissed={3: None})]
    assert joined_facts(members, False).seen == {1, 2, 3}
    assert joined_facts(members, True).seen == {3}


# --- the call


@dataclass
class Rating(FakeModels):
    """Services that rank films by distance from the viewer's id, and predict by a table."""

    predicted: dict[tuple[int, int], float] = field(default_factory=dict)
    is_down: bool = False

    async def recommend(
        self, route: Route, request: Mapping[str, Any], _: float
    ) -> RecommendReply | Failure:
        viewer = request["user_id"]
        films = sorted((m.movie_id for m in MOVIES), key=lambda i: (abs(i - viewer), i))
        out = {i for i, _ in request["ratings"]}.union(request["exclude"], request["dismissed"])
        left = [i for i in films if i not in out]
        items = [Scored(i, 1.0, Reason.PREDICTED_FOR_YOU) for i in left[: request["k"]]]
        return RecommendReply(tuple(items), f"{route}-1")

    async def call(self, service: str, call: Call) -> Reply | Failure:
        assert service == "neural"
        if self.is_down:
            return Failure("neural is down")
        [(first, _)] = call.body["ratings"]
        items = [
            {"movie_id": i, "rating": self.predicted.get((first, i), 4.0), "confidence": 0.5}
            for i in call.body["movie_ids"]
        ]
        return Reply(200, {"items": items, "model_version": "n1"})


@pytest.fixture
async def api() -> AsyncIterator[ApiHarness]:
    context, live_view, profiles, _, publisher = parts()
    models = Rating()
    context = replace(context, models=models)
    context.orchestrator.models = models
    # The only rating of each tells the viewers apart.
    profiles.facts.update({10: Ratings({1: 8}), 20: Ratings({2: 8}), 30: Ratings({3: 2})})
    app = create_app(context)
    async with client_of(app) as client:
        yield ApiHarness(app, client, live_view, profiles, models, publisher)


async def test_a_list_for_three_has_the_rating_of_each(api: ApiHarness) -> None:
    assert isinstance(api.models, Rating)
    api.models.predicted = {(2, 20): 2.0, (1, 21): 3.0}
    response = await api.client.post(PATH, json={"users": [10, 20, 30], "k": 5})
    body = response.json()
    films = movie_ids(response)
    assert 20 not in films  # the middle, but one of them would not like it
    assert not {1, 2, 3} & set(films)
    assert body["users"] == [10, 20, 30]
    assert (body["model_version"], body["degraded"], body["notes"]) == ("n1", False, [])
    of_21 = next(item for item in body["items"] if item["movie_id"] == 21)
    assert of_21["ratings"] == [
        {"user_id": 10, "rating": 3.0, "confidence": 0.5, "rated": False},
        {"user_id": 20, "rating": 4.0, "confidence": 0.5, "rated": False},
        {"user_id": 30, "rating": 4.0, "confidence": 0.5, "rated": False},
    ]
    assert (of_21["least_rating"], of_21["mean_rating"]) == (3.0, pytest.approx(11 / 3))
    scores = [item["score"] for item in body["items"]]
    assert scores == sorted(scores, reverse=True)


async def test_films_that_some_have_seen_come_when_asked_for(api: ApiHarness) -> None:
    api.profiles.facts[20] = Ratings({20: 9}, dismissed={19: None})
    body = {"users": [10, 20, 30], "k": 10}
    assert not {19, 20} & set(movie_ids(await api.client.post(PATH, json=body)))
    response = await api.client.post(PATH, json=body | {"allow_seen": True})
    items = {item["movie_id"]: item for item in response.json()["items"]}
    assert 19 not in items
    assert items[20]["ratings"][1] == {
        "user_id": 20, "rating": 4.5, "confidence": 1.0, "rated": True,
    }  # fmt: skip


async def test_where_nothing_suits_all_the_least_bad_come_and_it_is_said(api: ApiHarness) -> None:
    assert isinstance(api.models, Rating)
    api.models.predicted = {(1, i): 1.0 + i / 40 for i in range(1, 41)}
    response = await api.client.post(PATH, json={"users": [10, 20], "k": 4, "least_rating": 3})
    assert movie_ids(response) == [40, 39, 38, 37]
    [note] = response.json()["notes"]
    assert note.startswith("too few films suit all: 4 of these one of the viewers can be expected")


async def test_without_the_network_ratings_are_means_and_the_answer_says_so(
    api: ApiHarness,
) -> None:
    assert isinstance(api.models, Rating)
    api.models.is_down = True
    body = (await api.client.post(PATH, json={"users": [10, 20], "k": 2})).json()
    assert body["degraded"]
    assert body["fallbacks"] == [
        {"route": "neural", "why": "expected ratings: neural is down"},
    ]
    assert {rating["confidence"] for item in body["items"] for rating in item["ratings"]} == {0.0}
    assert body["model_version"] == "gateway"


async def test_rules_and_filters_hold(api: ApiHarness) -> None:
    rules = {
        15: {"block": {"movie_id": 15}},
        40: {"promotion": {"movie_id": 40, "slots": [2]}},
        1: {"promotion": {"movie_id": 1}},
    }
    api.profiles.rules = Rules({i: MovieRules.parse(orjson.dumps(r)) for i, r in rules.items()})
    response = await api.client.post(
        PATH, json={"users": [10, 20], "k": 6, "exclude": [14], "year_from": 2000}
    )
    films = movie_ids(response)
    assert len(films) == 6
    assert not {14, 15, 1} & set(films)
    assert films[1] == 40
    assert all(item["year"] >= 2000 for item in response.json()["items"])


async def test_a_viewer_who_is_named_twice_counts_once(api: ApiHarness) -> None:
    response = await api.client.post(PATH, json={"users": [10, "10", 20], "k": 2})
    assert response.json()["users"] == [10, 20]


async def test_a_group_has_two_to_five_viewers(api: ApiHarness) -> None:
    for users in ([1], [1, 2, 3, 4, 5, 6]):
        assert "users" in fields_of(await api.client.post(PATH, json={"users": users}))
    wrong = await api.client.post(PATH, json={"users": [1, 2], "least_rating": 6})
    assert "least_rating" in fields_of(wrong)
