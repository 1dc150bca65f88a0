"""One fact has one rule in bodies, events and files; what was accepted before is kept."""

import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from gateway.api.schemas import movie_bodies, requests
from marquee.bus.api import Message, TopicPartition
from marquee.consumer.decoding import decode_message
from marquee.domain.genres import Genre
from marquee.domain.ids import Id, KeptId, as_given, kept_id, parse_id
from marquee.domain.json_values import Real, Time, Whole
from marquee.domain.movie_fields import Certificate, FreeTag, Overview
from marquee.domain.movies import Movie, Tag, Title, kept_movie
from marquee.domain.ratings import HALF_STARS, Stars
from marquee.errors import UnreadableEvent
from marquee.events import UNKNOWN_TIME, Block, MovieChange, decode, decode_kept
from marquee.events.partitioning import partition_of
from marquee.events.payloads import Reason
from marquee_testing.fakes.bus import MemoryBus
from trainer.contracts.examples import EXAMPLES

HIDING = "\0\x07\x1b\x7f\x85\u202a\u202e\u2066\u2069"
LINES = (Title, Tag, Genre, Certificate, FreeTag, Reason)
NOT_NUMBERS: tuple[Any, ...] = (True, False, "1", "4.5", None, [], {})

BODIES: dict[type[BaseModel], dict[str, Any]] = {
    requests.SessionBody: {
        "genres": ["a"], "genres_not": ["b"], "runtime_max": 90, "languages": ["ru"], "k": 5,
        "certificates": ["16+"], "viewed": [1], "exclude": [2], "diversity": 0.5, "explain": True,
        "ratings": [{"movie_id": 1, "rating": 4, "at": "2026-01-01T00:00:00Z"}],
    },
    requests.RatingBody: {"rating": 4.5, "recommendation_id": "a"},
    requests.ViewBody: {"movie_id": 1, "recommendation_id": "a"},
    requests.PredictionBody: {"user_id": 1, "movie_ids": [1]},
    requests.PromotionBody: {
        "weight": 2, "slots": [1], "genres": ["a"], "segments": [3], "actor": "a", "reason": "b",
        "from": "2030-01-01T00:00:00Z", "until": "2031-01-01T00:00:00Z",
    },
    requests.BlockBody: {"reason": "a", "until": "2031-01-01T00:00:00Z", "actor": "b"},
    requests.SegmentsBody: {"k": 5},
    requests.SegmentBody: {"name": "a", "keep": True},
    movie_bodies.MovieBody: {
        "movie_id": 1, "title": "a", "year": 1999, "genres": ["a"], "tags": {"a": 0.5},
        "runtime": 90, "links": {"imdb": "tt0113277", "tmdb": 1}, "people": ["a"],
        "overview": "a", "certificate": "b",
    },
    movie_bodies.MoviePatch: {"title": "a", "year": 1999, "runtime": 90, "tags": {"a": 1}},
}  # fmt: skip
"""A valid example of each body, with all fields that have a rule."""
IDS = ("user_id", "movie_id", "movie_ids", "viewed", "exclude")
DOCUMENTS = [
    *((TypeAdapter(kind), body) for kind, body in BODIES.items()),
    *((TypeAdapter(type(decode(orjson.dumps(e)))), e) for e in EXAMPLES.values()),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield the path and the value of each leaf of a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))
        else:
            yield (*path, key), inner


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(document))
    target = copy
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return copy


LEAVES = [
    pytest.param(kind, document, path, value, id=f"{document.get('type', i)}-{path}")
    for i, (kind, document) in enumerate(DOCUMENTS)
    for path, value in places(document)
]


