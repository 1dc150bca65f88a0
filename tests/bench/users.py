"""Users for the measurements, made through the API: some for each route."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from marquee.events import Event, MovieViewed, Rating, RatingAdded, UserMovie

STARS = (4.5, 3.0, 4.0, 2.5, 5.0, 4.0, 3.5)
"""Ratings in turn: of any 5, at least 3 are positive."""
MOVIES = 1000
"""Movies are taken from this number of the most popular ones."""
IN_CALL = 1000


@dataclass(frozen=True)
class Kind:
    """A kind of user: how many movies each has rated and viewed, and the route for that."""

    name: str
    route: str
    rated: int = 0
    viewed: int = 0


KINDS = (
    Kind("0 ratings", "popular"),
    Kind("3 viewed", "similar", viewed=3),
    Kind("2 ratings", "hybrid", rated=2),
    Kind("4 ratings", "hybrid", rated=4),
    Kind("8 ratings", "user-cluster", rated=8),
    Kind("30 ratings", "neural", rated=30),
    Kind("300 ratings", "neural", rated=300),
)
KNOWN = ("8 ratings", "30 ratings", "300 ratings")
"""The kinds that count as known users."""


def popular_movies(client: httpx.Client, n: int = MOVIES, seconds: float = 60.0) -> list[int]:
    """Return the ids of the n most popular movies, once the gateway has that many."""
    deadline = time.monotonic() + seconds
    while len(movie_ids := _listed(client, n)) < n:
        if time.monotonic() > deadline:
            raise SystemExit(f"the catalogue holds {len(movie_ids)} films; {n} are needed")
        time.sleep(0.1)
    return movie_ids


def _listed(client: httpx.Client, n: int) -> list[int]:
    movie_ids: list[int] = []
    cursor = None
    while len(movie_ids) < n:
        query = {"limit": 100} | ({"cursor": cursor} if cursor else {})
        answer = client.get("/v1/movies", params=query).raise_for_status().json()
        movie_ids += [item["movie_id"] for item in answer["items"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    return movie_ids[:n]


def make_users(client: httpx.Client, movies: Sequence[int], n: int) -> dict[str, list[int]]:
    """Make n users of each kind; return their ids by kind, once their ratings are visible."""
    draw = random.Random(7)
    first = new_user()
    made: dict[str, list[int]] = {}
    events: list[Event] = []
    for at, kind in enumerate(KINDS):
        made[kind.name] = list(range(first + at * n, first + (at + 1) * n))
        for user_id in made[kind.name]:
            events += _past(draw, user_id, kind, movies)
    follow(client, publish(client, events))
    return made


def new_user() -> int:
    """Return an id outside the range of all data sets and earlier runs."""
    return (1 << 40) + random.SystemRandom().randrange(1 << 40)


def rating(user_id: int, movie_id: int, stars: float) -> Event:
    """Return the event of a rating."""
    return RatingAdded(data=Rating(user_id=user_id, movie_id=movie_id, rating=stars))


def publish(client: httpx.Client, events: Sequence[Event]) -> list[str]:
    """Publish events, 1,000 a call; return the token of each call."""
    tokens = []
    for start in range(0, len(events), IN_CALL):
        part = [event.model_dump(mode="json") for event in events[start : start + IN_CALL]]
        answer = client.post("/v1/events", json={"events": part}).raise_for_status().json()
        if answer["rejected"]:
            raise SystemExit(f"events were rejected: {answer}")
        tokens.append(answer["token"])
    return tokens


def follow(client: httpx.Client, tokens: Sequence[str], seconds: float = 180.0) -> None:
    """Wait until the gateway and every model app have passed the tokens."""
    for token in tokens:
        for user_id in range(1, 17):  # between them they lie on every partition
            for _ in range(int(seconds / 10)):
                query: dict[str, str | int] = {"after": token, "wait_ms": 10_000}
                path = f"/v1/users/{user_id}/recommendations"
                if client.get(path, params=query).raise_for_status().json()["fresh"]:
                    break
            else:
                raise SystemExit("the events do not become visible")


def _past(draw: random.Random, user_id: int, kind: Kind, movies: Sequence[int]) -> list[Event]:
    seen = draw.sample(movies, kind.rated + kind.viewed)
    past: list[Event] = [
        rating(user_id, movie_id, STARS[at % len(STARS)])
        for at, movie_id in enumerate(seen[: kind.rated])
    ]
    for movie_id in seen[kind.rated :]:
        past.append(MovieViewed(data=UserMovie(user_id=user_id, movie_id=movie_id)))
    return past
