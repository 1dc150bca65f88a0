"""Child processes that end with their parent, even if it is killed."""

import os
import sys
import threading
from collections.abc import Callable


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