@pytest.mark.parametrize(("kind", "document", "path", "value"), LEAVES)
def test_a_value_of_another_type_is_refused_everywhere(
    kind: TypeAdapter[Any], document: Any, path: tuple[Any, ...], value: Any
) -> None:
    kind.validate_json(orjson.dumps(document))
    kind.validate_python(document)
    is_id = any(name in IDS for name in path[-2:])
    wrong: list[Any] = [[], {}]
    if isinstance(value, bool):
        wrong += [1, 0, "true", "yes"]
    elif isinstance(value, int | float):
        wrong += [True, float(value)] if is_id else [True, str(value), f"{value}.0"]
    else:
        wrong += [True, 2020.5]
    for other in wrong:
        with pytest.raises(ValidationError):
            kind.validate_json(orjson.dumps(changed(document, path, other)))
        with pytest.raises(ValidationError):
            kind.validate_python(changed(document, path, other))


@pytest.mark.parametrize(("kind", "document", "path", "value"), LEAVES)
def test_a_text_that_hides_something_is_refused_everywhere(
    kind: TypeAdapter[Any], document: Any, path: tuple[Any, ...], value: Any
) -> None:
    if not isinstance(value, str) or "address" in path:
        return
    for hiding in HIDING:
        with pytest.raises(ValidationError):
            kind.validate_json(orjson.dumps(changed(document, path, f"{value}{hiding}a")))
    with pytest.raises(ValidationError):
        kind.validate_python(changed(document, path, f"{value}\ud800"))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_a_text_is_one_by_one_rule_in_lines(text: str) -> None:
    text = text.strip()
    kinds = [TypeAdapter(kind) for kind in LINES[:-1]]
    verdicts = {accepts(kind, text) for kind in kinds}
    assert len(verdicts) == 1
    assert accepts(TypeAdapter(Reason), text) == (not text or verdicts == {True})
    if accepts(kinds[0], text):
        assert text.strip()
        assert not set(text) & set(HIDING)
        assert accepts(TypeAdapter(Overview), f"{text}\r\n\tmore")


def accepts(kind: TypeAdapter[Any], value: Any) -> bool:
    try:
        kind.validate_json(orjson.dumps(value))
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("blank", ["", " ", "\u3000", "\u200b", "\ufeff \u2060"])
def test_what_looks_empty_is_no_title(blank: str) -> None:
    with pytest.raises(ValidationError, match="not of blanks alone"):
        TypeAdapter(Title).validate_python(blank)


@given(st.integers(1, 10) | st.floats(allow_nan=False))
def test_a_rating_is_one_of_ten(value: float) -> None:
    assert accepts(TypeAdapter(Stars), value) == (value in HALF_STARS)


@given(st.integers(-(2**53), 2**53))
def test_a_whole_number_may_be_written_as_a_float(value: int) -> None:
    whole = TypeAdapter(Whole)
    assert whole.validate_json(str(value)) == whole.validate_json(f"{value}.0") == value
    assert not accepts(whole, value + 0.5) or (value + 0.5) % 1 == 0


@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_what_is_no_number_is_none(value: Any) -> None:
    assert not accepts(TypeAdapter(Whole), value)
    assert not accepts(TypeAdapter(Real), value)
    assert not accepts(TypeAdapter(Stars), value)


@pytest.mark.parametrize("value", [0, 1.5, True, "2020", "0", "2030-01-01", "2030-01-01T00:00:00",
                                   "yesterday", "1e3", ""])  # fmt: skip
def test_a_time_is_a_text_with_its_zone(value: Any) -> None:
    assert not accepts(TypeAdapter(Time), value)


@pytest.mark.parametrize("value", ["2030-01-01T00:00:00Z", "2030-01-01T00:00+03:00",
                                   "2030-01-01 00:00:00.123456Z"])  # fmt: skip
def test_forms_of_times(value: str) -> None:
    assert accepts(TypeAdapter(Time), value)


@given(st.integers(1, 64))
def test_an_id_of_dots_alone_is_refused_and_one_with_more_is_not(n: int) -> None:
    dots = "." * n
    with pytest.raises(ValueError, match="not of dots alone"):
        parse_id(dots)
    assert not accepts(TypeAdapter(Id), dots)
    assert accepts(TypeAdapter(Id), f"{dots[:-1]}a")
    assert as_given(kept_id(dots)) == dots
    assert accepts(TypeAdapter(KeptId), dots)


