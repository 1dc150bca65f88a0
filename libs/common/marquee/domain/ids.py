"""Ids of users and movies: whole numbers or strings outside, numbers of 64 bits inside.

A whole number from 1 is its own number, whether it comes as `42` or as `"42"`. Any other string has
a negative number: its low 31 bits are murmur2 of the text, so that the partition follows from the
number alone; the 32 bits above are a keyed BLAKE2b of it. Every process comes to the same number
without asking another. Two texts of one number would lie in one partition, whose reader refuses the
second one (`refuse_collision`).
"""

import hashlib
import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Annotated, Any, Final, TypeGuard

import numpy as np
from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from marquee.domain.murmur2 import murmur2
from marquee.errors import IdCollision

MAX_NUMBER: Final = 2**63 - 1
MAX_LENGTH: Final = 64
"""Characters of an id that is a string, at most."""
PATTERN: Final = r"^\.*[A-Za-z0-9_:@-][A-Za-z0-9._:@-]*$"
"""The form of an id that is a string; one of dots alone would name another place in a path."""
OUT_OF_RANGE: Final = r"^(0|-[1-9][0-9]*|[1-9][0-9]{19,})$"
"""What reads as a whole number and is none from 1 to 2^63, for the published schemas."""
RULE: Final = (
    f"must be a whole number from 1 to {MAX_NUMBER}, or a string of 1 to {MAX_LENGTH} of the"
    " characters a-z A-Z 0-9 . _ : @ -, not of dots alone"
)
MURMUR2_BITS: Final = 0x7FFFFFFF
"""The bits of a string's number that are murmur2 of its text."""

NARROW_LIMIT: Final = 2**32
"""Numbers from 1 to the one before have 4 bytes where ids are packed, others 8."""

_TEXT = re.compile(r"[A-Za-z0-9._:@-]{1,64}")
_WHOLE = re.compile(r"0|-?[1-9][0-9]*")
"""What reads as a whole number, in the one way to write it; 007 is a string."""
_KEY = b"marquee id"


class GivenId(int):
    """The number of an id that was given as a string.

    It computes, compares and prints as the number; `as_given` and `id_text` return the string.
    """

    text: str

    def __new__(cls, text: str) -> "GivenId":
        """Return the number of the text of a valid id."""
        new = super().__new__(cls, number_of(text))
        new.text = text
        return new

    def __getnewargs__(self) -> tuple[Any, ...]:
        return (self.text,)


def number_of(text: str) -> int:
    """Return the number of the text of a valid id."""
    if _WHOLE.fullmatch(text):
        return int(text)
    data = text.encode()
    high = int.from_bytes(hashlib.blake2b(data, digest_size=4, key=_KEY).digest(), "little")
    return (high << 31 | murmur2(data) & MURMUR2_BITS) - 2**63


def parse_id(value: object) -> int:
    """Return the id of a value from JSON, a whole number or a string.

    Raises:
        ValueError: It is neither, or out of range.
    """
    if type(value) is int and 1 <= value <= MAX_NUMBER:
        return value
    if isinstance(value, GivenId):
        return value
    if isinstance(value, str) and len(value) <= MAX_LENGTH and (given := _given(value)) is not None:
        return given
    raise ValueError(RULE)


def kept_id(value: object) -> int:
    """Return the id of a value that was accepted once, under whatever rule.

    Ids of dots alone were, until they were found to reach other resources in paths.

    Raises:
        ValueError: It never was an id.
    """
    return GivenId(value) if _is_dots(value) else parse_id(value)


def _is_dots(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= MAX_LENGTH and not value.strip(".")


@lru_cache(1 << 16)
def _given(text: str) -> GivenId | None:
    """Return the id of a text; None where it is no id. Films and users come again and again."""
    is_one = _TEXT.fullmatch(text) and _in_range(text) and not _is_dots(text)
    return GivenId(text) if is_one else None


def _in_range(text: str) -> bool:
    return not _WHOLE.fullmatch(text) or 1 <= int(text) <= MAX_NUMBER


def parse_id_text(text: str) -> int:
    """Return the id of a text where there is nothing but text: in a path, a file, a command.

    Raises:
        ValueError: It is no id.
    """
    parsed = parse_id(text)
    return parsed if parsed < 0 else int(parsed)


def as_given(entity: int) -> int | str:
    """Return an id as it was given, a whole number or a string."""
    return entity.text if isinstance(entity, GivenId) else int(entity)


def id_text(entity: int) -> str:
    """Return the text of an id: its key on the bus, and its form in files and commands."""
    return entity.text if isinstance(entity, GivenId) else str(int(entity))


def string_of(entity: int) -> str:
    """Return the text of an id that its number does not tell; empty for a whole number."""
    return entity.text if entity < 0 and isinstance(entity, GivenId) else ""


def are_narrow(numbers: Iterable[int]) -> bool:
    """Return whether all numbers of ids fit into 4 bytes."""
    return all(0 < number < NARROW_LIMIT for number in numbers)


def pack_ids(numbers: Collection[int]) -> bytes:
    """Return numbers of ids as uint32 each, or after a byte as int64 each where one needs it."""
    if are_narrow(numbers):
        return np.fromiter(numbers, "<u4", len(numbers)).tobytes()
    return b"\x08" + np.fromiter(numbers, "<i8", len(numbers)).tobytes()


def unpack_ids(data: bytes) -> list[int]:
    """Return the numbers of ids that `pack_ids` packed."""
    wide = len(data) % 4 == 1
    numbers: list[int] = np.frombuffer(data[wide:], "<i8" if wide else "<u4").tolist()
    return numbers


def refuse_collision(what: str, entity: int, known: str) -> None:
    """Refuse an id whose number belongs to another text.

    Args:
        what: What the id names, for the message.
        entity: The id.
        known: The text that the number belongs to; empty: to none yet.

    Raises:
        IdCollision: The texts differ.
    """
    text = string_of(entity)
    if known and text and known != text:
        raise IdCollision(
            f"{what} {text!r} has the same number inside as {known!r}: give it another id"
        )


def _parse(value: Any) -> int:
    try:
        return parse_id(value)
    except ValueError:
        raise PydanticCustomError("invalid_id", RULE) from None


def _parse_kept(value: Any) -> int:
    return GivenId(value) if _is_dots(value) else _parse(value)


def _parse_text(value: Any) -> int:
    parsed = _parse(value)
    return parsed if parsed < 0 else int(parsed)


class _IdSchema:
    """Pydantic's schema of an id, read as JSON or as text alone."""

    def __init__(self, parse: Any) -> None:
        self._parse = parse

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        """Return the schema; in strict mode, that of what is kept, it takes kept ids."""
        return core_schema.lax_or_strict_schema(
            core_schema.no_info_plain_validator_function(self._parse),
            core_schema.no_info_plain_validator_function(_parse_kept),
            serialization=core_schema.plain_serializer_function_ser_schema(as_given),
        )

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        whole = {"type": "integer", "minimum": 1, "maximum": MAX_NUMBER}
        text = {"type": "string", "maxLength": MAX_LENGTH, "pattern": PATTERN}
        text |= {"not": {"pattern": OUT_OF_RANGE}}
        return {"anyOf": [whole, text]}


Id = Annotated[int, _IdSchema(_parse)]
"""An id in a JSON document; a string stays the form in which it is given back."""

IdText = Annotated[int, _IdSchema(_parse_text)]
"""An id in a path or query, where `42` is a whole number."""

KeptId = Annotated[int, _IdSchema(_parse_kept)]
"""An id in a message that takes away what was kept under it, whatever the rule was then."""
