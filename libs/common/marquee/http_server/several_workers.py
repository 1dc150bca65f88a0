"""An app of several workers, from its start to its end."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
from typing import Final

from marquee.http_server.worker_supervisor import WorkerSupervisor

_IN_MEMORY: Final = "/dev/shm"  # noqa: S108  # nosec B108  # a folder of its own is made there


def supervise(sockets: list[socket.socket], workers: int) -> int:
    """Run this program as several workers until told to stop.

    A stop by SIGTERM ends this process by that signal, as it ends an app that serves alone.

    Args:
        sockets: The sockets of the app, bound.
        workers: Number of workers.

    Returns:
        The status to end with: 0, or that of a worker which refused to start.
    """
    command = [sys.executable, *sys.orig_argv[1:]]
    with tempfile.TemporaryDirectory(
        prefix="marquee-workers-", dir=_folder_in_memory(), ignore_cleanup_errors=True
    ) as folder:
        supervisor = WorkerSupervisor(command, sockets, workers, folder)
        asyncio.run(supervisor.run())
    if supervisor.signal == signal.SIGTERM and not supervisor.status:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)
    return supervisor.status


def _folder_in_memory() -> str | None:
    """Return the folder for files in memory; None: that for temporary files, as `TMPDIR` says.

    Workers write there with each request, and a disk that is busy would hold up their event loops.
    """
    is_there = os.access(_IN_MEMORY, os.W_OK | os.X_OK)
    return _IN_MEMORY if is_there and "TMPDIR" not in os.environ else None
