"""Events of a file are those that its lines have; a bad one is named by line, field and remedy."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquee.events import EVENT_TYPES, MODELS, AnyEvent, decode
from trainer.contracts.examples import EXAMPLES
from trainer.operations.event_files import LineFault, read_events

RATING = {"id": "a", "type": "rating.added", "data": {"user_id": 1, "movie_id": 2, "rating": 4.5}}


def read(text: str | bytes) -> list[AnyEvent | LineFault]:
    content = text.encode() if isinstance(text, str) else text
    return list(read_events(io.BytesIO(content), "f"))


def fault(text: str | bytes) -> LineFault:
    [found] = [item for item in read(text) if isinstance(item, LineFault)]
    return found


def rating(**data: Any) -> str:
    return json.dumps(RATING | {"data": {**RATING["data"], **data}})  # type: ignore[dict-item]


VALUES = st.builds(rating, user_id=st.integers(1, 9), movie_id=st.integers(1, 9))
BLANKS = st.text(" \t\r\n", max_size=3)


@given(st.lists(VALUES), st.booleans(), BLANKS, BLANKS, st.booleans())
def test_lines_and_arrays_give_the_events_of_their_texts(
    texts: list[str], is_array: bool, before: str, between: str, has_bom: bool
) -> None:
    separator = f"{between},{between}" if is_array else f"{between}\n"
    joined = separator.join(texts)
    text = f"{before}[{between}{joined}{between}]{between}" if is_array else joined + between
    content = (b"\xef\xbb\xbf" if has_bom and not before else b"") + text.encode()
    found = read(content)
    assert [item for item in found if isinstance(item, LineFault)] == []
    assert [item.data for item in found] == [decode(t.encode()).data for t in texts]  # type: ignore[union-attr]


@given(st.binary(max_size=40) | st.text('[]{},:"1a \n').map(str.encode))
def test_any_bytes_are_events_or_faults_with_a_line_of_the_file(content: bytes) -> None:
    for item in read(content):
        assert isinstance(item, LineFault)
        assert 1 <= item.line <= content.count(b"\n") + 1
        assert item.text
        assert item.remedy


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_every_type_of_event_is_read_but_those_of_models(kind: str) -> None:
    text = json.dumps(EXAMPLES[kind])
    [found] = read(text)
    if EVENT_TYPES[kind].topic == MODELS:
        assert isinstance(found, LineFault)
        assert "only the trainer" in found.text
    else:
        assert found == decode(text.encode())


@pytest.mark.parametrize(
    ("line", "field", "words", "remedy"),
    [
        (rating(rating=9), "data.rating", "", "rating.added.schema.json"),
        (rating(user_id="x y"), "data.user_id", "whole number", "rating.added.schema.json"),
        ('{"type": "rating.put", "data": {}}', "type", "no type", "nearest is rating.added"),
        ('{"data": {}}', "type", "is missing", "one of movie.added"),
        ('{"events": []}', "type", "is missing", "one of"),
        ('{"type": ', "event", "Invalid JSON", "one event a line"),
        ("7", "event", "", "one event a line"),
        ("x" * 1_000_001, "event", "bytes, at most", "one event a line"),
    ],
)
def test_a_bad_line_is_named_with_field_and_remedy(
    line: str, field: str, words: str, remedy: str
) -> None:
    found = fault(f"{rating()}\n\n{line}\n{rating()}")
    assert (found.line, found.field) == (3, field)
    assert words in found.text
    assert remedy in found.remedy
    assert "\n" not in str(found)
    assert str(found).startswith(f"f, line 3: {field}: ")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (f"[\n{rating()},\n{rating(rating=9)}\n]", 3, ""),
        (f"\n[{rating()}\n{rating()}]", 3, "neither a comma nor ]"),
        (f"[{rating()},\n]", 2, "Invalid JSON"),
        (f"[{rating()}]\n{rating()}", 1, "something follows"),
        (f"[{rating()}", 1, "neither a comma nor ]"),
        ("[" * 100_000, 1, "cannot be read"),
        (b"[\n\xff]", 2, "is not UTF-8"),
    ],
)
def test_a_mistake_in_an_array_is_named_with_its_line(
    text: str | bytes, line: int, words: str
) -> None:
    found = fault(text)
    assert found.line == line
    assert words in found.text
