"""Optional fields of a film: what a catalogue may know beyond title, year, genres and tags.

An absent field is not written, so that films without any have the JSON that they always had.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import to_json

from marquee.domain.json_values import WHOLE
from marquee.domain.texts import Text

Kind = Literal["people", "keywords", "moods"]
"""Kinds of free tags."""
KINDS: tuple[Kind, ...] = ("people", "keywords", "moods")

MAX_FREE_TAGS: Final = 500
"""Free tags of a kind that a film may have."""
MAX_NAME: Final = 100
"""Characters of a free tag."""
MAX_CERTIFICATE: Final = 40
MAX_OVERVIEW: Final = 5000
MAX_RUNTIME: Final = 6000
"""Minutes; the longest film that was shown has 5,220."""
_ADDRESS: Final = r"^https?://\S+$"
LANGUAGE_PATTERN: Final = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$"
"""The form of a code of BCP 47, as `ru` or `pt-BR`."""


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _is_absent(value: object) -> bool:
    return value is None


_Optional = Field(default=None, exclude_if=_is_absent)

Runtime = Annotated[int, Field(ge=1, le=MAX_RUNTIME, description="Minutes.", examples=[170]), WHOLE]
Language = Annotated[
    str,
    Field(
        max_length=35,
        pattern=LANGUAGE_PATTERN,
        description="A code of BCP 47.",
        examples=["ru"],
    ),
]
Certificate = Annotated[
    str,
    Text(MAX_CERTIFICATE, strip=True),
    Field(description="For which age, in the words of its country.", examples=["16+"]),
]
FreeTag = Annotated[str, Text(MAX_NAME, strip=True)]
Overview = Annotated[str, Text(MAX_OVERVIEW, lines=True)]
PosterUrl = Annotated[str, Text(2000, form=_ADDRESS), Field(pattern=_ADDRESS)]
FreeTags = Annotated[
    tuple[FreeTag, ...], Field(max_length=MAX_FREE_TAGS), AfterValidator(_distinct)
]


class MovieLinks(BaseModel):
    """A film's ids elsewhere."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    imdb: Annotated[str, Field(pattern=r"^tt[0-9]{5,12}$", examples=["tt0113277"])] | None = (
        _Optional
    )
    tmdb: Annotated[int, Field(ge=1, le=2**53, examples=[949]), WHOLE] | None = _Optional


class MovieFields(BaseModel):
    """Optional fields of a film."""

    model_config = ConfigDict(frozen=True)

    runtime: Runtime | None = _Optional
    language: Language | None = _Optional
    certificate: Certificate | None = _Optional
    overview: Overview | None = _Optional
    poster_url: PosterUrl | None = _Optional
    links: MovieLinks | None = _Optional
    people: FreeTags | None = _Optional
    keywords: FreeTags | None = _Optional
    moods: FreeTags | None = _Optional

    def present_fields(self) -> dict[str, Any]:
        """Return the optional fields that are known, as in JSON."""
        return self.model_dump(mode="json", include={*FIELD_NAMES})


FIELD_NAMES: Final = frozenset(MovieFields.model_fields)
"""Names of the optional fields."""


def kept_fields(fields: Mapping[str, Any]) -> MovieFields:
    """Return optional fields under which a film is kept: they were accepted once, and stay."""
    return MovieFields.model_validate_json(to_json(fields), strict=True)


def free_tags(fields: Mapping[str, Any]) -> list[str]:
    """Return the free tags of all kinds among optional fields."""
    return [name for kind in KINDS for name in fields.get(kind) or ()]


def speaks(language: str | None, wanted: str) -> bool:
    """Return whether a film's language is a wanted one or a variety of it: `pt-BR` is `pt`."""
    if language is None:
        return False
    return re.match(rf"{re.escape(wanted)}(-|$)", language, re.IGNORECASE) is not None
