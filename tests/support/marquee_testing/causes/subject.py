"""What is tried in each state: a gateway with its consumer, on a store and a bus."""

import asyncio
import contextlib
import itertools
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import FastAPI

from gateway.api.docs import openapi_document
from gateway.app import build
from gateway.consumer import GatewayProjection
from marquee.access.api_keys import create_key
from marquee.access.key_store import KeyStore, Who
from marquee.access.rates import Rate
from marquee.access.scopes import GRANTED
from marquee.bus.api import Bus
from marquee.consumer.health import Health
from marquee.domain.ratings import half_stars
from marquee.events import MovieAdded
from marquee.settings import Settings
from marquee.store.redis import RedisStore
from marquee_local.servers import free_port
from marquee_testing.causes.calls import MOVIES, Call, Values, calls_of
from marquee_testing.servers.system import System, running
from marquee_testing.waiting import DEADLINE_S, PATIENCE, until_async

SAYS_S = 6.0
"""How long a consumer may take to say what it waits for."""
CONSUMER_TIMEOUT_S = 1.0
"""Timeout of the consumer's calls of the store; shorter than usual, as each state waits for one."""


@dataclass
class Subject:
    """A gateway in this process, called with a key, and its consumer in a thread."""

    app: FastAPI
    client: httpx.AsyncClient
    group: System
    health: Health
    calls: list[Call]
    _weights: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def knows_store(self) -> bool:
        """Whether the gateway counts the store as reachable."""
        connected: bool = self.app.state.context.live_view.connected
        return connected

    async def settle(self, loses_reads: bool) -> None:
        """Wait until the gateway has noticed what becomes of its own reads."""
        if loses_reads:
            await until_async(lambda: not self.knows_store)
            return
        entered, tail = time.monotonic(), self.app.state.context.live_view.tail
        await until_async(lambda: self.knows_store and tail.last_answer > entered)

    async def says(self, expected: str | None) -> str | None:
        """Return what the consumer says that it waits for, once that is as expected or stays.

        Addresses, commands and the client's own words are left out.
        """
        deadline = time.monotonic() + SAYS_S * PATIENCE
        while (text := _plain(self.health)) != expected and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        return text

    async def recover(self) -> None:
        """Wait until all is as before: a write is taken, stored, read, and the consumer works.

        Films are told anew, as a call may have removed one.
        """
        await until_async(lambda: self.knows_store)
        stars = half_stars(1 + datetime.now(UTC).microsecond % 9 / 2) / 2
        written = await self._write("PUT", "/v1/users/1/ratings/2", {"rating": stars})
        token = written.json()["token"]
        read = await self._until(
            lambda: self.client.get(f"/v1/users/1/ratings?after={token}&wait_ms=1000"),
            lambda response: response.json()["fresh"] is True,
        )
        ratings = {item["movie_id"]: item["rating"] for item in read.json()["items"]}
        assert ratings[2] == stars
        await until_async(lambda: self.health.ready)
        await self.tell_movies()
        await self._prepare()

    async def _prepare(self) -> None:
        """Leave an entry of the audit to revert, with a key and without, and a receipt."""
        path = {"entry_id": await self._entry(6), "receipt_id": await self._receipt()}
        values = Values(path, {"entry_id": await self._entry(7)})
        self.calls = calls_of(openapi_document(self.app), values)

    async def _entry(self, movie_id: int) -> str:
        """Promote a film anew; return the id of the newest entry about it."""
        path = f"/v1/movies/{movie_id}/promotion"
        # A slow write is answered 202 and sent again: with the same weight it would change nothing.
        await self._until(
            lambda: self.client.put(path, json={"weight": next(self._weights)}),
            lambda response: response.status_code == 200,
        )
        audit = await self._write("GET", f"/v1/audit?movie_id={movie_id}&limit=1", None, 200)
        return str(audit.json()["items"][0]["id"])

    async def _receipt(self) -> str:
        """Erase a viewer; return the id of the receipt once that is stored."""
        erased = (await self._write("DELETE", "/v1/users/9", None)).json()
        receipt = str(erased["receipt"]["id"])
        await self._write("GET", f"/v1/erasures/{receipt}?after={erased['token']}", None, 200)
        return receipt

    async def tell_movies(self) -> None:
        """Add the films of `MOVIES`, and wait until the gateway has them."""
        events = [
            {"type": MovieAdded.model_fields["type"].default, "data": _movie(movie_id)}
            for movie_id in MOVIES
        ]
        await self._write("POST", "/v1/events", {"events": events})
        live_view = self.app.state.context.live_view
        for movie_id in MOVIES:
            assert await live_view.wait_for_movie(movie_id, DEADLINE_S * PATIENCE)

    async def _write(self, method: str, path: str, body: Any, status: int = 202) -> httpx.Response:
        return await self._until(
            lambda: self.client.request(method, path, json=body),
            lambda response: response.status_code == status,
        )

    @staticmethod
    async def _until(
        send: Callable[[], Any], holds: Callable[[httpx.Response], bool]
    ) -> httpx.Response:
        """Send a call until its answer holds; it may be refused with 503 meanwhile."""
        last: list[httpx.Response] = [await send()]

        async def again() -> None:
            while not holds(last[0]):
                assert last[0].status_code in (200, 202, 503), last[0].text
                last[0] = await send()

        await asyncio.wait_for(again(), DEADLINE_S * PATIENCE)
        return last[0]


