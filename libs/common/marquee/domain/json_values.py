"""Values of JSON documents, by one rule for bodies, events and files: a number is no text.

JSON has one type of number, so a whole number may be written `5` or `5.0`; `true` and `"5"` are
none. (Ids are told apart more strictly: a number of 2^53 or more loses digits as a float.) A time
is a text of ISO 8601 with its zone, never a number.
"""

import re
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, Field, GetCoreSchemaHandler
from pydantic_core import PydanticCustomError, core_schema, from_json

from marquee.errors import TooDeep
from marquee.limits import MAX_DEPTH

_DATE_AND_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}")
_WHOLE_RULE = "must be a whole number, such as 5: no fraction, no text, not true or false"
_TIME_RULE = "must be a date and time of ISO 8601 with its zone, such as 2030-01-31T20:00:00Z"


def _whole(value: Any) -> Any:
    if isinstance(value, bool | str | bytes) or (isinstance(value, float) and value % 1):
        raise PydanticCustomError("whole_number", _WHOLE_RULE)
    return value


def _time(value: Any) -> Any:
    if isinstance(value, str) and _DATE_AND_TIME.match(value):
        return value
    if isinstance(value, bool | int | float | str | bytes):
        raise PydanticCustomError("time", _TIME_RULE)
    return value


class _TimeText:
    """Pydantic's annotation of a time that has to be a text, in whatever was not yet accepted."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        time = handler(source)
        checked = core_schema.no_info_before_validator_function(_time, time)
        return core_schema.lax_or_strict_schema(checked, time)


WHOLE = BeforeValidator(_whole)
"""Annotation of a whole number, after its limits."""
Whole = Annotated[int, WHOLE]
"""A whole number."""
Real = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""A number."""
Flag = Annotated[bool, Field(strict=True)]
"""True or false."""
Time = Annotated[AwareDatetime, _TimeText()]
"""A moment."""


def refuse_deep(data: bytes) -> None:
    """Refuse a JSON document whose values are too deep within each other.

    The parser of events and models refuses such ones by itself; this is for others, which would run
    out of stack. What is no JSON for another reason is left to them.

    Raises:
        TooDeep: More than `MAX_DEPTH` objects and lists are within each other.
    """
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return
    try:
        from_json(data, cache_strings="none")
    except ValueError as error:
        if "recursion limit" in str(error):
            raise TooDeep(
                f"the body is nested too deeply: more than {MAX_DEPTH} objects and lists are within"
                " each other"
            ) from None
