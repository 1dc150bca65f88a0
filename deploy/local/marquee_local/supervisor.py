"""Supervisor of processes: restarts a dead one after 0.2 s, with back-off up to 5 s."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from marquee.child_process import die_with_parent

FIRST_DELAY, LAST_DELAY = 0.2, 5.0
STEADY_SECONDS = 10.0
"""A process that lived so long starts again at the first delay."""


@dataclass
class Child:
    """A process to keep running; its output goes to a log file."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    delay: float = FIRST_DELAY
    restarts: int = field(default=0)

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent,
            )
        self.started = time.monotonic()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        if self.process is not None and self.running:
            self.process.send_signal(number)


class Supervisor:
    """Starts children in order, restarts those that die, and stops them in reverse."""

    def __init__(self, logs: Path, say: Callable[[str], None]) -> None:
        self.children: list[Child] = []
        self._logs, self._say = logs, say
        logs.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> Child:
        """Start a child now and keep it running."""
        child = Child(name, command, environ, self._logs / f"{name}.log")
        child.start()
        self.children.append(child)
        return child

    def turn(self) -> None:
        """Check every child once; restart those whose back-off is over."""
        now = time.monotonic()
        for child in self.children:
            if child.running:
                continue
            if not child.due:
                self._schedule(child, now)
            if now >= child.due:
                child.due = 0.0
                child.restarts += 1
                child.start()

    def _schedule(self, child: Child, now: float) -> None:
        steady = now - child.started > STEADY_SECONDS
        child.delay = FIRST_DELAY if steady else min(child.delay * 2, LAST_DELAY)
        child.due = now + (FIRST_DELAY if child.restarts == 0 else child.delay)
        status = child.process.returncode if child.process else None
        self._say(f"{child.name} ended with status {status}, back in {child.due - now:.1f} s")

    def stop(self, seconds: float, last: Sequence[Child] = ()) -> None:
        """End all children within `seconds`; those in `last` only after the others."""
        deadline = time.monotonic() + seconds
        others = [child for child in self.children if child not in last]
        for group, share in ((others, 0.7), (list(last), 1.0)):
            end_all(group, deadline - seconds * (1 - share))


def end_all(children: Sequence[Child], deadline: float) -> None:
    """Ask children to end by SIGTERM, and kill those that have not by the deadline."""
    for child in children:
        child.signal(signal.SIGTERM)
    for child in children:
        if child.process is None:
            continue
        try:
            child.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()


def end_group(process: subprocess.Popen[bytes], seconds: float) -> None:
    """End a process and its group by SIGTERM, and by SIGKILL what is left after `seconds`."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def flush(folder: Path) -> None:
    """Have the kernel write to the disk what other processes have written to files of a folder."""
    for file in folder.glob("*"):
        with contextlib.suppress(OSError):  # it may be gone by now
            handle = os.open(file, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
