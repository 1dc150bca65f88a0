"""Changes that make an odd message of a valid event: of its values, and of its text.

Each takes the draws of a seeded generator and returns the bytes of a message.
"""

import copy
import gzip
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

Event = dict[str, Any]
Place = tuple[Any, Any]
"""A container and the key or index of a value within it."""

NUMBERS = (
    "0",
    "-1",
    "-0.0",
    "0.30000000000000004",
    "5e-324",
    "1e400",
    "-1e400",
    "1" + "0" * 400,
    "9" * 5000,
    str(2**31),
    str(2**53 + 1),
    str(2**63),
    str(2**63 - 1),
    str(-(2**63)),
    str(2**64),
    "1.0",
    "4.50",
    "1e2",
    "9007199254740993.0",
    "NaN",
    "Infinity",
    "-Infinity",
    "0x10",
    "01",
    "1_000",
    "+1",
    ".5",
    "5.",
)
"""Numbers as they stand in a message; some are of no JSON."""
TEXTS = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\u202etxt.exe",
    "\u2066x",
    "\u200b",
    "\ufeff",
    "\ud800",
    "\udfff\ud800",
    "e\u0301",
    "\U0001f3ac",
    "\U000e0001",
    "x" * 70,
    "x" * 6000,
    "0",
    "-5",
    "42",
    "007",
    "9" * 19,
    "1e3",
    "true",
    "null",
    ".",
    "..",
    "../../etc/passwd",
    "%2e%2e",
    "a/b",
    "<b>",
    "'; --",
    "{{7*7}}",
    "${x}",
    "\r\nSet-Cookie: a=b",
    "2020",
    "2020-01-01",
    "2030-01-31T20:00:00",
    "2030-02-30T20:00:00Z",
    "9999-12-31T23:59:60Z",
    "0000-01-01T00:00:00Z",
    "2030-01-31T20:00:00+99:00",
    "Ω",
    "ｆｕｌｌ",
    "İ",
    "ß",
)
VALUES: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], {"a": 1}, {"": ""}, [1, "1"])
DEPTHS = (10, 120, 199, 201, 254, 256, 500, 5000, 100_000)
_MARK = '"\x01raw\x01"'
"""Stands in the text of a message for what `json` would not write."""


