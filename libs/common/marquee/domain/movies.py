"""Movies: the catalogue row, and the genre vocabulary with its bit masks."""

from collections.abc import Iterable
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, field_validator

GENRES: tuple[str, ...] = (
    "Action",
    "Adventure",
    "Animation",
    "Children",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "IMAX",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
"""The genres of MovieLens, in the order of their bits in a mask."""

_BIT = {name: 1 << i for i, name in enumerate(GENRES)}

MovieId = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""A movie's id; it fits into 4 bytes of a packed profile."""

Relevance = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Tag = Annotated[str, Field(min_length=1, max_length=100)]


class Movie(BaseModel):
    """A film as the catalogue knows it; `tags` maps a tag to its relevance in 0..1."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    movie_id: MovieId
    title: Annotated[str, Field(min_length=1, max_length=500)]
    year: Annotated[int, Field(ge=1850, le=2200)] | None = None
    genres: Annotated[tuple[str, ...], Field(max_length=len(GENRES))] = ()
    tags: Annotated[dict[Tag, Relevance], Field(max_length=2000)] = {}

    @field_validator("genres")
    @classmethod
    def _known_genres(cls, genres: tuple[str, ...]) -> tuple[str, ...]:
        for name in genres:
            if name not in _BIT:
                raise ValueError(f"unknown genre {name!r}; allowed: {', '.join(GENRES)}")
        return tuple(dict.fromkeys(genres))


def genre_mask(genres: Iterable[str]) -> int:
    """Return the bit mask of genre names.

    Raises:
        KeyError: A genre is unknown.
    """
    mask = 0
    for name in genres:
        mask |= _BIT[name]
    return mask


def genre_matrix(masks: npt.NDArray[np.uint32]) -> npt.NDArray[np.float32]:
    """Return the multi-hot matrix, float32 n × 19, of n genre masks."""
    bits = np.arange(len(GENRES), dtype=np.uint32)
    return ((masks[:, None] >> bits) & 1).astype(np.float32)
