"""Requests of the load: lists of users who are known, and ratings that each stand alone."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WRITERS = 200
"""Users who rate; each rates a film once, so that the order of two writes never matters."""
STARS = (4.5, 3.0, 4.0, 2.5, 5.0, 4.0, 3.5)


@dataclass(frozen=True)
class Request:
    """A request as it goes over the wire; `write`: user, film and stars of a rating."""

    content: bytes
    write: dict[str, Any] | None = None


def requests(
    host: str,
    users: Sequence[int],
    movies: Sequence[int],
    writes: float,
    headers: Mapping[str, str],
    first_writer: int,
    seed: int,
) -> Iterator[Request]:
    """Yield requests without end.

    Args:
        host: of the address.
        users: Whose lists are read.
        movies: That are rated; WRITERS times as many ratings are there.
        writes: Share of ratings, 0 to 1.
        headers: Of every request.
        first_writer: Id of the first user who rates.
        seed: Of the order.
    """
    draw, written = random.Random(seed), 0
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    reads = [_read(host, user, more) for user in users]
    while True:
        if draw.random() >= writes:
            yield draw.choice(reads)
            continue
        user, movie = first_writer + written % WRITERS, movies[written // WRITERS % len(movies)]
        yield _rating(host, user, movie, STARS[written % len(STARS)], more)
        written += 1


def _read(host: str, user: int, more: str) -> Request:
    path = f"/v1/users/{user}/recommendations"
    return Request(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode())


def _rating(host: str, user: int, movie: int, stars: float, more: str) -> Request:
    body = json.dumps({"rating": stars})
    head = (
        f"PUT /v1/users/{user}/ratings/{movie} HTTP/1.1\r\nHost: {host}\r\n{more}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return Request((head + body).encode(), {"user": user, "movie": movie, "stars": stars})
