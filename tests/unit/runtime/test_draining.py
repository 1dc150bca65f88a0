"""The stop of an HTTP server: what clients and a proxy see from the signal to the end."""

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from marquee.health import READY
from marquee.http_server.draining import Draining, DrainingServer
from marquee.ports import listen

LONG_S = 60.0


class App:
    """An app with an answer that waits until it is let go."""

    def __init__(self) -> None:
        self.asked, self.go = asyncio.Event(), asyncio.Event()
        self.closed = False
        self.api = FastAPI(lifespan=self._lifespan)
        self.api.add_api_route("/slow", self._slow)
        self.api.add_api_route("/quick", self._quick)
        self.api.add_api_route(READY, self._quick)

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        yield
        self.closed = True

    async def _slow(self) -> str:
        self.asked.set()
        await self.go.wait()
        return "" if self.closed else "open"

    async def _quick(self) -> str:
        return "quick"


class Running:
    """A server on a free port, in the event loop of the test."""

    def __init__(self, app: App, pause_s: float) -> None:
        draining = Draining(app.api)
        config = uvicorn.Config(draining, log_config=None, timeout_graceful_shutdown=60)
        self.server = DrainingServer(config, draining, pause_s)
        self._bound: socket.socket = listen("127.0.0.1", 0, "gateway_port")
        self.url = f"http://127.0.0.1:{self._bound.getsockname()[1]}"
        self.task = asyncio.create_task(self.server._serve([self._bound]))

    async def started(self) -> "Running":
        async with asyncio.timeout(30):
            while not self.server.started:
                await asyncio.sleep(0.005)
        return self

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=30, trust_env=False)

    def signal(self) -> None:
        self.server.handle_exit(signal.SIGTERM, None)

    async def drains(self) -> None:
        async with self.client() as client, asyncio.timeout(30):
            while (await client.get(READY)).status_code != 503:
                await asyncio.sleep(0.005)


@pytest.fixture
def app() -> App:
    return App()


async def test_until_the_pause_is_over_it_accepts_and_asks_to_be_left(app: App) -> None:
    running = await Running(app, LONG_S).started()
    async with running.client() as kept, running.client() as new:
        answer = await kept.get("/quick")
        assert "connection" not in answer.headers
        running.signal()
        await running.drains()
        for client in (kept, new):
            answer = await client.get("/quick")
            assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        ready = await new.get(READY)
        assert (ready.status_code, ready.json()) == (503, {"ready": False, "draining": True})
        assert ready.headers["connection"] == "close"
    running.signal()
    await running.task


async def test_a_request_under_way_is_finished_and_the_app_is_closed_after_it(app: App) -> None:
    running = await Running(app, 0.0).started()
    async with running.client() as client:
        under_way = asyncio.create_task(client.get("/slow"))
        await app.asked.wait()
        running.signal()
        async with asyncio.timeout(30):
            while await _accepts(running.url):
                await asyncio.sleep(0.005)
        assert not app.closed
        app.go.set()
        answer = await under_way
    assert (answer.json(), answer.headers["connection"]) == ("open", "close")
    await running.task
    assert app.closed


async def test_an_idle_connection_is_closed_when_accepting_ends(app: App) -> None:
    running = await Running(app, 0.0).started()
    host, port = running.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /quick HTTP/1.1\r\nhost: x\r\n\r\n")
    await reader.readuntil(b"quick")
    running.signal()
    async with asyncio.timeout(30):
        rest = await reader.read()
    assert rest == b'"'
    writer.close()
    await running.task


async def test_a_second_signal_ends_the_pause(app: App) -> None:
    running = await Running(app, LONG_S).started()
    running.signal()
    await running.drains()
    running.signal()
    began = time.monotonic()
    await running.task
    assert time.monotonic() - began < LONG_S / 2


async def _accepts(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True
