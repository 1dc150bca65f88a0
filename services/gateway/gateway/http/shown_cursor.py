"""Cursors of ranked lists: they carry the ids that earlier pages have shown.

A ranking changes with every rating, so a place in it names nothing. What a page must not repeat is
known only by what was shown. A cursor holds that itself, so that any replica gives the next page:
version (1 byte), digest of the list that it is of (6 bytes), checksum of all the rest (6 bytes),
then the ids in rising order as differences, in base-128 varints: 2 bytes a film of a large
catalogue, 9 where ids are strings. The checksum tells damage; it is no signature, as a caller may
exclude whatever it likes anyway.
"""

import base64
import binascii
import hashlib
from collections.abc import Collection, Iterable, Iterator
from itertools import accumulate, pairwise
from typing import Final

from marquee.errors import InvalidInput

MAX_SHOWN: Final = 500
"""Films that the pages of one list show at most."""
MAX_CURSOR: Final = 8192
"""Characters of a cursor at most: base64 of 500 ids of ten bytes, with room."""
_VERSION: Final = 1
_DIGEST: Final = 6
_HEAD: Final = 1 + 2 * _DIGEST
_LOWEST: Final = -(2**63)
_HIGHEST: Final = 2**63 - 1


def list_digest(*parts: object) -> bytes:
    """Return the digest that names a list by all that must be equal on each of its pages."""
    return _digest(repr(parts).encode())


def cursor_of(shown: Collection[int], digest: bytes) -> str:
    """Return the cursor of the page after some films.

    Args:
        shown: Numbers of their ids, int64.
        digest: `list_digest` of the list.
    """
    payload = bytes((_VERSION,)) + digest, b"".join(map(_varint, _differences(shown)))
    checksum = _digest(b"".join(payload))
    return base64.urlsafe_b64encode(payload[0] + checksum + payload[1]).rstrip(b"=").decode()


def shown_of(cursor: str, digest: bytes) -> frozenset[int]:
    """Return the ids of the films that a cursor carries.

    Raises:
        InvalidInput: No page has given it, or one of another list.
    """
    raw = _decoded(cursor)
    head, checksum, ids = raw[: 1 + _DIGEST], raw[1 + _DIGEST : _HEAD], raw[_HEAD:]
    if len(raw) < _HEAD or head[0] != _VERSION or checksum != _digest(head + ids):
        raise InvalidInput("not a cursor that a page has given", "cursor")
    if head[1:] != digest:
        detail = "is of another list: give it with the address and the filters of its first page"
        raise InvalidInput(detail, "cursor")
    shown = frozenset(number + _LOWEST for number in accumulate(_numbers(ids)))
    # The checksum is no secret: what no page can have given is not believed.
    if len(shown) > MAX_SHOWN or max(shown, default=0) > _HIGHEST:
        raise InvalidInput("not a cursor that a page has given", "cursor")
    return shown


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST).digest()


def _decoded(cursor: str) -> bytes:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _differences(ids: Iterable[int]) -> Iterator[int]:
    """Yield the first id as its distance from the lowest one, then the steps from id to id."""
    return (after - before for before, after in pairwise((_LOWEST, *sorted(ids))))


def _varint(number: int) -> bytes:
    """Return a whole number from 0 in bytes of 7 bits, the lowest first."""
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _numbers(data: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield number
            number = shift = 0
