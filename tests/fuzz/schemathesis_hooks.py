"""What Schemathesis is told of this API: which ids exist, and what else every answer must keep.

Loaded by Schemathesis in its own environment (`hooks` in schemathesis.toml): no import of Marquee.
"""

import json
import os
import re
import zlib
from typing import Any

import schemathesis
from schemathesis.core import NOT_SET

# Ids that exist: else nearly every call of a film or viewer would end at "there is no such film".
MOVIES = tuple(json.loads(os.environ.get("FUZZ_MOVIES", "[]")))
USERS = tuple(json.loads(os.environ.get("FUZZ_USERS", "[]")))
IDS = frozenset({"movie_id", "user_id", "movie_ids", "viewed", "exclude", "users"})
LARGEST_ID, LONG = 2**63 - 1, re.compile(r"\b[0-9]{19}\b")
MEMBERS = {"type": str, "title": str, "status": int, "detail": str, "code": str}
PROBLEM = "application/problem+json"
BEYOND_THE_SCHEMA = (
    "no film has it",  # a filter by what no film of the catalogue has
    "must be later than",  # a rule that ends before it begins, or before now
    "it was used for another request",  # an Idempotency-Key that was sent before
    "not a token that a write",  # a token of a write, and a cursor: texts that the API has made
    "not a cursor",
    "is of another list",
    "not in the list any more",
    "give either",  # of two fields one
    "year_from",  # limits that contradict each other
    "replaced and cleared",
    "a key with the scope",  # an event of another kind than the key may send
)
"""What a document cannot say of a request, and for which a valid one is refused with 422."""


@schemathesis.hook
def map_case(_: Any, case: Any) -> Any:
    """Have three of four valid requests name a film and a viewer that exist.

    A list that is followed is waited for a second at most: by default it answers after 25.
    """
    if case.operation.path.endswith("/changes") and isinstance(case.query, dict):
        case.query.setdefault("wait", 1)
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return case
    for name, known in (("movie_id", MOVIES), ("user_id", USERS)):
        value = (case.path_parameters or {}).get(name)
        place = zlib.crc32(repr(value).encode())
        if value is not None and known and place % 4:
            case.path_parameters[name] = known[place % len(known)]
    case.body = _with_whole_ids(case.body)
    return case


def _with_whole_ids(body: Any, is_id: bool = False) -> Any:
    """Return a body whose ids are no floats: 7.0 is an integer to JSON Schema, and no id."""
    if isinstance(body, dict):
        return {name: _with_whole_ids(value, name in IDS) for name, value in body.items()}
    if isinstance(body, list):
        return [_with_whole_ids(value, is_id) for value in body]
    return int(body) if is_id and isinstance(body, float) else body


@schemathesis.hook
def filter_failure(_: Any, failure: Any, case: Any, response: Any) -> bool:
    """Leave out what is right, though no document can tell it."""
    kind = type(failure).__name__
    text = response.content.decode("utf-8", "replace")
    if kind == "RejectedPositiveData" and response.status_code == 422:
        # Near the largest id Schemathesis reckons with floats, and comes out above it.
        is_above = any(
            int(digits) > LARGEST_ID for digits in LONG.findall(json.dumps(case.body, default=str))
        )
        return not is_above and not any(words in text for words in BEYOND_THE_SCHEMA)
    # Of several events each is judged by itself; and where a body may be left out it may be null.
    is_partly = case.operation.path == "/v1/events" and '"status":"rejected"' in text
    is_left_out = (case.body is None or case.body is NOT_SET) and response.status_code < 300
    return not (kind == "AcceptedNegativeData" and (is_partly or is_left_out))


@schemathesis.check
def problem_document(_: Any, response: Any, case: Any) -> None:
    """Every error is a problem document (RFC 9457) that names the field, where there is one."""
    if response.status_code < 400:
        return
    kind = ",".join(response.headers.get("content-type", ()))
    assert kind == PROBLEM, f"{response.status_code} as {kind or 'nothing'}, not {PROBLEM}"
    if case.operation.method.upper() == "HEAD" or not response.content:
        return
    document = json.loads(response.content)
    for name, form in MEMBERS.items():
        assert isinstance(document.get(name), form), f"{name} is not of a problem document"
        assert document[name] or name == "status", f"{name} is empty"
    assert document["status"] == response.status_code, "status differs from that of the answer"
    if response.status_code == 422:
        _check_fields(document)


def _check_fields(document: dict[str, Any]) -> None:
    """Check that a refusal names a field: itself, or in each of the events that it refuses."""
    wrong = (
        [document, *document.get("items", ())] if "errors" in document else document.get("items")
    )
    assert wrong, "the refusal names no field"
    for part in wrong:
        assert part.get("errors"), "the refusal names no field"
        for error in part["errors"]:
            assert error.get("field"), "an error names no field"
            assert error.get("detail"), "an error has no detail"
