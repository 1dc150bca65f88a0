"""The workers behind a port, seen from outside: their processes, and which has a connection."""

import contextlib
import http.client
import json
import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marquee_testing.waiting import until

_PROC = Path("/proc")


@dataclass(frozen=True)
class Answer:
    """An answer of a worker."""

    status: int
    headers: dict[str, str]
    data: Any


class Connection:
    """A connection that is kept, so that one worker answers all of its requests."""

    def __init__(self, port: int, headers: dict[str, str] | None = None) -> None:
        """Connect.

        Args:
            port: A port of this machine.
            headers: Headers of every request.
        """
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._http.connect()
        self._headers = headers or {}

    def ask(self, path: str, method: str = "GET", body: object = None) -> Answer:
        """Return the answer to a request, whose body is sent as JSON."""
        text = None if body is None else json.dumps(body)
        self._http.request(method, path, text, {"content-type": "application/json"} | self._headers)
        return self.answer()

    def begin(self, path: str, headers: dict[str, str] | None = None) -> None:
        """Send a request, whose answer is not waited for."""
        self._http.request("GET", path, headers={**self._headers, **(headers or {})})

    def answer(self) -> Answer:
        """Return the answer to the request that was sent."""
        answer = self._http.getresponse()
        data, headers = answer.read(), {k.lower(): v for k, v in answer.getheaders()}
        is_json = "json" in headers.get("content-type", "")
        return Answer(answer.status, headers, json.loads(data) if is_json else data.decode())

    def worker(self, supervisor: int) -> int | None:
        """Return the process of the worker that has accepted it; None: none has yet."""
        inode = _accepted_inode(self._http.sock)
        for pid in worker_pids(supervisor):
            with contextlib.suppress(OSError):
                if inode and any(_links_to(pid, inode)):
                    return pid
        return None

    def close(self) -> None:
        self._http.close()


def worker_pids(supervisor: int) -> list[int]:
    """Return the processes that a supervisor has started and that run, the oldest first."""
    text = (_PROC / f"{supervisor}/task/{supervisor}/children").read_text()
    return [int(pid) for pid in text.split()]


@contextlib.contextmanager
def connection_to(
    pid: int, supervisor: int, port: int, headers: dict[str, str] | None = None
) -> Iterator[Connection]:
    """Yield a connection that a certain worker has accepted: the others stand meanwhile."""
    others = [other for other in worker_pids(supervisor) if other != pid]
    for other in others:
        os.kill(other, signal.SIGSTOP)
    try:
        made = Connection(port, headers)
        until(lambda: made.worker(supervisor) == pid)
    finally:
        for other in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(other, signal.SIGCONT)
    with contextlib.closing(made):
        yield made


def has_ended(pid: int) -> bool:
    """Return whether a process has ended, whoever waits for it."""
    try:
        return (_PROC / f"{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _accepted_inode(connection: socket.socket) -> str:
    """Return the inode of the other end of a connection on this machine, "" before it is taken."""
    here, there = connection.getsockname()[1], connection.getpeername()[1]
    for line in (_PROC / "net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        local, remote = (int(fields[i].rpartition(":")[2], 16) for i in (1, 2))
        if (local, remote) == (there, here) and fields[9] != "0":
            return fields[9]
    return ""


def _links_to(pid: int, inode: str) -> Iterator[bool]:
    for file in (_PROC / f"{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            yield os.readlink(file) == f"socket:[{inode}]"
