"""Child processes that end with their parent, even if it is killed."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Have the kernel send this process a signal when the thread that started it ends.

    Linux alone can; elsewhere nothing happens.
    """
    with contextlib.suppress(AttributeError):
        _LIBC.prctl(_PR_SET_PDEATHSIG, number)


def exit_after(wait: Callable[[], object]) -> None:
    """Start a thread that calls `wait`, then ends this process at once with status 1."""

    def run() -> None:
        wait()
        os._exit(1)

    threading.Thread(target=run, daemon=True).start()


def wait_for_end_of_input() -> None:
    """Read standard input until the parent, which holds the other end, closes it or dies."""
    while os.read(sys.stdin.fileno(), 4096):  # not through the buffer: its lock outlives threads
        pass
