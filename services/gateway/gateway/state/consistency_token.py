"""The token of a write: an opaque vector of positions that a later read may ask to be past."""

import base64
import binascii
from collections.abc import Iterable, Mapping

import orjson

from marquee.bus.api import Published
from marquee.errors import InvalidInput
from marquee.events import MOVIES, RATINGS

Positions = dict[str, int]
"""`topic:partition` → next offset to read."""

MAX_LENGTH = 8192
_TOPICS = frozenset((MOVIES, RATINGS))


def positions_of(published: Iterable[Published]) -> Positions:
    """Return the positions at which all of these messages have been read."""
    positions: Positions = {}
    for message in published:
        name = str(message.partition)
        positions[name] = max(positions.get(name, 0), message.offset + 1)
    return positions


def merge(*vectors: Mapping[str, int]) -> Positions:
    """Return the least vector that is past each of `vectors`."""
    merged: Positions = {}
    for vector in vectors:
        for name, offset in vector.items():
            merged[name] = max(merged.get(name, 0), offset)
    return merged


def passed(reached: Mapping[str, int], wanted: Mapping[str, int]) -> bool:
    """Return whether `reached` is at or past `wanted` in each partition that `wanted` names."""
    return all(reached.get(name, -1) >= offset for name, offset in wanted.items())


def select_topics(positions: Mapping[str, int], *topics: str) -> Positions:
    """Return the part of a vector that speaks of these topics."""
    return {name: n for name, n in positions.items() if name.rpartition(":")[0] in topics}


def encode(positions: Mapping[str, int]) -> str:
    """Return the token of a vector: text that may stand in a URL as it is."""
    text = orjson.dumps(dict(positions), option=orjson.OPT_SORT_KEYS)
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def decode(token: str) -> Positions:
    """Return the vector that a token holds; InvalidInput when it is none that a write has given."""
    if len(token) > MAX_LENGTH:
        raise _invalid(f"longer than {MAX_LENGTH} characters")
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        positions = orjson.loads(text)
    except (binascii.Error, ValueError):
        raise _invalid("it cannot be read") from None
    if not isinstance(positions, dict) or not all(map(_sound, positions.items())):
        raise _invalid("it names no positions of the log")
    return positions


def _sound(entry: tuple[str, object]) -> bool:
    name, offset = entry
    topic, _, partition = name.rpartition(":")
    whole = isinstance(offset, int) and not isinstance(offset, bool) and offset >= 0
    return topic in _TOPICS and partition.isascii() and partition.isdigit() and whole


def _invalid(why: str) -> InvalidInput:
    return InvalidInput(f"not a token that a write has answered with: {why}", "after")
