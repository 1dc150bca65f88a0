"""A small HTTP/1.1 load generator: kept connections, requests made beforehand, bounded in time.

It shares the cores with what it measures, so it does little a request: it writes prepared bytes,
finds the end of the answer by its Content-Length, and looks for two strings in the body.
"""

import asyncio
import itertools
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import orjson

PATIENCE_S = 15.0
"""A request that takes longer ends the run: the server hangs."""
_DEGRADED = b'"degraded":true'
_ROUTE = b'"route":"'


@dataclass
class Measured:
    """Results of one run of the load generator; latencies in seconds, in order of arrival."""

    connections: int
    seconds: float = 0.0
    own_cpu: float = 0.0
    """Seconds of a core that the load generator itself took."""
    latencies: list[float] = field(default_factory=list)
    errors: int = 0
    degraded: int = 0
    routes: Counter[str] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def quantile_ms(self, share: float) -> float:
        """Return the latency in ms below which `share` of the answers came."""
        return quantile(self.latencies, share) * 1000


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of the values do not exceed; nan: none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def rendered(
    url: str,
    method: str,
    path: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return a request as it goes over the wire."""
    content = b"" if body is None else orjson.dumps(body)
    head = f"{method} {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    return head.encode() + b"\r\n" + content


async def load(
    url: str, requests: Iterable[bytes], connections: int, seconds: float, count: int = 1_000_000
) -> Measured:
    """Send requests over kept connections, each its next as soon as the last is answered.

    Ends after `seconds` or `count` requests, whichever comes first, or when `requests` end.
    """
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    measured = Measured(connections)
    clients: list[_Client] = []
    source = itertools.islice(iter(requests), count)
    for _ in range(connections):
        _, client = await loop.create_connection(
            lambda: _Client(measured, lambda: next(source, None)),
            parts.hostname or "",
            parts.port or 80,
        )
        clients.append(client)
    started, cpu = time.perf_counter(), time.process_time()
    for client in clients:
        client.start(started + seconds)
    try:
        async with asyncio.timeout(seconds + PATIENCE_S):
            await asyncio.gather(*(client.done for client in clients))
    except TimeoutError:
        measured.errors += sum(not client.done.done() for client in clients)
    measured.seconds = time.perf_counter() - started
    measured.own_cpu = time.process_time() - cpu
    for client in clients:
        client.close()
    return measured


class _Client(asyncio.Protocol):
    """One connection, with one request under way at a time."""

    def __init__(self, measured: Measured, take: Callable[[], bytes | None]) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._measured, self._take = measured, take
        self._transport: asyncio.WriteTransport | None = None
        self._buffer = b""
        self._end = 0
        self._until = self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def start(self, until: float) -> None:
        """Send the first request; the last is sent before `until`."""
        self._until = until
        self._next()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._end:
            self._end = _end_of(self._buffer)
        if self._end and len(self._buffer) >= self._end:
            self._answered(time.perf_counter())

    def connection_lost(self, _: Exception | None) -> None:
        if not self.done.done():
            self._measured.errors += 1
            self.done.set_result(None)

    def _answered(self, now: float) -> None:
        answer, measured = self._buffer, self._measured
        self._buffer, self._end = b"", 0
        measured.latencies.append(now - self._sent)
        if answer[9:10] != b"2":
            measured.errors += 1
        elif (at := answer.find(_ROUTE)) >= 0:
            at += len(_ROUTE)
            measured.routes[answer[at : answer.find(b'"', at)].decode()] += 1
            measured.degraded += _DEGRADED in answer
        self._next()

    def _next(self) -> None:
        request = self._take() if time.perf_counter() < self._until else None
        if request is None or self._transport is None:
            if not self.done.done():
                self.done.set_result(None)
            return
        self._sent = time.perf_counter()
        self._transport.write(request)


def _end_of(buffer: bytes) -> int:
    """Return where an answer ends; 0 while its head is not complete."""
    head_end = buffer.find(b"\r\n\r\n")
    if head_end < 0:
        return 0
    head = buffer[:head_end].lower()
    at = head.find(b"content-length:")
    if at < 0:
        return head_end + 4
    return head_end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0])