def places(value: Any) -> Iterator[Place]:
    """Yield each place within a value."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    for key, inner in items:
        yield value, key
        yield from places(inner)


def text_of(event: Any) -> str:
    """Return an event as JSON, with half surrogate pairs as escapes."""
    return json.dumps(event, ensure_ascii=True)


def _with_raw(event: Event, draw: random.Random, raw: str) -> bytes:
    """Return the event with some value replaced by a piece of text, as it is."""
    container, key = draw.choice(list(places(event)))
    container[key] = _MARK.strip('"')
    return (
        text_of(event).replace(json.dumps(container[key]), raw, 1).encode("utf-8", "surrogatepass")
    )


def odd_number(event: Event, draw: random.Random) -> bytes:
    """A number of another size or spelling."""
    return _with_raw(event, draw, draw.choice(NUMBERS))


def odd_text(event: Event, draw: random.Random) -> bytes:
    """A text of odd characters, escaped or as raw bytes."""
    text = json.dumps(draw.choice(TEXTS), ensure_ascii=draw.random() < 0.5)
    return _with_raw(event, draw, text)


def odd_value(event: Event, draw: random.Random) -> bytes:
    """A value of another type."""
    return _with_raw(event, draw, json.dumps(draw.choice(VALUES)))


def deep(event: Event, draw: random.Random) -> bytes:
    """A value nested many times."""
    depth = draw.choice(DEPTHS)
    opened, closed = draw.choice((("[", "]"), ('{"a":', "}")))
    raw = opened * depth + "1" + closed * depth
    if draw.random() < 0.5:
        return text_of(event).replace("{", f'{{"unknown": {raw}, ', 1).encode()
    return _with_raw(event, draw, raw)


def missing_key(event: Event, draw: random.Random) -> bytes:
    """A field left out."""
    objects = [place for place in places(event) if isinstance(place[0], dict)]
    container, key = draw.choice(objects)
    del container[key]
    return text_of(event).encode()


def unknown_key(event: Event, draw: random.Random) -> bytes:
    """A field that is none."""
    objects = [event, *(c[k] for c, k in places(event) if isinstance(c[k], dict))]
    names = (
        "__proto__",
        "constructor",
        "x" * 3000,
        "\x00",
        "\ud83d",
        "",
        "topic",
        "key",
        "traceparent",
    )
    draw.choice(objects)[draw.choice(names)] = draw.choice((*VALUES, *TEXTS))
    return text_of(event).encode()


def duplicate_key(event: Event, draw: random.Random) -> bytes:
    """A field that comes twice, with two values."""
    name = draw.choice(list(event))
    first: Any = draw.choice((None, 1, "x", {}, [], event[name]))
    member = f"{json.dumps(name)}: {json.dumps(first)}"
    text = text_of(event)
    if draw.random() < 0.5:
        return text.replace("{", f"{{{member}, ", 1).encode()
    return f"{text[:-1]}, {member}}}".encode()


def duplicate_data(event: Event, draw: random.Random) -> bytes:
    """A field of the data that comes twice: another viewer or film."""
    name = draw.choice([*event.get("data", {}), "user_id", "movie_id"])
    value = draw.choice(("7", '"7"', "null", '"x"', "0"))
    member = f"{json.dumps(name)}: {value}"
    text = text_of(event)
    return text.replace('"data": {', f'"data": {{{member}, ', 1).encode()


def truncated(event: Event, draw: random.Random) -> bytes:
    """A message that ends too early."""
    text = text_of(event).encode()
    return text[: draw.randrange(len(text))]


def more_than_one(event: Event, draw: random.Random) -> bytes:
    """A document with something around it."""
    text = text_of(event)
    return draw.choice(
        (
            text * 2,
            f"{text}\n{text}",
            f"[{text}]",
            text + "\x00",
            f"{text} // it",
            f"/**/{text}",
            f" \t\r\n{text}\n ",
            f"\x0b{text}",
            f'{{"events": [{text}]}}',
            json.dumps(text),
        )
    ).encode()


def other_encoding(event: Event, draw: random.Random) -> bytes:
    """A message in another encoding, or within another format."""
    text = json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass")
    utf16 = text.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass")
    return draw.choice(
        (
            utf16,
            b"\xef\xbb\xbf" + text,
            gzip.compress(text),
            b"\x00\x00\x00\x00\x01" + text,
            text.replace(b'"', b"'"),
            text.replace(b":", b"\xff:", 1),
            b"\xc0\xaf" + text,
            b"--- \n" + text,
        )
    )


def random_bytes(event: Event, draw: random.Random) -> bytes:
    """Bytes that are no message, or a message with a few bytes changed."""
    if draw.random() < 0.3:
        return draw.randbytes(draw.randrange(200))
    text = bytearray(text_of(event).encode())
    for _ in range(draw.randrange(1, 4)):
        text[draw.randrange(len(text))] = draw.randrange(256)
    return bytes(text)


def other_document(event: Event, draw: random.Random) -> bytes:
    """JSON that is no object, or the data of an event alone."""
    documents = ("null", "true", "0", "1e999", '""', "[]", "{}", "[[]]", '{"type": "rating.added"}')
    return draw.choice((*documents, text_of(event.get("data")))).encode()


def large(event: Event, draw: random.Random) -> bytes:
    """A message near the limit of 1,000,000 bytes, or beyond it."""
    event["padding"] = ""
    size = draw.choice((999_999, 1_000_000, 1_000_001, 1_100_000)) - len(text_of(event))
    event["padding"] = "x" * size
    return text_of(event).encode()


def as_it_is(event: Event, _: random.Random) -> bytes:
    """The valid event."""
    return text_of(event).encode()


Mutation = Callable[[Event, random.Random], bytes]
WEIGHTS: dict[Mutation, int] = {
    as_it_is: 24,
    odd_number: 14,
    odd_text: 14,
    odd_value: 12,
    deep: 5,
    missing_key: 8,
    unknown_key: 5,
    duplicate_key: 4,
    duplicate_data: 4,
    truncated: 3,
    more_than_one: 3,
    other_encoding: 3,
    random_bytes: 4,
    other_document: 2,
}
"""How often each is drawn; `large` is drawn by number, as it takes long."""


def mutated(event: Event, draw: random.Random, number: int) -> tuple[str, bytes]:
    """Return the name of a change, and the message that an event becomes by it."""
    if number % 1000 == 17:
        change: Mutation = large
    else:
        [change] = draw.choices(list(WEIGHTS), list(WEIGHTS.values()))
    return change.__name__, change(copy.deepcopy(event), draw)
