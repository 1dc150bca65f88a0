"""Which of Redis's answers mean that it cannot answer now, and which that we asked wrongly."""

from typing import Any

import redis

from marquee.errors import StoreUnavailable

_REFUSALS = (
    "OOM ", "MISCONF", "READONLY", "BUSY ", "NOREPLICAS", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN",
)  # fmt: skip
"""With these codes a server refuses whatever it is told: its memory or disk is full, and so on."""


def answered(call: Any) -> Any:
    """Return what a call returns; StoreUnavailable when the server cannot answer for now."""
    try:
        return call()
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        raise StoreUnavailable(f"Redis: {error}") from None
    except redis.ResponseError as error:
        if _not_now(error):
            raise StoreUnavailable(f"Redis: {type(error).__name__}: {error}") from None
        raise


def _not_now(error: redis.ResponseError) -> bool:
    """Tell a server that takes no writes for now from a command that is wrong.

    The client turns some of the codes into classes; within a script they stay text.
    """
    if isinstance(error, (redis.exceptions.OutOfMemoryError, redis.exceptions.ReadOnlyError)):
        return True
    return any(code in str(error)[:100] for code in _REFUSALS)
