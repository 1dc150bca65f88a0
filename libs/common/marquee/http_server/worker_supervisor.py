"""Supervision of the workers of an app, which accept connections from the same sockets.

The supervisor binds the sockets, answers nothing itself, and starts a worker again that ends. The
first worker that serves makes the sockets listen: before that a connection is refused, as it is
where an app serves alone.
"""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

from marquee import telemetry
from marquee.app_worker import COUNTS_FILE, STOP_FILE, AppWorker
from marquee.http_server.open_counts import OpenCount, create_counts
from marquee.http_server.signs_of_life import until_silent

SETTLED_S = 10.0
"""A worker that has lived for so long is started again at once."""
PAUSES_S = (0.5, 30.0)
"""The first pause before a worker that ended early starts again, and the longest."""
READY_S = 20.0
"""Seconds that a worker which starts while others serve may take until it is ready."""
SILENT_S = 60.0
"""Seconds without a sign of life after which a worker is killed."""


class WorkerSupervisor:
    """Keeps a number of workers running until it is told to stop."""

    def __init__(
        self,
        command: Sequence[str],
        sockets: list[socket.socket],
        workers: int,
        folder: str,
        silent_s: float = SILENT_S,
    ) -> None:
        """Start nothing yet.

        Args:
            command: Program and arguments of a worker.
            sockets: The sockets of the app, bound; they are closed when the stop begins.
            workers: Number of workers.
            folder: Folder of what the workers share.
            silent_s: Seconds without a sign of life after which a worker is killed.
        """
        self._command, self._sockets, self._workers = command, sockets, workers
        self._folder, self._silent_s = folder, silent_s
        create_counts(Path(folder) / COUNTS_FILE, workers)
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._stop = asyncio.Event()
        self.signal: int | None = None
        self.status = 0

    async def run(self) -> None:
        """Keep the workers running; return when all have ended."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        await asyncio.gather(*map(self._keep, range(1, self._workers + 1)))

    def _on_signal(self, number: int) -> None:
        if self.signal is None:
            self.signal = number
            self._end()
        else:  # the second one ends them at once: each of them knows that
            self._send(number)

    def _end(self) -> None:
        """Let all workers drain and end."""
        self._stop.set()
        (Path(self._folder) / STOP_FILE).touch()
        # With the last worker that closes them nobody listens any more.
        for each in self._sockets:
            each.close()
        self._send(signal.SIGTERM)

    def _send(self, number: int) -> None:
        for process in self._running.values():
            _tell(process, number)

    async def _keep(self, number: int) -> None:
        """Have one worker running: start it again when it ends, after a pause if that is early."""
        is_first, pause_s = True, 0.0
        while not self._stop.is_set():
            began = time.monotonic()
            status, has_served = await self._run(number, is_first)
            if self._stop.is_set():
                return
            if is_first and status > 0 and not has_served:
                # As where an app serves alone: what starts it again, or an operator, sees it end.
                self.status = status
                return self._end()
            lived_s, (least_s, most_s) = time.monotonic() - began, PAUSES_S
            pause_s = 0 if lived_s > SETTLED_S else min(max(2 * pause_s, least_s), most_s)
            telemetry.log.error(
                "a worker has ended, and is started again",
                worker=number, how=_told(status), lived_s=round(lived_s, 1), after_s=pause_s,
            )  # fmt: skip
            is_first = False
            await self._stops_within(pause_s)

    async def _run(self, number: int, is_first: bool) -> tuple[int, bool]:
        """Run a worker; return its status once it has ended, and whether it has served."""
        ready_s = READY_S if self._running and not is_first else 0.0
        files = tuple(each.fileno() for each in self._sockets)
        worker = AppWorker(number, os.getpid(), files, self._folder, is_first, ready_s)
        try:
            process = await self._start(worker)
        except OSError as error:
            telemetry.log.error("a worker cannot be started", worker=number, detail=str(error))
            return os.EX_OSERR, False
        self._running[number] = process
        if self._stop.is_set():
            _tell(process, signal.SIGTERM)
        watch = asyncio.create_task(self._watch(worker, process))
        status = await process.wait()
        watch.cancel()
        del self._running[number]
        # Its gauges of now are gone with it; what it counted stays, and its successor counts on.
        mark_process_dead(number, self._folder)  # type: ignore[no-untyped-call]
        OpenCount(worker.counts_file, number).withdraw()
        has_served = worker.beat_file.exists()
        worker.beat_file.unlink(missing_ok=True)
        return status, has_served

    async def _start(self, worker: AppWorker) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self._command,
            env={**os.environ, **worker.environment()},
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=worker.sockets,
            process_group=0,  # Ctrl-C is for the supervisor, which passes it on once
        )

    async def _watch(self, worker: AppWorker, process: asyncio.subprocess.Process) -> None:
        """Kill a worker whose event loop stands: it holds connections, and answers none."""
        await until_silent(worker.beat_file, self._silent_s)
        telemetry.log.error("a worker gives no sign of life, and is killed", worker=worker.number)
        _tell(process, signal.SIGKILL)

    async def _stops_within(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


def _tell(process: asyncio.subprocess.Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        process.send_signal(number)


def _told(status: int) -> str:
    """Return in words how a process has ended."""
    return f"status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"
