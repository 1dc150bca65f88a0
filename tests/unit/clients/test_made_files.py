"""The made part of Python's client is that of this gateway, and its options are the gateway's."""

from typing import Any, get_type_hints

import pytest

from gateway.api.docs import openapi_document
from gateway.app import build
from marquee.settings import Settings
from marquee_client import options
from marquee_client.operation import as_query
from marquee_testing.clients.annotations import UnknownSchema, annotation
from marquee_testing.clients.files import NOWHERE, OPERATIONS, python_files
from marquee_testing.clients.operations import Described, described
from marquee_testing.clients.synchronous import synchronous

OPTIONS: dict[str, tuple[type, set[str]]] = {
    "recommend_user": (options.ViewerListOptions, set()),
    "recommend_session": (options.SessionOptions, set()),
    "follow_user": (options.FollowOptions, {"wait"}),
    "recommend_segment": (options.PageOptions, set()),
    "export_user": (options.Freshness, {"format"}),
    "list_shelves": (options.ShelvesOptions, set()),
    "recommend_batch": (options.BatchOptions, {"users"}),
    "recommend_together": (options.TogetherOptions, {"users"}),
    "list_similar_movies": (options.PageOptions, set()),
    "list_movies": (options.SearchOptions, {"query"}),
    "list_ratings": (options.HistoryOptions, set()),
    "list_watchlist": (options.HistoryOptions, set()),
    "get_user": (options.Freshness, set()),
}
"""Operation → the options of its calls, and what is an argument of its own."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document(build(Settings.model_validate(NOWHERE)))


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, Described]:
    return {operation.name: operation for operation in described(document)}


def test_what_is_made_is_as_the_openapi_document_says() -> None:
    stale = [path.name for path, text in python_files().items() if path.read_text() != text]
    assert not stale, f"{', '.join(stale)}: run: make clients"


def test_every_operation_is_one_of_the_gateway(operations: dict[str, Described]) -> None:
    assert operations.keys() >= OPERATIONS


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_options_are_those_that_the_gateway_takes(
    name: str, document: dict[str, Any], operations: dict[str, Described]
) -> None:
    kind, others = OPTIONS[name]
    operation = operations[name]
    known = set(get_type_hints(kind)) | others
    if operation.method == "GET":
        assert set(as_query(dict.fromkeys(known))) == set(operation.parameters("query"))
    else:
        assert known == set(operation.fields(document["components"]["schemas"]))


def test_a_schema_without_a_type_is_an_error() -> None:
    with pytest.raises(UnknownSchema, match="oneOf"):
        annotation({"oneOf": [{"type": "string"}]}, {})


def test_a_word_of_asyncio_that_would_stay_is_an_error() -> None:
    with pytest.raises(ValueError, match="is left"):
        synchronous("asyncio.gather()")
