"""Each of many events is read, or every wrong field of it is named with how to mend it."""

from typing import Any

import orjson
import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

from gateway.api.event_parsing import BATCH, STRUCTURED, Rejection, read_call, read_events
from gateway.http.json_body import JSON
from gateway.http.problem_details import FieldError
from marquee.errors import UnreadableEvent
from marquee.events import EVENT_TYPES, MODELS, MovieAdded, RatingAdded, decode
from trainer.contracts.examples import EXAMPLES

RATING: dict[str, Any] = {
    "specversion": "1.0",
    "id": "a",
    "source": "shop",
    "type": "rating.added",
    "data": {"user_id": 1, "movie_id": 2, "rating": 4.0},
}


def read(*events: Any) -> list[Any]:
    return list(read_events(orjson.dumps({"events": events})))


def errors_of(event: Any) -> dict[str, FieldError]:
    """Return what is wrong with an event, by field, as read beside one that is right."""
    right, wrong = read(RATING, event)
    assert isinstance(right, RatingAdded)
    assert isinstance(wrong, Rejection)
    return {error.field: error for error in wrong.errors}


def changed(**data: Any) -> dict[str, Any]:
    return RATING | {"data": RATING["data"] | data}


def test_all_are_read_when_nothing_is_wrong() -> None:
    movie = {"type": "movie.added", "data": {"movie_id": 5, "title": "Five"}}
    assert [type(event) for event in read(RATING, movie)] == [RatingAdded, MovieAdded]


@pytest.mark.parametrize(
    ("event", "field", "words"),
    [
        (changed(rating=9), "data.rating", "0.5 to 5 stars"),
        (changed(rating=4.3), "data.rating", "in half stars"),
        (changed(rating=None), "data.rating", "number of 0.5"),
        (changed(user_id=0), "data.user_id", "whole number from 1"),
        (changed(user_id="an n"), "data.user_id", "string of 1 to 64"),
        (RATING | {"data": {"user_id": 1, "rating": 4}}, "data.movie_id", "field required"),
        (RATING | {"time": "2026-01-01T00:00:00"}, "time", "timezone"),
        (RATING | {"specversion": "0.3"}, "specversion", "'1.0'"),
        (RATING | {"id": ""}, "id", "text of 1 to 200"),
        ({"type": "rating.added"}, "data", "field required"),
    ],
)
def test_a_wrong_field_is_named_with_what_it_must_be(event: Any, field: str, words: str) -> None:
    errors = errors_of(event)
    assert list(errors) == [field]
    assert words in errors[field].detail


def test_every_wrong_field_is_named() -> None:
    assert set(errors_of(changed(rating=9, movie_id=-1) | {"id": ""})) == {
        "data.rating",
        "data.movie_id",
        "id",
    }


@pytest.mark.parametrize("genre", ["", " ", "a\nb", "x" * 41])
def test_what_is_no_genre_is_named_in_changes_too(genre: str) -> None:
    for kind, data in (
        ("movie.added", {"movie_id": 5, "title": "Five", "genres": ["Drama", genre]}),
        ("movie.updated", {"movie_id": 5, "genres": ["Drama", genre]}),
        ("movie.promoted", {"movie_id": 5, "genres": ["Drama", genre]}),
    ):
        assert set(errors_of({"type": kind, "data": data})) == {"data.genres.1"}


@pytest.mark.parametrize("event", [{}, {"type": "film.added"}, {"type": 7}, {"type": MODELS}])
def test_an_unknown_type_is_answered_with_the_known_ones(event: Any) -> None:
    [error] = errors_of(event).values()
    assert error.field == "type"
    allowed = [name for name, kind in EVENT_TYPES.items() if kind.topic != MODELS]
    assert list(error.allowed or ()) == allowed


def test_models_are_published_by_the_trainer_alone() -> None:
    data = {"name": "content", "version": "1", "address": "a", "sha256": "0" * 64}
    event = {"type": "model.published", "data": data}
    for errors in (read(event)[0], read(event, {})[0]):
        assert [(error.field, error.detail) for error in errors.errors] == [
            ("type", "only the trainer publishes models")
        ]


def test_numbers_that_json_does_not_have_are_wrong_fields() -> None:
    for text in (b"NaN", b"Infinity", b"1e999", b"1" * 40):
        body = orjson.dumps({"events": [RATING, RATING | {"data": "?"}]})
        data = b'{"user_id":1,"movie_id":2,"rating":' + text + b"}"
        right, wrong = read_events(body.replace(b'"?"', data))
        assert isinstance(right, RatingAdded)
        assert isinstance(wrong, Rejection)


def fields_of(name: str) -> list[str]:
    data = EVENT_TYPES[name].model_fields["data"].annotation
    assert isinstance(data, type)
    assert issubclass(data, BaseModel)
    return [field.alias or name for name, field in data.model_fields.items()]


def verdicts_of(text: bytes) -> set[bool]:
    """Return whether the bus, and each form of a call, takes an event."""
    taken = set()
    for kind, body in (
        (STRUCTURED, text),
        (BATCH, b"[" + text + b"]"),
        (JSON, b'{"events": [' + text + b"]}"),
        (JSON, b'{"events": [{}, ' + text + b"]}"),
    ):
        taken.add(not isinstance(read_call(kind, {}, body)[-1], Rejection))
    try:
        decode(text)
    except UnreadableEvent:
        return taken | {False}
    return taken | {True}


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 40, "2.0", "-0.0"]
)
@pytest.mark.parametrize(
    "name", [name for name, kind in EVENT_TYPES.items() if kind.topic != MODELS]
)
def test_every_form_of_a_call_decides_as_the_bus_of_a_number_in_any_field(
    name: str, number: str
) -> None:
    for field in (*fields_of(name), "unknown"):
        event = EXAMPLES[name] | {"data": EXAMPLES[name]["data"] | {field: "?"}}
        text = orjson.dumps(event).replace(b'"?"', number.encode())
        assert len(verdicts_of(text)) == 1, text


@pytest.mark.parametrize(
    ("body", "kind", "where"),
    [
        (b"{", "json_invalid", ("body",)),
        (b"7", "model_type", ("body",)),
        (b"{}", "missing", ("body", "events")),
        (b'{"events": []}', "too_short", ("body", "events")),
        (b'{"events": [7]}', "dict_type", ("body", "events", 0)),
        (b'{"events": [{}], "event": 1}', "unknown_field", ("body",)),
        (b'{"events": [' + b",".join([b"{}"] * 1001) + b"]}", "too_long", ("body", "events")),
        (b'{"events": [{"a": ' + b"[" * 3000 + b"]" * 3000 + b"}]}", "json_invalid", ("body",)),
    ],
)
def test_a_body_that_is_none_is_refused_as_a_whole(
    body: bytes, kind: str, where: tuple[str | int, ...]
) -> None:
    with pytest.raises(RequestValidationError) as caught:
        read_events(body)
    [error] = caught.value.errors()
    assert (error["type"], error["loc"]) == (kind, where)
