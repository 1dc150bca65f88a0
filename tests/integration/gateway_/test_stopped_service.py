"""What a service that stands (SIGSTOP) costs those who ask: one deadline at first, then nothing."""

import asyncio
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from gateway.catalogue.catalogue import Catalogue, Row
from gateway.catalogue.popularity import PopularList
from gateway.recommend.answers import RecommendationAnswer, RecommendationQuery
from gateway.recommend.filter_stage import ListRequest
from gateway.recommend.orchestrator import Orchestrator, Timeouts
from gateway.state.profiles import Profile
from gateway.upstream.circuit_breaker import MAX_TIMEOUTS
from gateway.upstream.http_client import HttpClient
from gateway.upstream.model_clients import HttpModels
from marquee.domain.movies import Movie
from marquee.domain.ratings import Ratings
from marquee.domain.routing import Thresholds
from marquee.features.popularity import MovieSums
from marquee_local.servers import free_port
from marquee_testing.waiting import DEADLINE_S, PATIENCE, until

SERVICE = """
import sys
import uvicorn
from fastapi import FastAPI

app = FastAPI()

@app.get("/health/live")
async def live():
    return {"live": True}

@app.post("/internal/recommend")
async def recommend():
    items = [{"movie_id": i, "score": 1.0, "reason": "popular"} for i in range(1, 71)]
    return {"items": items, "model_version": "v1", "positions": {}, "fresh": True}

uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
"""
ANSWER_S = 1.0
NO_ANSWER = "content did not answer within 1000 ms"
LEFT_ALONE = "content is left alone for a moment after failed calls"
CATALOGUE = Catalogue(Row.of(Movie(movie_id=i, title=f"Film {i}")) for i in range(1, 101))
VIEWED = Ratings(viewed={1: None})
"""Leads to the route `similar`, then `popular`: both are the content service's."""


@pytest.fixture
def service() -> Iterator[tuple[str, int]]:
    """A service of its own process: its address and its pid."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    with subprocess.Popen([sys.executable, "-c", SERVICE, str(port)]) as process:
        until(lambda: listens(url))
        yield url, process.pid
        process.send_signal(signal.SIGCONT)
        process.terminate()


def listens(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        httpx.get(f"{url}/health/live")
        return True
    return False


@pytest.fixture
async def orchestrator(service: tuple[str, int]) -> AsyncIterator[Orchestrator]:
    models = HttpModels({"content": [HttpClient(service[0])]})
    popular = PopularList(CATALOGUE, MovieSums())
    yield Orchestrator(models, popular, Thresholds(), Timeouts(ANSWER_S, 2.5 * ANSWER_S))
    await models.close()


async def timed(orchestrator: Orchestrator) -> tuple[float, RecommendationAnswer]:
    """Ask once; return the seconds that it took, and the answer, which is a full one always."""
    started = time.perf_counter()
    answer = await orchestrator.answer(RecommendationQuery(Profile(VIEWED), ListRequest(10)))
    assert len(answer.filtered.items) == 10
    return time.perf_counter() - started, answer


def whys(answer: RecommendationAnswer) -> list[str]:
    """Return why services did not answer; both routes are to be named."""
    assert len(answer.fallbacks) == 2
    return [fallback.why for fallback in answer.fallbacks]


async def back(orchestrator: Orchestrator) -> None:
    """Wait until the service answers again."""
    async with asyncio.timeout(DEADLINE_S * PATIENCE):
        while (await timed(orchestrator))[1].fallbacks:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("at_once", [1, 32])
async def test_a_stopped_service_costs_one_deadline_at_first_and_later_nothing(
    service: tuple[str, int], orchestrator: Orchestrator, at_once: int
) -> None:
    await back(orchestrator)
    os.kill(service[1], signal.SIGSTOP)
    first: list[tuple[float, RecommendationAnswer]] = []
    while len(first) < MAX_TIMEOUTS:
        first += await asyncio.gather(*map(timed, [orchestrator] * at_once))
    assert ANSWER_S * 0.9 < min(took for took, _ in first) < 2 * ANSWER_S
    assert {why for _, answer in first for why in whys(answer)} == {NO_ANSWER}
    later: list[tuple[float, RecommendationAnswer]] = []
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        later += await asyncio.gather(*map(timed, [orchestrator] * at_once))
        await asyncio.sleep(0.02)
    assert {why for _, answer in later for why in whys(answer)} == {LEFT_ALONE}
    assert statistics.median(took for took, _ in later) < ANSWER_S / 2
    os.kill(service[1], signal.SIGCONT)
    await back(orchestrator)
