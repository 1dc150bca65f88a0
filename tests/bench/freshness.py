"""Freshness: delay from an accepted write to the first answer that shows it, under load."""

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import httpx

from load import quantile
from users import STARS, new_user, rating

T = TypeVar("T")

CALLS_A_SECOND = 50
LIMIT_S = 10.0
"""What is not visible by then counts as never visible."""


@dataclass(frozen=True)
class Sample:
    """Seconds from sending a write to its acceptance, and from acceptance to the first answer."""

    accepted: float
    visible: float
    failed: bool = False


@dataclass(frozen=True)
class Freshness:
    """Summary of the samples of one kind of write, in ms."""

    bus: str
    write: str
    samples: int
    never: int
    write_p50_ms: float
    visible_p50_ms: float
    visible_p99_ms: float
    whole_p50_ms: float
    whole_p99_ms: float
    background: float
    """Events a second that were written meanwhile."""


async def freshness(
    url: str,
    bus: str,
    users: Sequence[int],
    movies: Sequence[int],
    ratings: int,
    others: int,
    in_call: int = 1,
) -> list[Freshness]:
    """Measure ratings of known users, new movies and blocks, under a steady stream of ratings.

    The stream is of 50 calls a second, with `in_call` ratings each.
    """
    limits = httpx.Limits(max_keepalive_connections=8)
    async with (
        httpx.AsyncClient(base_url=url, timeout=30.0, trust_env=False, limits=limits) as client,
        httpx.AsyncClient(base_url=url, timeout=30.0, trust_env=False, limits=limits) as writer,
    ):
        probe = _Probe(client, users, movies)
        results = []
        for write, n, sample in (
            ("rating", ratings, probe.rating),
            ("new film", others, probe.new_movie),
            ("block", others, probe.block),
        ):
            stream = RatingStream(writer, movies, in_call)
            samples = await stream.during(_repeated(sample, n))
            results.append(_summary(bus, write, samples, stream.per_second))
        return results


async def _repeated(sample: Callable[[], Awaitable[Sample]], n: int) -> list[Sample]:
    return [await sample() for _ in range(n)]


class RatingStream:
    """Ratings of other users at a steady rate, whatever the time that each takes."""

    def __init__(self, client: httpx.AsyncClient, movies: Sequence[int], in_call: int) -> None:
        self._client, self._movies, self._in_call = client, movies, in_call
        self._sent = 0
        self._first, self._draw = new_user(), random.Random(5)
        self.per_second = 0.0

    async def during(self, work: Awaitable[T]) -> T:
        """Write while the work runs; return what it returns."""
        started = time.perf_counter()
        writing = asyncio.create_task(self._write(started))
        try:
            return await work
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            self.per_second = self._sent / (time.perf_counter() - started)

    async def _write(self, started: float) -> None:
        async with asyncio.TaskGroup() as group:
            for at in itertools.count():
                due = started + at / CALLS_A_SECOND
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(self._one(at))

    async def _one(self, at: int) -> None:
        user, stars = self._first + at % 500, STARS[at % len(STARS)]
        movies = self._draw.choices(self._movies, k=self._in_call)
        if self._in_call == 1:
            path = f"/v1/users/{user}/ratings/{movies[0]}"
            await self._client.put(path, json={"rating": stars})
        else:
            events = [rating(user, movie, stars).model_dump(mode="json") for movie in movies]
            await self._client.post("/v1/events", json={"events": events})
        self._sent += self._in_call


class _Probe:
    """Makes one write at a time and watches for it."""

    def __init__(
        self, client: httpx.AsyncClient, users: Sequence[int], movies: Sequence[int]
    ) -> None:
        self._client = client
        # Popularity is a part of likeness, and a new movie has none: like the less popular ones.
        self._users, self._movies = itertools.cycle(users), itertools.cycle(reversed(movies))

    async def rating(self) -> Sample:
        """Rate the first movie of a user's list; visible: fresh, and the movie is gone from it."""
        user_id = next(self._users)
        movie_id = (await self._list(user_id))[1][0]
        sent = time.perf_counter()
        path = f"/v1/users/{user_id}/ratings/{movie_id}"
        answer = await self._send("PUT", path, {"rating": 4.0})
        accepted = time.perf_counter()

        async def visible() -> bool:
            fresh, shown = await self._list(user_id, answer["token"])
            return fresh and movie_id not in shown

        return await _watched(sent, accepted, visible)

    async def new_movie(self) -> Sample:
        """Add a movie just like another; visible: among the movies most like that one."""
        like = next(self._movies)
        movie = (await self._client.get(f"/v1/movies/{like}")).raise_for_status().json()
        body = {name: movie[name] for name in ("title", "year", "genres", "tags")}
        sent = time.perf_counter()
        movie_id = (await self._send("POST", "/v1/movies", body))["movie_id"]
        accepted = time.perf_counter()

        async def visible() -> bool:
            path = f"/v1/movies/{like}/similar"
            answer = await self._client.get(path, params={"k": 100})
            if answer.status_code == 503:  # too slow at this moment; this call has no fallback
                return False
            found = answer.raise_for_status().json()["items"]
            return movie_id in {item["movie_id"] for item in found}

        sample = await _watched(sent, accepted, visible)
        await self._send("DELETE", f"/v1/movies/{movie_id}")
        return sample

    async def block(self) -> Sample:
        """Block the first movie of a user's list; visible: it is gone from it.

        The call itself waits until the rule is stored, so the watch begins when it is sent.
        """
        user_id = next(self._users)
        movie_id = (await self._list(user_id))[1][0]
        sent = time.perf_counter()
        await self._send("PUT", f"/v1/movies/{movie_id}/block", {"reason": "bench"})
        accepted = time.perf_counter()

        async def visible() -> bool:
            return movie_id not in (await self._list(user_id))[1]

        sample = await _watched(sent, accepted, visible)
        await self._send("DELETE", f"/v1/movies/{movie_id}/block")
        return sample

    async def _list(self, user_id: int, after: str = "") -> tuple[bool, list[int]]:
        query = {"after": after} if after else {}
        path = f"/v1/users/{user_id}/recommendations"
        answer = (await self._client.get(path, params=query)).raise_for_status().json()
        return answer["fresh"], [item["movie_id"] for item in answer["items"]]

    async def _send(self, method: str, path: str, body: object = None) -> dict[str, str]:
        answer = await self._client.request(method, path, json=body)
        return dict(answer.raise_for_status().json())


async def _watched(sent: float, accepted: float, visible: Callable[[], Awaitable[bool]]) -> Sample:
    while not await visible():
        if time.perf_counter() - accepted > LIMIT_S:
            return Sample(accepted - sent, LIMIT_S, failed=True)
    return Sample(accepted - sent, time.perf_counter() - accepted)


def _summary(bus: str, write: str, samples: Sequence[Sample], background: float) -> Freshness:
    visible = [sample.visible * 1000 for sample in samples]
    whole = [(sample.accepted + sample.visible) * 1000 for sample in samples]
    return Freshness(
        bus,
        write,
        samples=len(samples),
        never=sum(sample.failed for sample in samples),
        write_p50_ms=quantile([sample.accepted * 1000 for sample in samples], 0.5),
        visible_p50_ms=quantile(visible, 0.5),
        visible_p99_ms=quantile(visible, 0.99),
        whole_p50_ms=quantile(whole, 0.5),
        whole_p99_ms=quantile(whole, 0.99),
        background=background,
    )
