"""The server of a worker: it shows its supervisor that the event loop turns."""

import socket
from typing import Final

import uvicorn

from marquee.app_worker import AppWorker
from marquee.http_server.draining import Draining, DrainingServer

_TICKS: Final = 5
"""Ticks of uvicorn, of a tenth of a second, between two signs of life."""


class WorkerServer(DrainingServer):
    """A server on sockets that other workers accept from too."""

    def __init__(
        self, config: uvicorn.Config, draining: Draining, pause_s: float, worker: AppWorker
    ) -> None:
        """Set the parts.

        Args:
            config: Configuration, whose app is `draining` or around it.
            draining: The app, which answers the readiness.
            pause_s: Seconds between the signal and the end of accepting.
            worker: What the supervisor has told.
        """
        super().__init__(config, draining, pause_s)
        self._worker = worker

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
        await super().shutdown(sockets)
        self._worker.clean_up()
