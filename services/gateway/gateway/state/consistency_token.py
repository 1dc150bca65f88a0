"""Consistency tokens: a write's log positions, which a later read waits for (read your writes)."""

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
    """Return the positions past all of these messages."""
    positions: Positions = {}
    for message in published:
        name = str(message.partition)
        positions[name] = max(positions.get(name, 0), message.offset + 1)
    return positions


def select_topics(positions: Mapping[str, int], *topics: str) -> Positions:
    """Return the positions of these topics."""
    return {name: n for name, n in positions.items() if name.rpartition(":")[0] in topics}


def token_of(published: Iterable[Published]) -> str:
    """Return the token of a write that published these messages."""
    return encode(positions_of(published))


def encode(positions: Mapping[str, int]) -> str:
    """Return the token of positions: URL-safe text."""
    text = orjson.dumps(dict(positions), option=orjson.OPT_SORT_KEYS)
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def decode(token: str) -> Positions:
    """Return the positions in a token.

    Raises:
        InvalidInput: The token is too long, unreadable, or names other topics.
    """
    if len(token) > MAX_LENGTH:
        raise _invalid(f"longer than {MAX_LENGTH} characters")
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        positions = orjson.loads(text)
    except (binascii.Error, ValueError):
        raise _invalid("it cannot be read") from None
    if not isinstance(positions, dict) or not all(map(_is_position, positions.items())):
        raise _invalid("it names no positions of the log")
    return positions


def _is_position(entry: tuple[str, object]) -> bool:
    name, offset = entry
    topic, _, partition = name.rpartition(":")
    whole = isinstance(offset, int) and not isinstance(offset, bool) and offset >= 0
    return topic in _TOPICS and partition.isascii() and partition.isdigit() and whole


def _invalid(why: str) -> InvalidInput:
    return InvalidInput(f"not a token that a write has answered with: {why}", "after")
