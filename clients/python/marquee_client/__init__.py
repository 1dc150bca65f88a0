"""Client of Marquee's HTTP API for back ends: typed, with retries, sync and async."""

from marquee_client.aio.client import AsyncMarquee
from marquee_client.errors import (
    BadRequest,
    Conflict,
    FollowingEnded,
    Forbidden,
    InvalidInput,
    MarqueeError,
    NoAnswer,
    NotFound,
    RateLimited,
    Refused,
    ServerFault,
    TimedOut,
    Unauthorized,
    Unavailable,
    UnreadableAnswer,
)
from marquee_client.options import LAST_WRITE
from marquee_client.retries import Retries
from marquee_client.sync.client import Marquee

__all__ = [
    "LAST_WRITE",
    "AsyncMarquee",
    "BadRequest",
    "Conflict",
    "FollowingEnded",
    "Forbidden",
    "InvalidInput",
    "Marquee",
    "MarqueeError",
    "NoAnswer",
    "NotFound",
    "RateLimited",
    "Refused",
    "Retries",
    "ServerFault",
    "TimedOut",
    "Unauthorized",
    "Unavailable",
    "UnreadableAnswer",
]