@contextlib.asynccontextmanager
async def subject(settings: Settings, bus: Bus, direct_url: str) -> AsyncIterator[Subject]:
    """Yield a gateway and its consumer.

    Args:
        settings: Of the gateway.
        bus: The consumer's own.
        direct_url: Address of the store for the test itself.
    """
    url, namespace = settings.redis_url.get_secret_value(), settings.namespace
    key, text = create_key("test", GRANTED, rate=Rate.parse("10000/s"))
    KeyStore(direct_url, namespace, Who("test")).add(key)
    with running(bus, direct_url, namespace) as group:
        worker = group.start(GatewayProjection(), store=RedisStore(url, CONSUMER_TIMEOUT_S))
        async with contextlib.AsyncExitStack() as stack:
            app = build(settings)
            await stack.enter_async_context(app.router.lifespan_context(app))
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(app, raise_app_exceptions=False),
                base_url="http://gateway",
                headers={"Authorization": f"Bearer {text}"},
                timeout=60,
            )
            await stack.enter_async_context(client)
            made = Subject(app, client, group, worker.health, calls_of(openapi_document(app)))
            group.publish(*(MovieAdded.model_validate({"data": _movie(i)}) for i in MOVIES))
            for movie_id in MOVIES:
                found = await app.state.context.live_view.wait_for_movie(movie_id, DEADLINE_S)
                assert found
            yield made


def settings_of(redis_url: str, namespace: str, **others: Any) -> Settings:
    """Return settings of a gateway with keys, tokens and the usual limits; no service listens."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    services = ("content", "hybrid", "user_model", "neural", "trainer")
    return Settings.model_validate(
        {
            "redis_url": redis_url,
            "namespace": namespace,
            "auth": "keys",
            "token_secrets": "0123456789abcdef" * 2,
            "write_ms": 1000,
            **{f"{name}_url": nowhere for name in services},
            **others,
        }
    )


def _plain(health: Health) -> str | None:
    # A part that has stopped says why for good; what else is waited for depends on the moment.
    words = list(health.stopped.values()) or [health.waiting_for or ""]
    text = re.sub(r"run the '\S+' command", "run a command", " ".join(words))
    text = re.sub(r" \([^()]*(\([^()]*\)[^()]*)*\)$", "", text)
    return re.sub(r"127\.0\.0\.1:\d+", "HOST:PORT", text).strip() or None


def _movie(movie_id: int) -> dict[str, Any]:
    return {"movie_id": movie_id, "title": f"Film {movie_id}", "genres": ["Drama"]}
