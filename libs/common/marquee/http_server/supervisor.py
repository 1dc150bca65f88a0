"""Supervision of the workers of an app, which accept connections from the same sockets.

The supervisor binds the sockets, answers nothing itself, and starts a worker again that ends. The
first worker that serves makes the sockets listen: before that a connection is refused, as it is
where an app serves alone.
"""

import asyncio
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

from marquee import telemetry
from marquee.app_worker import STOP_FILE, AppWorker

SETTLED_S = 10.0
"""A worker that has lived for so long is started again at once."""
PAUSES_S = (0.5, 30.0)
"""The first pause before a worker that ended early starts again, and the longest."""
READY_S = 20.0
"""Seconds that a worker which starts while others serve may take until it is ready."""
STUCK_S = 60
"""Seconds without a sign of life after which a worker is killed."""


class Supervisor:
    """Keeps a number of workers running until it is told to stop."""

    def __init__(
        self,
        command: Sequence[str],
        sockets: list[socket.socket],
        workers: int,
        folder: str,
        refusals: Collection[int],
        stuck_s: float = STUCK_S,
    ) -> None:
        """Start nothing yet.

        Args:
            command: Program and arguments of a worker.
            sockets: The sockets of the app, bound; they are closed when the stop begins.
            workers: Number of workers.
            folder: Folder of what the workers share.
            refusals: Statuses of a worker that will not start by another try.
            stuck_s: Seconds without a sign of life after which a worker is killed.
        """
        self._command, self._sockets, self._workers = command, sockets, workers
        self._folder, self._refusals, self._stuck_s = folder, refusals, stuck_s
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
            process.send_signal(number)

    async def _keep(self, number: int) -> None:
        """Have one worker running: start it again when it ends, after a pause if that is early."""
        is_first, pause_s = True, 0.0
        while not self._stop.is_set():
            began = time.monotonic()
            status = await self._run(number, is_first)
            if self._stop.is_set():
                return
            if is_first and status in self._refusals:
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

    async def _run(self, number: int, is_first: bool) -> int:
        """Run a worker; return its status once it has ended."""
        ready_s = READY_S if self._running and not is_first else 0.0
        files = tuple(each.fileno() for each in self._sockets)
        worker = AppWorker(number, os.getpid(), files, self._folder, is_first, ready_s)
        process = await asyncio.create_subprocess_exec(
            *self._command,
            env={**os.environ, **worker.environment()},
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=files,
            process_group=0,  # Ctrl-C is for the supervisor, which passes it on once
        )
        self._running[number] = process
        if self._stop.is_set():
            process.send_signal(signal.SIGTERM)
        watch = asyncio.create_task(self._watch(worker, process))
        status = await process.wait()
        watch.cancel()
        del self._running[number]
        # Its gauges of now are gone with it; what it counted stays, and its successor counts on.
        mark_process_dead(number, self._folder)  # type: ignore[no-untyped-call]
        worker.beat_file.unlink(missing_ok=True)
        return status

    async def _watch(self, worker: AppWorker, process: asyncio.subprocess.Process) -> None:
        """Kill a worker whose event loop stands: it holds connections, and answers none.

        Looks are counted, and not the time between them: a machine that slept is no fault of it.
        """
        last, looks, every_s = 0, 0, self._stuck_s / 60
        while looks < 60:
            await asyncio.sleep(every_s)
            beat = worker.beat_file.stat().st_mtime_ns if worker.beat_file.exists() else 0
            looks = looks + 1 if beat == last and beat else 0
            last = beat
        telemetry.log.error("a worker gives no sign of life, and is killed", worker=worker.number)
        process.kill()

    async def _stops_within(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return


def supervise(sockets: list[socket.socket], workers: int, refusals: Collection[int]) -> int:
    """Run this program as several workers until told to stop.

    A stop by SIGTERM ends this process by that signal, as it ends an app that serves alone.

    Args:
        sockets: The sockets of the app, bound.
        workers: Number of workers.
        refusals: Statuses of a worker that will not start by another try.

    Returns:
        The status to end with: 0, or that of a worker which refused to start.
    """
    command = [sys.executable, *sys.orig_argv[1:]]
    with tempfile.TemporaryDirectory(
        prefix="marquee-workers-", ignore_cleanup_errors=True
    ) as folder:
        supervisor = Supervisor(command, sockets, workers, folder, refusals)
        asyncio.run(supervisor.run())
    if supervisor.signal == signal.SIGTERM and not supervisor.status:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)
    return supervisor.status


def _told(status: int) -> str:
    """Return in words how a process has ended."""
    return f"status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"
