"""`make bench-following`: what pages that follow lists cost, and how soon they are told.

A system of one process of each kind, or a gateway at an address, and connections that follow the
lists of viewers.
"""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import uvloop
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from freshness import RatingStream
from load import quantile
from marquee_testing.servers.event_reader import EventReader, Message
from replicated import kinds_of, prepared, replicated
from users import popular_movies

VIEWERS = 610
"""Viewers of the bundled data."""
LIMIT_S = 10.0
"""What is not told by then counts as never told."""
MIB = 1 << 20


@dataclass
class Page:
    """A connection that follows a viewer's list, and the last list that it was sent."""

    user_id: int
    reader: EventReader
    shown: list[int] = field(default_factory=list)
    told: asyncio.Condition = field(default_factory=asyncio.Condition)
    at: float = 0.0

    async def read(self) -> None:
        """Read until the stream ends."""
        while (message := await self.reader.next(1e6)) is not None:
            async with self.told:
                self.shown, self.at = _films(message), message.at
                self.told.notify_all()

    async def without(self, movie_id: int) -> float:
        """Return when the first list without a film came, by the monotonic clock."""
        return await self._until(lambda: bool(self.shown) and movie_id not in self.shown)

    async def beginning_with(self, movie_id: int) -> float:
        """Return when the first list came that begins with a film."""
        return await self._until(lambda: self.shown[:1] == [movie_id])

    async def _until(self, holds: Callable[[], bool]) -> float:
        async with self.told, asyncio.timeout(LIMIT_S):
            await self.told.wait_for(holds)
            return self.at


@dataclass(frozen=True)
class Use:
    """CPU seconds and resident bytes of the gateway at a moment."""

    at: float
    cpu: float
    rss: float


def _films(message: Message) -> list[int]:
    return [item["movie_id"] for item in message.data.get("items", [])]


async def _use(client: httpx.AsyncClient) -> Use:
    text = (await client.get("/metrics")).raise_for_status().text
    values = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("process_")
    }
    return Use(
        time.monotonic(),
        values["process_cpu_seconds_total"],
        values["process_resident_memory_bytes"],
    )


async def _share(client: httpx.AsyncClient, seconds: float) -> tuple[float, float]:
    """Return the share of a core that the gateway takes for a while, in percent, and its MiB."""
    before = await _use(client)
    await asyncio.sleep(seconds)
    after = await _use(client)
    return 100 * (after.cpu - before.cpu) / (after.at - before.at), after.rss / MIB


async def _opened(port: int, n: int) -> list[Page]:
    pages = []
    for i in range(n):
        user_id = 1 + i % VIEWERS
        path = f"/v1/users/{user_id}/recommendations/changes?k=10"
        reader = await EventReader.open(port, path)
        if reader.status != 200:
            raise SystemExit(f"follower {i + 1}: {(await reader.body()).decode()}")
        pages.append(Page(user_id, reader))
    return pages


async def _rated(client: httpx.AsyncClient, pages: list[Page], n: int) -> list[tuple[float, float]]:
    """Rate the first film of a page's list n times; return seconds since sent, since accepted."""
    delays = []
    for i in range(n):
        page = pages[i % len(pages)]
        movie_id = page.shown[0]
        sent = time.monotonic()
        path = f"/v1/users/{page.user_id}/ratings/{movie_id}"
        (await client.put(path, json={"rating": 4.0})).raise_for_status()
        accepted = time.monotonic()
        at = await page.without(movie_id)
        delays.append((at - sent, max(0.0, at - accepted)))
    return delays


async def _promoted(client: httpx.AsyncClient, pages: list[Page], movie_id: int) -> list[float]:
    """Put a film in front of every list; return the seconds until each page has it."""
    waits = [asyncio.create_task(page.beginning_with(movie_id)) for page in pages]
    sent = time.monotonic()
    path = f"/v1/movies/{movie_id}/promotion"
    (await client.put(path, json={"slots": [1]})).raise_for_status()
    times = await asyncio.gather(*waits, return_exceptions=True)
    (await client.delete(path)).raise_for_status()
    return [LIMIT_S if isinstance(at, BaseException) else at - sent for at in times]


async def _measured(url: str, asked: argparse.Namespace) -> Table:
    table = Table("what", "figure")
    with httpx.Client(base_url=url) as setup:
        movies = popular_movies(setup)
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        idle_cpu, idle_mib = await _share(client, asked.seconds)
        pages = await _opened(urlsplit(url).port or 80, asked.followers)
        reading = [asyncio.create_task(page.read()) for page in pages]
        async with asyncio.timeout(60):
            while not all(page.shown for page in pages):
                await asyncio.sleep(0.1)
        cpu, mib = await _share(client, asked.seconds)
        per_1000 = 1000 / asked.followers
        table.add_row("followers", f"{asked.followers:,}")
        table.add_row("memory of 1,000 idle ones", f"{(mib - idle_mib) * per_1000:.1f} MiB")
        table.add_row("CPU of 1,000 idle ones", f"{(cpu - idle_cpu) * per_1000:.1f} % of a core")
        stream = RatingStream(client, movies, 1)
        delays = await stream.during(_rated(client, pages[:VIEWERS], asked.samples))
        for name, values in (
            ("sent → message", [sent for sent, _ in delays]),
            ("accepted → message", [accepted for _, accepted in delays]),
        ):
            p50, p99 = (quantile(values, share) * 1000 for share in (0.5, 0.99))
            table.add_row(f"a rating {name}, p50 / p99", f"{p50:.1f} / {p99:.1f} ms")
        table.add_row("other ratings meanwhile", f"{stream.per_second:.0f}/s")
        times = await _promoted(client, pages, movies[-1])
        p50, p99 = (quantile(times, share) for share in (0.5, 0.99))
        table.add_row("a promotion → all pages, p50 / p99", f"{p50:.2f} / {p99:.2f} s")
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        for page in pages:
            page.reader.close()
    return table


@contextmanager
def _system(asked: argparse.Namespace) -> Iterator[str]:
    if asked.url:
        yield asked.url.rstrip("/")
        return
    more = {
        "MARQUEE_MAX_CONNECTIONS": str(2 * asked.followers + 100),
        "MARQUEE_MAX_FOLLOWERS": str(asked.followers),
    }
    with prepared(asked.state) as state:
        kinds = dict.fromkeys(kinds_of(state, trainer=False), 1)
        with replicated(state, "redis", kinds, more) as system:
            [gateway] = system.replicas.of("gateway app")
            yield f"http://127.0.0.1:{gateway.port}"


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a gateway of this machine, with room for the followers")
    parser.add_argument("--state", type=Path, help="folder for the models; kept, and used again")
    parser.add_argument("--followers", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=200, help="ratings that are waited for")
    parser.add_argument("--seconds", type=float, default=10, help="of each look at idle followers")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started ends too
    with _system(asked) as url:
        Console().print(uvloop.run(_measured(url, asked)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
