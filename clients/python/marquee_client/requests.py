"""Bodies of requests: made by `make clients` from the gateway's OpenAPI document; do not edit."""

from typing import Required, TypedDict


class LinksBody(TypedDict, total=False):
    """A film's ids elsewhere."""

    imdb: str | None
    tmdb: int | None


class MovieBody(TypedDict, total=False):
    """A new film; without `movie_id` it is given one.

    Attributes:
        genres: Genres by name, in whatever case.
    """

    runtime: int | None
    language: str | None
    certificate: str | None
    overview: str | None
    poster_url: str | None
    links: LinksBody | None
    people: list[str] | None
    keywords: list[str] | None
    moods: list[str] | None
    movie_id: int | str | None
    title: Required[str]
    year: int | None
    genres: list[str]
    tags: dict[str, float]


class MoviePatch(TypedDict, total=False):
    """Fields of a film to replace; null clears one that a film may lack, those left out stay.

    Attributes:
        genres: Genres by name, in whatever case.
    """

    runtime: int | None
    language: str | None
    certificate: str | None
    overview: str | None
    poster_url: str | None
    links: LinksBody | None
    people: list[str] | None
    keywords: list[str] | None
    moods: list[str] | None
    title: str
    year: int | None
    genres: list[str]
    tags: dict[str, float]
