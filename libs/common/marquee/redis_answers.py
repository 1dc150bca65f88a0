"""What Redis answers, or why it does not: trouble of the server is no fault of what was asked."""

from typing import Any

import redis

from marquee.errors import StoreUnavailable

_UNABLE = (redis.OutOfMemoryError, redis.ReadOnlyError)
_UNABLE_WORDS = ("MISCONF", "OOM", "READONLY", "BUSY ", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN")
"""What a server says that cannot do it now, such as one whose disk is full: that passes."""


def answered(call: Any) -> Any:
    """Return what a call of the client returns; StoreUnavailable when Redis cannot do it now."""
    try:
        return call()
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        raise StoreUnavailable(f"Redis: {error}") from None
    except redis.ResponseError as error:
        if not (isinstance(error, _UNABLE) or str(error).startswith(_UNABLE_WORDS)):
            raise
        raise StoreUnavailable(f"Redis: {error}") from None