def test_what_takes_away_is_read_with_an_id_of_dots() -> None:
    for kind, data in (("user.erased", {"user_id": ".."}), ("movie.removed", {"movie_id": ".."})):
        assert decode(orjson.dumps({"type": kind, "data": data})).key == ".."
    for kind in ("movie.unblocked", "movie.updated"):
        with pytest.raises(UnreadableEvent, match="not of dots alone"):
            decode(orjson.dumps({"type": kind, "data": {"movie_id": ".."}}))


def test_what_was_accepted_before_is_kept() -> None:
    row = {"movie_id": "..", "title": "a\rb\0", "genres": ["x\0"], "tags": {" ": 0.5},
           "people": ["a\u202eb"], "year": 1999, "runtime": 90,
           "poster_url": "http://a/\0"}  # fmt: skip
    with pytest.raises(ValidationError):
        Movie.model_validate(row)
    kept = kept_movie(orjson.dumps(row))
    assert (kept.title, kept.genres, kept.runtime) == ("a\rb\0", ("x\0",), 90)
    assert kept_movie(kept.model_dump_json().encode()) == kept
    changed = MovieChange(movie_id=1, year=2000).apply(kept)
    assert changed == kept.model_copy(update={"year": 2000})
    data = {"movie_id": "..", "reason": "a\0", "until": "2020-01-01T00:00:00Z"}
    event = {"id": "a", "type": "movie.blocked", "time": "2026-01-01T00:00:00Z", "data": data}
    text = orjson.dumps(event)
    with pytest.raises(UnreadableEvent):
        decode(text)
    assert isinstance(decode_kept(text).data, Block)
    assert decode_kept(decode_kept(text).encode()) == decode_kept(text)


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_an_event_is_kept_as_it_was_read(example: Any) -> None:
    event = decode(orjson.dumps(example))
    assert decode_kept(event.encode()) == event


RATING = {"id": "a", "type": "rating.added", "data": {"user_id": 42, "movie_id": 1, "rating": 4}}


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        (b"42", b"\0\0\0\0\x07" + orjson.dumps(RATING), ("schema registry", "schema 7", "alone")),
        (b"", orjson.dumps(RATING), ("key is missing", "data.user_id as the key, '42'")),
        (b"43", orjson.dumps(RATING), ("key b'43' is not the event's id 42", "data.user_id")),
    ],
)
def test_a_dead_letter_says_what_it_is_and_what_to_send(
    key: bytes, value: bytes, words: tuple[str, ...]
) -> None:
    bus = MemoryBus()
    fault = decode_message(bus, TopicPartition("ratings", 0), Message(0, key, value)).fault
    assert fault
    assert [word for word in words if word not in fault] == []


UNNAMED = st.fixed_dictionaries(
    {}, optional={"id": st.just("a"), "time": st.just("2026-01-01T00:00:00Z")}
)


@given(told=UNNAMED, offset=st.integers(0, 1 << 40), recorded=st.none() | st.integers(1, 1 << 42))
def test_all_readers_of_a_log_see_the_same_event(
    told: dict[str, str], offset: int, recorded: int | None
) -> None:
    """Each service reads by itself, and again after a loss: defaults of a moment differ."""
    data = {"user_id": 7, "movie_id": 1, "rating": 4}
    event = {"type": "rating.added", "data": data} | told
    bus = MemoryBus()
    bus.create_topics({"ratings": 4})
    place = TopicPartition("ratings", partition_of("7", 4))
    message = Message(offset, b"7", orjson.dumps(event), {}, recorded)
    first, second = (decode_message(bus, place, message).event for _ in range(2))
    assert first is not None
    assert first == second
    assert first.id == told.get("id", f"{place}:{offset}")
    if "time" not in told:
        at = first.time.timestamp()
        assert at == pytest.approx((recorded or 0) / 1000, abs=0.001)
        assert (first.time == UNKNOWN_TIME) is (recorded is None)
