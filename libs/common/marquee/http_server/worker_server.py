"""The server of a worker: it shows its supervisor that the event loop turns."""

import asyncio
import socket
from typing import Final, cast

import uvicorn

from marquee import telemetry
from marquee.app_worker import AppWorker
from marquee.http_server.acceptor import Acceptor
from marquee.http_server.connections import Connections
from marquee.http_server.draining import Draining, DrainingServer
from marquee.http_server.open_counts import OpenCount
from marquee.http_server.ready_first import ReadyFirst

_TICKS: Final = 5
"""Ticks of uvicorn, of a tenth of a second, between two signs of life."""


class WorkerServer(DrainingServer):
    """A server on sockets that other workers accept from too."""

    def __init__(
        self,
        config: uvicorn.Config,
        draining: Draining,
        pause_s: float,
        worker: AppWorker,
        connections: Connections,
        count: OpenCount,
    ) -> None:
        """Set the parts.

        Args:
            config: Configuration, whose app is `draining`; a worker that has to be ready before it
                accepts puts another one around it.
            draining: The app, which answers the readiness.
            pause_s: Seconds between the signal and the end of accepting.
            worker: What the supervisor has told.
            connections: The open connections of this worker.
            count: The number of those, which the other workers see.
        """
        super().__init__(config, draining, pause_s)
        self._worker, self._connections, self._count = worker, connections, count
        if worker.ready_within_s:
            within_s = worker.ready_within_s
            config.app = ReadyFirst(draining, within_s, lambda: self.should_exit)
        telemetry.WORKER_STARTS.inc()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the parts of the app, then accept."""
        await super().startup(sockets=[])
        for each in sockets or []:
            each.listen(self.config.backlog)
        self._on_accepted(0)
        accepting = [
            Acceptor(each, self._make_protocol, self._count.exceeds_another, self._on_accepted)
            for each in sockets or []
        ]
        self.servers += cast("list[asyncio.Server]", accepting)

    def _make_protocol(self) -> asyncio.Protocol:
        """Return the protocol of a connection, as uvicorn makes it."""
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            _loop=asyncio.get_running_loop(),
        )

    def _on_accepted(self, handing_over: int) -> None:
        self._count.tell(len(self._connections) + handing_over)

    async def on_tick(self, counter: int) -> bool:
        """Give a sign of life now and then."""
        if counter % _TICKS == 0:
            self._worker.beat()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain and finish; from here on no sign of life is waited for.

        Where the others go on, it accepts no more at once: they do, and nobody who connects could
        know that this one is about to end. It answers on what it has accepted as long as it drains.
        """
        self._worker.beat_file.unlink(missing_ok=True)
        if self._worker.stops_alone:
            for server in self.servers:
                server.close()
            self._count.withdraw()
        await super().shutdown(sockets)
        self._worker.clean_up()
