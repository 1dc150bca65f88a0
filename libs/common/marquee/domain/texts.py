"""Texts that people read: titles, tags, names, reasons, and who sent an event.

What was accepted once is kept, whatever rules came later: stored rows and events are read in
pydantic's strict mode, in which a text is any string (see `marquee.domain.movies.kept_movie`).
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

_BREAKS: Final = r"\t\n\r"
_CONTROLS: Final = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_SEPARATORS: Final = r"\u2028\u2029"
_DIRECTIONS: Final = r"\u202a-\u202e\u2066-\u2069"
"""Characters that turn the direction of what follows, so that a text reads as another one."""
_HIDDEN: Final = _CONTROLS + _DIRECTIONS
"""Characters of no text, as a part of a class in a regular expression."""
_UNSEEN: Final = r"\s\u00ad\u061c\u200b-\u200f\u2060\ufeff"
"""Characters of which alone a text looks empty."""


@dataclass(frozen=True)
class Text:
    """Annotation of a string that can be shown: something to see, and nothing that hides.

    Attributes:
        max_length: Most characters.
        strip: Blanks at both ends are left out.
        lines: It may have several lines.
        optional: It may be empty.
        form: A further pattern, for the published schemas: one of a field around it is not in them.
    """

    max_length: int
    strip: bool = False
    lines: bool = False
    optional: bool = False
    form: str = ""

    @property
    def _refused(self) -> str:
        return _HIDDEN if self.lines else _HIDDEN + _BREAKS + _SEPARATORS

    @property
    def pattern(self) -> str:
        """The form as a regular expression."""
        refused = self._refused
        seen = f"[^{refused}]*[^{refused}{_UNSEEN}][^{refused}]*"
        return f"^({seen})?$" if self.optional else f"^{seen}$"

    @property
    def rule(self) -> str:
        """What it must be, in words that an error ends with."""
        least = 0 if self.optional else 1
        breaks = "" if self.lines else ", line breaks"
        return (
            f"must be a text of {least} to {self.max_length:,} characters, not of blanks alone, and"
            f" without control characters{breaks} and marks that turn its direction: leave them out"
        )

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        text = core_schema.str_schema(
            pattern=self.pattern,
            min_length=None if self.optional else 1,
            max_length=self.max_length,
            strip_whitespace=self.strip or None,
        )
        checked = core_schema.custom_error_schema(
            text, custom_error_type="text", custom_error_message=self.rule
        )
        return core_schema.lax_or_strict_schema(checked, core_schema.str_schema())

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the published form: nothing that hides, and something to see."""
        seen = "" if self.optional else f"[^{_UNSEEN}]"
        patterns = filter(None, (f"^[^{self._refused}]*$", seen, self.form))
        published = handler(schema)
        published.pop("pattern", None)
        return published | {"allOf": [{"pattern": pattern} for pattern in patterns]}

    def allows(self, text: str) -> bool:
        """Return whether a text is one."""
        return len(text) <= self.max_length and re.fullmatch(self.pattern, text) is not None
