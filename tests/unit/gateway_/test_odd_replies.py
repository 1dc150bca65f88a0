"""Whatever JSON a service answers, no call of the API fails: what cannot be read counts as none."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.api.docs import openapi_document
from gateway.app import create_app
from gateway.recommend.orchestrator import Orchestrator
from gateway.upstream.http_client import RawReply
from gateway.upstream.model_clients import HttpModels
from marquee.domain.routing import Thresholds
from marquee_testing.causes.calls import EXAMPLES, calls_of
from marquee_testing.causes.outcomes import cell_of
from marquee_testing.fakes.gateway_api import parts

SERVICES = ("content", "hybrid", "user-model", "neural", "trainer")
NAMES = (
    "items", "model_version", "movie_id", "score", "reason", "because", "weight", "segment", "id",
    "name", "typical", "choice", "cluster", "rating", "confidence", "k", "names", "kept", "detail",
    "code", "fresh", "lists",
)  # fmt: skip
VALUES = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5)
JSON = st.recursive(
    VALUES | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(["popular", "v1"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
    ),
    max_leaves=12,
)


class OddService:
    """Answers every call with one status and one document."""

    def __init__(self) -> None:
        self.status, self.document = 200, None

    async def send(self, _: str, __: str, ___: bytes | None = None, ____: str = "") -> RawReply:
        return RawReply(self.status, orjson.dumps(self.document))

    async def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def odd() -> tuple[OddService, Any]:
    context, *_ = parts()
    service = OddService()
    models = HttpModels(dict.fromkeys(SERVICES, [service]))
    orchestrator = Orchestrator(models, context.live_view.popular, Thresholds())
    app = create_app(dataclasses.replace(context, models=models, orchestrator=orchestrator))
    return service, app


async def cells(app: Any) -> Sequence[str]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        calls = [c for c in calls_of(openapi_document(app)) if c.operation != "issue_token"]
        return [
            f"{call.name}: "
            + cell_of(call, await client.request(call.method, call.path, json=call.body))
            for call in calls
        ]


@settings(max_examples=25)
@given(status=st.sampled_from([200, 202, 400, 401, 404, 409, 422, 500, 503]), document=JSON)
async def test_no_reply_of_a_service_makes_a_call_fail(
    odd: tuple[OddService, Any], status: int, document: Any
) -> None:
    service, app = odd
    service.status, service.document = status, document
    for cell in await cells(app):
        told = cell.rpartition(": ")[2].split()[0]
        assert told == "accepted" or int(told) < 500 or told in ("503", "504"), cell


def test_an_operation_without_an_example_is_named(odd: tuple[OddService, Any]) -> None:
    document = openapi_document(odd[1])
    new = {"operationId": "preview", "requestBody": {"required": True}}
    paths = {**document["paths"], "/v1/rules/preview": {"post": new}}
    with pytest.raises(LookupError, match="body of preview"):
        calls_of({**document, "paths": paths})
    with pytest.raises(LookupError, match="'rule_id'"):
        calls_of({"paths": {"/v1/rules/{rule_id}": {"get": {"operationId": "get_rule"}}}})


def test_an_example_without_an_operation_is_named() -> None:
    paths = {"/v1/x": {"get": {"operationId": "x"}}}
    with pytest.raises(LookupError, match=sorted(EXAMPLES)[0]):
        calls_of({"paths": paths})
