"""Waits for conditions, under deadlines that only a broken system reaches."""

import asyncio
import os
import time
from collections.abc import Callable

PATIENCE = float(os.environ.get("TEST_PATIENCE", "1"))
"""Factor on every deadline of a wait and of a test, for a machine that is very slow or busy."""
DEADLINE_S = 90.0
_PAUSE_S = 0.01


def _pause() -> None:
    time.sleep(_PAUSE_S)


def until(
    condition: Callable[[], bool], seconds: float = DEADLINE_S, step: Callable[[], object] = _pause
) -> float:
    """Call `step` until the condition holds; return the seconds waited.

    Raises:
        AssertionError: The condition did not hold within `seconds`, times PATIENCE.
    """
    started = time.monotonic()
    while not condition():
        waited = time.monotonic() - started
        assert waited < seconds * PATIENCE, f"the condition did not hold within {waited:.1f} s"
        step()
    return time.monotonic() - started


async def until_async(condition: Callable[[], bool], seconds: float = DEADLINE_S) -> None:
    """Wait, as `until` does, while the event loop goes on."""
    started = time.monotonic()
    while not condition():
        waited = time.monotonic() - started
        assert waited < seconds * PATIENCE, f"the condition did not hold within {waited:.1f} s"
        await asyncio.sleep(_PAUSE_S / 2)
