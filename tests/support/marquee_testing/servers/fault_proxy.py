"""TCP proxy that injects network faults: delay, partition, reset, a lost reply."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

_CHUNK = 1 << 16
_LINGER = struct.pack("ii", 1, 0)
"""Closing so sends a reset instead of the end of the stream."""


class Link:
    """One address that leads to one server. Everything may be set from any thread, at any time.

    `delay_up` and `delay_down` are seconds that each piece of a request or a reply waits.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, target: tuple[str, int]) -> None:
        self.port = 0
        self.delay_up = self.delay_down = 0.0
        self.lost_replies = 0
        """How many replies have been lost on purpose."""
        self._loop, self._target = loop, target
        self._refusing = False
        self._losing, self._about = 0, b""
        self._cut_at: bytes | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._connections: set[_Connection] = set()

    @property
    def address(self) -> str:
        """Address for clients, as `host:port`."""
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Hold back all bytes of both directions, as a network that is cut in two does."""
        self._call(self._flowing.clear)

    def cut_at(self, about: bytes) -> None:
        """Cut at the next request that holds `about`: the first that is held back."""
        self._cut_at = about

    def refuse(self) -> None:
        """Reset all connections, and each new one."""
        self._refusing = True
        self.reset()

    def reset(self) -> None:
        """Reset all connections of this moment."""
        self._call(self._abort_all)

    def lose_replies(self, n: int, about: bytes = b"") -> None:
        """Let the next n requests that hold `about` reach the server, and reset before the reply.

        The outcome is unknown to the client: the server has carried out the request.
        """
        self._losing, self._about = n, about

    def heal(self) -> None:
        """End every fault; held-back bytes are sent."""
        self.delay_up = self.delay_down = 0.0
        self._refusing, self._losing, self._cut_at = False, 0, None
        self._call(self._flowing.set)

    def _abort_all(self) -> None:
        for connection in tuple(self._connections):
            connection.abort()

    def _call(self, change: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(change)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until one of its ends is gone."""
        connection = _Connection(self, writer)
        self._connections.add(connection)
        try:
            if self._refusing:
                return
            # A cancelled task would make its stream log a stack trace (Python 3.11).
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._flowing.wait()
                await connection.carry(reader, *await asyncio.open_connection(*self._target))
        finally:
            connection.abort()
            self._connections.discard(connection)

    @property
    def is_cut(self) -> bool:
        """Whether bytes are held back."""
        return not self._flowing.is_set()

    async def pause(self, data: bytes, upward: bool) -> None:
        """Wait as long as the link delays a piece, or holds it back."""
        if upward and self._cut_at is not None and self._cut_at in data:
            self._flowing.clear()
        if delay := self.delay_up if upward else self.delay_down:
            await asyncio.sleep(delay)
        await self._flowing.wait()

    def dooms(self, request: bytes) -> bool:
        """Whether the reply to this request is to be lost."""
        if self._losing and self._about in request:
            self._losing -= 1
            return True
        return False


class _Connection:
    """A client's connection and the one to the server that belongs to it."""

    def __init__(self, link: Link, client: asyncio.StreamWriter) -> None:
        self._link, self._writers = link, [client]
        self._doomed = False

    async def carry(
        self,
        reader: asyncio.StreamReader,
        answers: asyncio.StreamReader,
        server: asyncio.StreamWriter,
    ) -> None:
        self._writers.append(server)
        ways = {
            asyncio.create_task(self._pump(reader, server, upward=True)),
            asyncio.create_task(self._pump(answers, self._writers[0], upward=False)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, upward: bool
    ) -> None:
        while data := await source.read(_CHUNK):
            if self._doomed and not upward:
                self._link.lost_replies += 1
                return
            await self._link.pause(data, upward)
            self._doomed = self._doomed or (upward and self._link.dooms(data))
            sink.write(data)
            await sink.drain()

    def abort(self) -> None:
        """Reset both ends."""
        for writer in self._writers:
            plug = writer.get_extra_info("socket")
            if plug is not None and plug.fileno() >= 0:
                plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
            writer.transport.abort()


class FaultProxy:
    """Links to servers, carried by a thread of their own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._servers: list[asyncio.Server] = []

    def link(self, address: str) -> Link:
        """Return a new link to a server, `host:port`; it is healthy, and listens on a free port."""
        host, _, port = address.rpartition(":")
        link = Link(self._loop, (host, int(port)))
        made = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(link.serve, "127.0.0.1", 0), self._loop
        )
        server = made.result(60)
        self._servers.append(server)
        link.port = server.sockets[0].getsockname()[1]
        return link

    def close(self) -> None:
        """Reset all connections and stop listening."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        others = asyncio.all_tasks(self._loop) - {asyncio.current_task(self._loop)}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


@contextlib.contextmanager
def fault_proxy() -> Iterator[FaultProxy]:
    """Yield a proxy that is closed at the end."""
    proxy = FaultProxy()
    try:
        yield proxy
    finally:
        proxy.close()
