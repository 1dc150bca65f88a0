"""HTTP proxy that sends requests round robin to the backends that say they are ready.

`python -m marquee_testing.servers.round_robin JSON` with `port`, `backends` (ports of this machine)
and `interval_s` of the health checks. It does what nginx and HAProxy do by default for a write: it
sends one to another backend only where the connection was refused, before any byte went out. It
repeats no read either, so that every loss is seen: as a 502.
"""

import asyncio
import contextlib
import itertools
import json
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import uvloop

HEALTH = b"GET /health/ready HTTP/1.1\r\nhost: proxy\r\nconnection: close\r\n\r\n"
HEALTH_S = 2.0
"""A backend that says nothing for so long stays as it was: a busy one is not a stopped one."""
BACKENDS = "/proxy/backends"
"""Path at which the proxy itself tells the ports of the backends that are up."""
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_CONNECTION = re.compile(rb"\r\nconnection:[^\r]*", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection:\s*close", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:\s*chunked", re.IGNORECASE)
_LOST = (OSError, asyncio.IncompleteReadError)
_STREAM_LIMIT = 1 << 22


@dataclass(eq=False)
class Backend:
    """One server behind the proxy, and the idle connections to it."""

    port: int
    is_up: bool = False
    idle: list[Ends] = field(default_factory=list)

    async def connection(self) -> Ends:
        """Return a connection on which no request is under way.

        Raises:
            OSError: None can be made.
        """
        while self.idle:
            reader, writer = self.idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self.port, limit=_STREAM_LIMIT)

    async def check(self) -> None:
        """Ask whether the server is ready; one that is not keeps no idle connection."""
        ready = await self._says_ready()
        self.is_up = self.is_up if ready is None else ready
        if not self.is_up:
            for _, writer in self.idle:
                writer.close()
            self.idle.clear()

    async def _says_ready(self) -> bool | None:
        """Return whether the server says that it is ready; None: it says nothing in time."""
        try:
            async with asyncio.timeout(HEALTH_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                try:
                    writer.write(HEALTH)
                    return (await reader.readline())[9:12] == b"200"
                finally:
                    writer.close()
        except TimeoutError:
            return None
        except _LOST:
            return False


class RoundRobinProxy:
    """Carries requests over kept connections on both sides."""

    def __init__(self, ports: list[int], interval_s: float) -> None:
        self.backends = [Backend(port) for port in ports]
        self._interval_s = interval_s
        self._turns = itertools.count()

    async def watch(self, backend: Backend) -> None:
        """Check the health of a backend without end."""
        while True:
            await backend.check()
            await asyncio.sleep(self._interval_s)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry the requests of one client until it leaves."""
        try:
            # A cancelled task would make its stream log a stack trace (Python 3.11).
            with contextlib.suppress(*_LOST, asyncio.CancelledError):
                while True:
                    writer.write(await self._answer(await _message(reader, is_request=True)))
                    await writer.drain()
        finally:
            writer.close()

    async def _answer(self, request: bytes) -> bytes:
        if request.startswith(f"GET {BACKENDS} ".encode()):
            up = [backend.port for backend in self.backends if backend.is_up]
            return _own(b"200 OK", json.dumps(up).encode())
        for backend in self._in_turn():
            try:
                ends = await backend.connection()
            except OSError:
                continue  # no byte was sent
            try:
                return await _exchange(backend, ends, request)
            except _LOST:
                ends[1].close()
                return _own(b"502 Bad Gateway", b"the connection to the backend was lost")
        return _own(b"503 Service Unavailable", b"no backend is up")

    def _in_turn(self) -> Iterator[Backend]:
        first = next(self._turns) % len(self.backends)
        for backend in (*self.backends[first:], *self.backends[:first]):
            if backend.is_up:
                yield backend


async def _exchange(backend: Backend, ends: Ends, request: bytes) -> bytes:
    reader, writer = ends
    writer.write(request)
    answer = await _message(reader, is_request=False, bodiless=request.startswith(b"HEAD "))
    head_end = answer.find(b"\r\n\r\n")
    head = answer[:head_end]
    if _CLOSES.search(head) or not backend.is_up:
        writer.close()
    else:
        backend.idle.append(ends)
    # Connections are each side's own affair: the client's is kept.
    return _CONNECTION.sub(b"", head) + answer[head_end:]


async def _message(reader: asyncio.StreamReader, is_request: bool, bodiless: bool = False) -> bytes:
    """Return a whole request or response.

    Raises:
        IncompleteReadError: It ends too soon.
    """
    head = await reader.readuntil(b"\r\n\r\n")
    if not is_request and (bodiless or head[9:12] in (b"204", b"304")):
        return head
    if _CHUNKED.search(head):
        return head + b"".join([chunk async for chunk in _chunks(reader)])
    if length := _LENGTH.search(head):
        return head + await reader.readexactly(int(length[1]))
    return head if is_request else head + await reader.read()


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while True:
        size = await reader.readuntil(b"\r\n")
        yield size + await reader.readexactly(int(size.split(b";")[0], 16) + 2)
        if int(size.split(b";")[0], 16) == 0:
            return


def _own(status: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %s\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n"
    return head % (status, len(body)) + body


async def main(port: int, backends: list[int], interval_s: float) -> None:
    """Serve until SIGTERM."""
    proxy, stop = RoundRobinProxy(backends, interval_s), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    watches = [asyncio.create_task(proxy.watch(backend)) for backend in proxy.backends]
    await asyncio.start_server(proxy.serve, "127.0.0.1", port, limit=_STREAM_LIMIT, backlog=1024)
    await stop.wait()
    for watch in watches:
        watch.cancel()


if __name__ == "__main__":
    uvloop.run(main(**json.loads(sys.argv[1])))
