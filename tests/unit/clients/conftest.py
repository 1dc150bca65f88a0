"""Both clients of Python, called alike."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from marquee_client import AsyncMarquee, Marquee

Handler = Callable[[httpx.Request], httpx.Response]


class Caller:
    """A client whose coroutines are run to their end, and whose pages are collected."""

    def __init__(self, client: Any, runner: asyncio.Runner | None) -> None:
        self._client, self._runner = client, runner

    def __call__(self, name: str, *args: Any, **options: Any) -> Any:
        result = getattr(self._client, name)(*args, **options)
        if self._runner is None:
            return list(result) if hasattr(result, "__next__") else result
        return self._runner.run(_ended(result))

    def close(self) -> None:
        self("close" if self._runner is None else "aclose")


async def _ended(result: Any) -> Any:
    return [page async for page in result] if hasattr(result, "__anext__") else await result


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def client_of(request: pytest.FixtureRequest) -> Iterator[Callable[..., Caller]]:
    """Make a client over a handler of requests."""
    with ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner()) if request.param else None

        def made(handler: Handler, **options: Any) -> Caller:
            kind: Any = AsyncMarquee if request.param else Marquee
            transport = httpx.MockTransport(handler)
            client = kind("http://gateway/films", transport=transport, **options)
            caller = Caller(client, runner)
            stack.callback(caller.close)
            return caller

        yield made
