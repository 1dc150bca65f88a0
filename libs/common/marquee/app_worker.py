"""One of the processes that answer on the ports of an app: what its supervisor has told it."""

import contextlib
import functools
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from marquee.child_process import die_with_parent

VARIABLE: Final = "_MARQUEE_WORKER"
"""Environment variable in which a supervisor tells it; no setting."""
METRICS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable by which prometheus_client finds the files of several processes."""

STOP_FILE: Final = "stop"
"""File in the workers' folder that tells them that all of them stop."""
COUNTS_FILE: Final = "connections"
"""File in the workers' folder with the number of connections that each has open."""
_REFUSAL_FILE: Final = "refusal"


@dataclass(frozen=True)
class AppWorker:
    """A worker's place among the workers of an app.

    Attributes:
        number: Its number, from 1; a worker that takes another's place has the same.
        parent: The supervisor's process.
        sockets: Numbers of the inherited files that are the app's sockets, in their order.
        folder: Folder of what the workers of the app share: metrics and signs of life.
        is_first: Whether it has its number before any other: it starts with the app.
        ready_within_s: Seconds for which it does not accept while it is not ready; 0: it does not
            wait.
    """

    number: int
    parent: int
    sockets: tuple[int, ...]
    folder: str
    is_first: bool
    ready_within_s: float

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "AppWorker | None":
        """Return the worker that an environment tells of; None: it is that of no worker."""
        if VARIABLE not in environ:
            return None
        told = json.loads(environ[VARIABLE])
        return cls(**told | {"sockets": tuple(told["sockets"])})

    def environment(self) -> dict[str, str]:
        """Return the variables that tell a process that it is this worker."""
        return {VARIABLE: json.dumps(asdict(self)), METRICS_FOLDER: self.folder}

    @property
    def beat_file(self) -> Path:
        """The file whose time of change tells that the event loop turns."""
        return Path(self.folder) / f"beat_{self.number}"

    @property
    def counts_file(self) -> Path:
        """The file behind the numbers of open connections of all workers."""
        return Path(self.folder) / COUNTS_FILE

    @property
    def is_orphan(self) -> bool:
        """Whether the supervisor has ended before this process."""
        return os.getppid() != self.parent

    @property
    def stops_alone(self) -> bool:
        """Whether the others go on when this one stops."""
        return not (Path(self.folder) / STOP_FILE).exists() and not self.is_orphan

    def processes(self) -> list[int]:
        """Return the supervisor's process and those of all workers; none where nothing tells."""
        try:
            children = Path(f"/proc/{self.parent}/task/{self.parent}/children").read_text()
        except OSError:
            return []
        return [self.parent, *map(int, children.split())]

    def follow_parent(self) -> None:
        """Be told to stop when the supervisor ends; end at once where it has ended already."""
        die_with_parent(signal.SIGTERM)
        if self.is_orphan:
            sys.exit(1)

    def open_sockets(self) -> list[socket.socket]:
        """Return the inherited sockets."""
        return [socket.socket(fileno=number) for number in self.sockets]

    def beat(self) -> None:
        """Show that the event loop turns."""
        with contextlib.suppress(OSError):
            self.beat_file.touch()

    def is_to_tell(self) -> bool:
        """Return whether this process is to print why it refuses to start.

        All workers that start with the app refuse for the same reason: the first of them says it.
        """
        if not self.is_first:
            return True
        try:
            (Path(self.folder) / _REFUSAL_FILE).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def clean_up(self) -> None:
        """Remove its files where no supervisor will, and the folder with the last of them."""
        if self.is_orphan:
            folder = Path(self.folder)
            for file in folder.glob(f"*_{self.number}.db"):
                file.unlink(missing_ok=True)
            if not any(folder.glob("*.db")):
                shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def this_worker() -> AppWorker | None:
    """Return what this process is told; None: it serves alone."""
    return AppWorker.read(os.environ)
