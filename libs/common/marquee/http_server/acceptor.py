"""Acceptance of connections from a socket that workers share, so that each gets its part.

Servers of asyncio and uvloop take what waits in one turn: of connections that come at once, and are
kept, as those of a proxy or of another service are, the first process to wake would have all.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from marquee import telemetry

GRACE_S: Final = 0.002
"""Seconds for which a connection is left to workers with fewer; then any of them takes it."""
_NO_FILE_S: Final = 1.0
"""Pause after a connection could not be accepted, as there is no file left for it."""


class Acceptor:
    """Accepts one connection a turn; it has the part of a server of asyncio that uvicorn uses."""

    def __init__(
        self,
        listening: socket.socket,
        make_protocol: Callable[[], asyncio.Protocol],
        leaves: Callable[[], bool],
        accepted: Callable[[int], None],
    ) -> None:
        """Begin to accept, in the running event loop.

        Args:
            listening: The socket, which listens.
            make_protocol: Makes the protocol of a connection.
            leaves: Whether a connection is left to others for a moment.
            accepted: Is told of each connection, with the number of those not handed over yet.
        """
        self._loop = asyncio.get_running_loop()
        self._listening, self._make_protocol = listening, make_protocol
        self._leaves, self._accepted = leaves, accepted
        self._handing_over: set[asyncio.Task[object]] = set()
        self._later: asyncio.TimerHandle | None = None
        self._is_open = True
        listening.setblocking(False)
        self._watch()

    def close(self) -> None:
        """Accept no more; what was accepted goes on."""
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._listening)
            if self._later is not None:
                self._later.cancel()

    async def wait_closed(self) -> None:
        """Wait until what was accepted is with its protocol."""
        if self._handing_over:
            await asyncio.wait(self._handing_over)

    def _watch(self) -> None:
        self._loop.add_reader(self._listening, self._on_connection)

    def _on_connection(self) -> None:
        if self._leaves():
            self._pause(GRACE_S)
        else:
            self._accept()

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listening)
        self._later = self._loop.call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        self._watch()
        self._accept()

    def _accept(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another worker was faster, or the caller has left
        except OSError as error:
            telemetry.log.error("a connection cannot be accepted", detail=str(error))
            self._pause(_NO_FILE_S)
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        work = self._loop.connect_accepted_socket(self._make_protocol, connection)
        task: asyncio.Task[object] = self._loop.create_task(work)
        self._handing_over.add(task)
        task.add_done_callback(self._handed_over)
        self._accepted(len(self._handing_over))

    def _handed_over(self, task: asyncio.Task[object]) -> None:
        self._handing_over.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            telemetry.log.warning("a connection was lost at once", detail=str(error))
