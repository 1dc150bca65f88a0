"""Each of many events is read, or every wrong field of it is named with how to mend it."""

from typing import Any

import orjson
import pytest
from fastapi.exceptions import RequestValidationError

from gateway.api.event_parsing import read_events
from gateway.http.problem_details import FieldError
from marquee.events import EVENT_TYPES, MODELS, MovieAdded, RatingAdded

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
    assert isinstance(wrong, list)
    return {error.field: error for error in wrong}


def changed(**data: Any) -> dict[str, Any]:
    return RATING | {"data": RATING["data"] | data}


def test_all_are_read_when_nothing_is_wrong() -> None:
    movie = {"type": "movie.added", "data": {"movie_id": 5, "title": "Five"}}
    assert [type(event) for event in read(RATING, movie)] == [RatingAdded, MovieAdded]


@pytest.mark.parametrize(
    ("event", "field", "words"),
    [
        (changed(rating=9), "data.rating", "less than or equal to 5"),
        (changed(rating=4.3), "data.rating", "multiple of 0.5"),
        (changed(rating=None), "data.rating", "valid number"),
        (changed(user_id=0), "data.user_id", "greater than or equal to 1"),
        (changed(user_id="ann"), "data.user_id", "valid integer"),
        (RATING | {"data": {"user_id": 1, "rating": 4}}, "data.movie_id", "field required"),
        (RATING | {"time": "2026-01-01T00:00:00"}, "time", "timezone"),
        (RATING | {"specversion": "0.3"}, "specversion", "'1.0'"),
        (RATING | {"id": ""}, "id", "at least 1 character"),
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


def test_an_unknown_genre_is_named_with_the_known_ones_in_changes_too() -> None:
    for kind, data in (
        ("movie.added", {"movie_id": 5, "title": "Five", "genres": ["Cooking"]}),
        ("movie.updated", {"movie_id": 5, "genres": ["Cooking"]}),
        ("movie.promoted", {"movie_id": 5, "genres": ["Cooking"]}),
    ):
        [error] = errors_of({"type": kind, "data": data}).values()
        assert error.field.startswith("data.genres")
        assert "unknown genre 'Cooking'; allowed: Action, " in error.detail


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
        assert [(error.field, error.detail) for error in errors] == [
            ("type", "only the trainer publishes models")
        ]


def test_numbers_that_json_does_not_have_are_wrong_fields() -> None:
    for text in (b"NaN", b"Infinity", b"1e999", b"1" * 40):
        body = orjson.dumps({"events": [RATING, RATING | {"data": "?"}]})
        data = b'{"user_id":1,"movie_id":2,"rating":' + text + b"}"
        right, wrong = read_events(body.replace(b'"?"', data))
        assert isinstance(right, RatingAdded)
        assert isinstance(wrong, list)


@pytest.mark.parametrize(
    ("body", "kind", "where"),
    [
        (b"{", "json_invalid", ("body",)),
        (b"[]", "model_type", ("body",)),
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
