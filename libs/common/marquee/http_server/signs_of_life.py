"""Signs of life of a worker: its event loop touches a file, and the supervisor looks at it."""

import asyncio
from pathlib import Path
from typing import Final

_LOOKS: Final = 60


async def until_silent(file: Path, silent_s: float) -> None:
    """Return when a file that was once there has not been touched for some seconds.

    Looks are counted, and not the time between two changes: a machine that slept is no fault of the
    worker. A file that is away is not waited for: the worker starts, or drains.

    Args:
        file: The file that the worker touches.
        silent_s: Seconds after which it counts as standing still.
    """
    last, looks = 0, 0
    while looks < _LOOKS:
        await asyncio.sleep(silent_s / _LOOKS)
        touched = _touched(file)
        looks = looks + 1 if touched and touched == last else 0
        last = touched


def _touched(file: Path) -> int:
    """Return when a file was touched; 0: it is away."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
