"""An app of several workers, from its start to its end."""

import asyncio
import signal
import socket
import sys
import tempfile

from marquee.http_server.worker_supervisor import WorkerSupervisor


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
        prefix="marquee-workers-", ignore_cleanup_errors=True
    ) as folder:
        supervisor = WorkerSupervisor(command, sockets, workers, folder)
        asyncio.run(supervisor.run())
    if supervisor.signal == signal.SIGTERM and not supervisor.status:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)
    return supervisor.status
