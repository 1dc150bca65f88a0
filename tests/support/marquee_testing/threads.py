"""Loops in threads, for as long as a block runs."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Loop = Callable[[threading.Event], Any]
"""Runs until the event is set."""
_END_S = 60


@contextmanager
def looping(loops: Sequence[Loop]) -> Iterator[None]:
    """Run loops, each in a thread, until the block ends; all of them have to end then."""
    stop = threading.Event()
    threads = [threading.Thread(target=loop, args=(stop,)) for loop in loops]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(_END_S)
            assert not thread.is_alive()
