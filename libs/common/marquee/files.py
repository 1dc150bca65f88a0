"""Atomic file writing, and file locks between processes.

Temporary names are random, not process ids: writers in two containers may both be process 1.
"""

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_STALE_S = 3600.0


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Yield an unused path in the folder of `path`, to be written and renamed to `path`.

    The folder is created. A file or directory still at the temporary path is deleted at the end.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield part
    finally:
        delete(part)


def replace_file(path: Path, content: str | bytes) -> None:
    """Write a file so that readers see its old content or the new one, never a part of it."""
    with staged(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        part.replace(path)


def sync(path: Path) -> None:
    """Force a file or directory onto the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def delete(path: Path) -> None:
    """Delete a file or directory; that it is gone already is no error."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def delete_stale(folder: Path) -> None:
    """Delete the temporary files of `folder` that are older than an hour: their writers died."""
    for path in folder.glob(".*.tmp"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _STALE_S:
                delete(path)


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[int]:
    """Hold the exclusive lock of a lock file, which is created with its folder.

    Yields the file descriptor. The kernel frees the lock when every process that has the descriptor
    has closed it or ended, whatever killed it.

    Raises:
        BlockingIOError: `wait` is False and another process or thread holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield file.fileno()


def is_locked(path: Path) -> bool:
    """Return whether a process holds the exclusive lock of a lock file."""
    try:
        with path.open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
