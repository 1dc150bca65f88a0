"""Whatever the services answer, or do not: each call of the API."""

import contextlib
from collections.abc import Iterator

import pytest

from marquee.bus.redis.bus import RedisBus
from marquee_local.servers import free_port
from marquee_testing.causes import table
from marquee_testing.causes.outcomes import AT_ONCE, send_all
from marquee_testing.causes.services import WAYS, impostor
from marquee_testing.causes.subject import settings_of, subject

SERVICES = ("content", "hybrid", "user_model", "neural", "trainer")


@contextlib.contextmanager
def answering(way: str) -> Iterator[int]:
    """Yield a port at which all services are in one state."""
    port = free_port()
    with contextlib.nullcontext() if way == "refused" else impostor(port, way):
        yield port


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.replace(" ", "-"))
async def test_each_call_has_its_answer(redis_url: str, namespace: str, way: str) -> None:
    with answering(way) as port:
        urls = {f"{name}_url": f"http://127.0.0.1:{port}" for name in SERVICES}
        settings = settings_of(redis_url, namespace, **urls)
        async with subject(settings, RedisBus(redis_url, namespace), redis_url) as one:
            await one.recover()
            at_once = AT_ONCE if way in ("silent", "drop by drop") else 4
            outcomes = await send_all(one.client, one.calls, way, at_once)
            assert outcomes.faults == []
            assert one.health.ready
            column = table.column(WAYS[way], None, outcomes.cells)
            table.compare("services", way, column)
