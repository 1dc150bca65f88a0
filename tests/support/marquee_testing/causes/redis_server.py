"""A Valkey server that is brought into states: by settings, signals, limits, other modes."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from marquee_local import servers
from marquee_testing.servers.fault_proxy import Link
from marquee_testing.waiting import until

_BUS = 10_000
"""A node in cluster mode listens on its port plus this, too."""


def _port_of_a_node() -> int:
    """Return a free port whose bus is free, both below those of outgoing connections."""
    while True:
        port = servers.free_port()
        with socket.socket() as probe, contextlib.suppress(OSError):
            if port + _BUS < 32_000:
                probe.bind(("127.0.0.1", port + _BUS))
                return port


class TroubledRedis:
    """A server on one port; each mode that it is started in has a folder of data of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.port = directory, _port_of_a_node()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Process id of the server."""
        assert self._process is not None
        return self._process.pid

    def start(self, *options: str, mode: str = "usual", ready: bool = True) -> None:
        """Start the server in a mode; `ready`: wait until it takes commands."""
        command = servers.valkey_command(self.directory / mode, self.port)
        # Past the limit of a file's size a write fails, as on a full disk, and does not kill.
        self._process = subprocess.Popen(
            [*command, *options],
            stdin=subprocess.DEVNULL,
            preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN) and None,
        )
        until(self._answers if ready else self._listens)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the server by a signal; its data stay."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(60)

    @contextlib.contextmanager
    def instead(self, *options: str, mode: str, ready: bool = True) -> Iterator[None]:
        """Run another server at the same port for the time of the context."""
        self.stop()
        self.start(*options, mode=mode, ready=ready)
        try:
            yield
        finally:
            self.stop(signal.SIGKILL)
            self.start()

    @contextlib.contextmanager
    def client(self, port: int = 0) -> Iterator[Any]:
        """Lend a client that never tries again by itself."""
        with redis.Redis(
            port=port or self.port, socket_timeout=20, retry=Retry(NoBackoff(), 0)
        ) as client:
            yield client

    def limit_files(self, size: int | None) -> None:
        """Let no file grow beyond a size in bytes; None: no limit."""
        hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))

    def signal(self, number: int) -> None:
        """Send a signal to the server."""
        os.kill(self.pid, number)

    def _answers(self) -> bool:
        with self.client() as client, contextlib.suppress(redis.RedisError):
            return bool(client.ping())
        return False

    def _listens(self) -> bool:
        with self.client() as client:
            try:
                client.ping()
            except redis.exceptions.BusyLoadingError:
                return True
            except redis.RedisError:
                return False
            return True


@dataclass
class Bench:
    """What a cause works on: the server, a network link to it, and an admin's connection."""

    server: TroubledRedis
    link: Link
    admin: Any
    """A connection that was there before the cause, and may mend it."""
