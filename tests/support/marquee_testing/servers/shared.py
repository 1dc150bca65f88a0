"""A server that the worker processes of one test run share."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def shared_server(directory: Path, run: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """Yield the address of the one server shared by all processes that name `directory`.

    The first process starts it by `run`, and stops it once no other holds it. A process that dies
    holds nothing any more: the kernel gives its lock back.
    """
    directory.mkdir(parents=True, exist_ok=True)
    address = directory / "address"
    with ExitStack() as stack:
        holders = stack.enter_context((directory / "holders").open("w"))
        with _locked(directory):
            if not address.exists():
                address.write_text(stack.enter_context(run()))
                stack.callback(_leave, directory, holders, address)
            fcntl.flock(holders, fcntl.LOCK_SH)
        yield address.read_text()
        fcntl.flock(holders, fcntl.LOCK_UN)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _leave(directory: Path, holders: IO[str], address: Path) -> None:
    """Wait until no process holds the server, and forget its address."""
    while address.exists():
        with _locked(directory), suppress(BlockingIOError):
            fcntl.flock(holders, fcntl.LOCK_EX | fcntl.LOCK_NB)
            address.unlink()
        time.sleep(0.1)
