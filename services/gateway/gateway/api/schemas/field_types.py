"""Field types of requests: ids, stars, genres, years and tokens, with their limits."""

from typing import Annotated, Literal

from pydantic import Field

from gateway.catalogue.tag_index import MIN_RELEVANCE
from gateway.http.shown_cursor import MAX_CURSOR, MAX_SHOWN
from marquee.domain import ratings
from marquee.domain.genres import MAX_GENRES, Genre
from marquee.domain.ids import Id, IdText
from marquee.domain.json_values import WHOLE, Real
from marquee.domain.movie_fields import MAX_RUNTIME, Certificate, Language
from marquee.domain.movies import YEARS
from marquee.domain.texts import Text
from marquee.events import payloads
from marquee.limits import MAX_LIST

UserId = Annotated[IdText, Field(description="A viewer's id.", examples=[42])]
MovieId = Annotated[IdText, Field(description="A film's id.", examples=[260])]
"""In a path or query, where all is text."""
JsonUserId = Annotated[Id, Field(description="A viewer's id.", examples=[42])]
JsonMovieId = Annotated[Id, Field(description="A film's id.", examples=[260])]
Stars = Annotated[ratings.Stars, Field(description="0.5 to 5 stars in half stars.", examples=[4.5])]
Genres = Annotated[
    list[Genre],
    Field(
        max_length=MAX_GENRES,
        description="Genres by name, in whatever case.",
        examples=[["Crime"]],
    ),
]
UnwantedGenres = Annotated[
    list[Genre],
    Field(
        max_length=MAX_GENRES,
        description="Films in none of these genres, in whatever case. Repeatable.",
        examples=[["Horror"]],
    ),
]
_RUNTIME_MAX = Field(
    ge=1,
    le=MAX_RUNTIME,
    description="Films of at most so many minutes; not those of unknown running time.",
    examples=[120],
)
RuntimeMax = Annotated[int | None, _RUNTIME_MAX]
JsonRuntimeMax = Annotated[int | None, _RUNTIME_MAX, WHOLE]
Languages = Annotated[
    list[Language],
    Field(
        max_length=50,
        description="Films in any of these languages, by code; `pt` takes `pt-BR` too, not the"
        " other way round. Not films of unknown language. Repeatable.",
        examples=[["ru"]],
    ),
]
Certificates = Annotated[
    list[Certificate],
    Field(
        max_length=50,
        description="Films with any of these certificates, in whatever case; not those without"
        " one. Repeatable.",
        examples=[["16+"]],
    ),
]
WantedGenres = Annotated[
    list[Genre],
    Field(
        max_length=MAX_GENRES,
        description="Films in any of these genres of the catalogue, in whatever case. Repeatable.",
        examples=[["Crime"]],
    ),
]
MovieIds = Annotated[list[JsonMovieId], Field(max_length=MAX_LIST)]
_K = Field(ge=1, le=100, description="How many films.")
K = Annotated[int, _K]
JsonK = Annotated[int, _K, WHOLE]
_DIVERSITY = Field(
    ge=0,
    le=1,
    description=(
        "How much of what puts a film into everybody's list does not count. 0: the best films,"
        " as many are shown them; 1: by how much a film suits this viewer more than others."
        " Where it is left out, the setting of the system holds."
    ),
    examples=[0.2],
)
Diversity = Annotated[float | None, _DIVERSITY]
JsonDiversity = Annotated[Real | None, _DIVERSITY]
_YEAR = Field(ge=YEARS[0], le=YEARS[-1])
Year = Annotated[int, _YEAR]
JsonYear = Annotated[int, _YEAR, WHOLE]
Actor = Annotated[payloads.Actor, Field(description="Who decided it.")]
RecommendationId = Annotated[str, Text(100), Field(description="The answer that led to it.")]

After = Annotated[
    str | None, Field(max_length=8192, description="Token of a write that the answer must follow.")
]
WaitMs = Annotated[
    int | None,
    Field(ge=0, le=10_000, description="How long to wait for `after` at most; 1000 by default."),
]
Tagged = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=100,
        description=(
            "Films that carry this tag, in whatever case, with a relevance of"
            f" {MIN_RELEVANCE} or more. Where no film does, the list is empty and `reason` says so."
        ),
        examples=["prison"],
    ),
]
Cursor = Annotated[str | None, Field(max_length=500, description="`next_cursor` of a page.")]
ListCursor = Annotated[
    str | None,
    Field(
        max_length=MAX_CURSOR,
        description="`next_cursor` of a page, with the filters of that page: the best films of now"
        f" that no earlier page has shown. The pages of one list have {MAX_SHOWN} films at most.",
    ),
]
OnWatchlist = Annotated[
    Literal["only", "exclude"] | None,
    Field(
        description="`only`: films of the viewer's watchlist. `exclude`: none of them. Left out:"
        " films whether they are on it or not.",
    ),
]
