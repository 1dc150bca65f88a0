"""The description of the API says which calls take an Idempotency-Key, and what /v1/events is."""

from typing import Any

import pytest

from gateway.app import build
from gateway.http.scopes import SCOPES, WITHOUT_IDEMPOTENCY_KEY
from marquee.access.scopes import Scope
from marquee.settings import Settings

NOWHERE = {"redis_url": "redis://127.0.0.1:1/0"}


@pytest.fixture(scope="module")
def operations() -> dict[str, tuple[str, dict[str, Any]]]:
    """Method and description of each operation by its id."""
    described = build(Settings.model_validate(NOWHERE)).openapi()
    return {
        operation["operationId"]: (method, operation)
        for path in described["paths"].values()
        for method, operation in path.items()
    }


def test_every_write_of_the_log_takes_a_key_and_no_other_call_does(
    operations: dict[str, tuple[str, dict[str, Any]]],
) -> None:
    taking = {
        name
        for name, (_, operation) in operations.items()
        if "Idempotency-Key" in [parameter["name"] for parameter in operation.get("parameters", ())]
    }
    writing = {
        name
        for name, (method, _) in operations.items()
        if method != "get" and SCOPES[name] in (Scope.WRITE, Scope.CURATE)
    }
    assert taking == writing - WITHOUT_IDEMPOTENCY_KEY
    assert {"put_rating", "add_movie", "publish_events", "erase_user", "put_block"} <= taking
    assert "user_id" in [
        parameter["name"] for parameter in operations["put_rating"][1]["parameters"]
    ]


def test_the_body_of_many_events_is_described(
    operations: dict[str, tuple[str, dict[str, Any]]],
) -> None:
    _, operation = operations["publish_events"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert (schema["required"], schema["additionalProperties"]) == (["events"], False)
    events = schema["properties"]["events"]
    assert (events["minItems"], events["maxItems"]) == (1, 1000)
    assert events["items"] == {"$ref": "#/components/schemas/CloudEvent"}
