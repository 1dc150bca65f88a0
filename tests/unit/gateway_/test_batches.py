"""Lists for many viewers in one call: each with a list or a problem of its own."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gateway.api.context import BATCH_AT_ONCE
from gateway.api.lists import batches
from gateway.app import create_app
from gateway.http.concurrency import AdaptiveLimit
from gateway.upstream.models import Failure, RecommendReply
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import Route
from marquee_testing.fakes.gateway_api import ApiHarness, FakeModels, client_of, fields_of, parts

PATH = "/v1/recommendations/batch"


@dataclass
class Counted(FakeModels):
    """Services that count the calls under way, and answer when the loop has turned a few times."""

    under_way: int = 0
    most: int = 0
    order: list[int | None] = field(default_factory=list)

    async def recommend(
        self, route: Route, request: Mapping[str, Any], seconds: float
    ) -> RecommendReply | Failure:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        for _ in range(5):
            await asyncio.sleep(0)
        self.under_way -= 1
        self.order.append(request["user_id"])
        return await FakeModels.recommend(self, route, request, seconds)


@pytest.fixture
async def api() -> AsyncIterator[ApiHarness]:
    context, live_view, profiles, _, publisher = parts()
    models = Counted()
    context.orchestrator.models = models
    app = create_app(context)
    async with client_of(app) as client:
        yield ApiHarness(app, client, live_view, profiles, models, publisher)


async def _post(api: ApiHarness, **body: Any) -> dict[str, Any]:
    response = await api.client.post(PATH, json=body)
    assert response.status_code == 200, response.text
    return dict(response.json())


async def test_each_viewer_has_the_list_that_a_call_of_its_own_gives(api: ApiHarness) -> None:
    api.profiles.facts[1] = Ratings({40: 10, 38: 9}, watchlist={37: None})
    api.profiles.facts[2] = Ratings({39: 10})
    body = await _post(api, users=[1, 2, "maria"], k=3, genres=["crime", "Drama"], exclude=[36])
    assert (body["lists"], body["problems"]) == (3, 0)
    for item in body["items"]:
        path = f"/v1/users/{item['user_id']}/recommendations"
        own = (await api.get(f"{path}?k=3&genre=crime&genre=Drama&exclude=36")).json()
        for document in (own, item["list"]):
            document.pop("recommendation_id")
        assert item["list"] == own
        assert item["problem"] is None
    only = await _post(api, users=[1], watchlist="only")
    assert [i["movie_id"] for i in only["items"][0]["list"]["items"]] == [37]


@pytest.mark.parametrize("wrong", ["a b", "", "x" * 65, None, 1.5, True, {}, [1]])
async def test_an_id_that_is_none_costs_no_other_viewer_the_list(
    api: ApiHarness, wrong: Any
) -> None:
    body = await _post(api, users=[1, wrong, 2])
    assert (body["lists"], body["problems"]) == (2, 1)
    first, second, third = body["items"]
    assert first["list"]
    assert third["list"]
    assert second["user_id"] == (wrong if isinstance(wrong, str) else None)
    assert second["list"] is None
    assert second["problem"]["code"] == "invalid_input"
    assert second["problem"]["status"] == 422
    assert second["problem"]["detail"]


@pytest.mark.parametrize(
    "wrong",
    ["-17872618005301783356973894356913094656", '"\\ud800"', '"\\u0000"', '{"\\udfff": 1e400}'],
)
async def test_a_name_that_no_answer_can_repeat_is_told_as_none(
    api: ApiHarness, wrong: str
) -> None:
    text = '{"users": [1, %s, [%s]]}' % (wrong, wrong)  # noqa: UP031 - braces of JSON
    headers = {"content-type": "application/json"}
    response = await api.client.post(PATH, content=text, headers=headers)
    assert response.status_code == 200, response.text
    assert [item["user_id"] for item in response.json()["items"]] == [1, None, None]
    assert response.json()["problems"] == 2


async def test_few_lists_are_made_at_once_over_all_batches(api: ApiHarness) -> None:
    assert isinstance(api.models, Counted)
    users = list(range(1, 101))
    await asyncio.gather(_post(api, users=users), _post(api, users=users))
    assert api.models.most == BATCH_AT_ONCE
    assert len(api.models.order) == 200


async def test_one_list_does_not_wait_for_a_batch(api: ApiHarness) -> None:
    assert isinstance(api.models, Counted)
    batch = asyncio.create_task(_post(api, users=list(range(1, 101))))
    while not api.models.under_way:
        await asyncio.sleep(0)
    await api.get("/v1/users/1000/recommendations")
    before = api.models.order.index(1000)
    await batch
    assert before < 20


async def test_what_is_not_begun_in_time_is_a_problem_of_its_viewer(
    api: ApiHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "LONGEST_S", -1.0)
    body = await _post(api, users=[1, 2])
    assert [item["problem"]["code"] for item in body["items"]] == ["model_unavailable"] * 2


async def test_what_is_wrong_for_all_is_refused_as_a_whole(api: ApiHarness) -> None:
    for body, name in (
        ({"users": []}, "users"),
        ({"users": list(range(101))}, "users"),
        ({"users": [1], "genres": ["Noir"]}, "genres.0"),
        ({"users": [1], "k": 0}, "k"),
        ({"users": [1], "limit": 3}, "limit"),
    ):
        assert name in fields_of(await api.client.post(PATH, json=body))


async def test_batches_hold_no_place_of_other_calls(api: ApiHarness) -> None:
    context = api.app.state.context
    go, begun = asyncio.Event(), asyncio.Event()

    async def recommend(*_: Any) -> Failure:
        begun.set()
        await go.wait()
        return Failure("no")

    api.models.recommend = recommend  # type: ignore[assignment]
    app = create_app(replace(context, limit=AdaptiveLimit(2)))
    async with client_of(app) as client:
        body = {"users": [1, 2, 3]}
        held = [asyncio.create_task(client.post(PATH, json=body)) for _ in range(5)]
        await begun.wait()
        assert (await client.get("/v1/movies")).status_code == 200
        go.set()
        assert {(await one).status_code for one in held} == {200}
