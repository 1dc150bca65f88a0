"""Tokens of viewers' last writes, so that reads follow them."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from marquee_client.options import UserId


class WriteTokens:
    """The token of each viewer's last write, for a while; safe to share between threads.

    Where writes for one viewer overlap, the one that was answered last counts.
    """

    def __init__(
        self, viewers: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Make it empty.

        Args:
            viewers: How many viewers are remembered at most; those who wrote last stay.
            seconds: How long a token is remembered. By then every replica has the write, and a
                read that names no token may be answered with a list that the gateway has kept.
            clock: Seconds that never go back.
        """
        self._viewers, self._seconds, self._clock = viewers, seconds, clock
        self._tokens: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._tokens)

    def remember(self, user_id: UserId, token: str) -> None:
        """Take a token in the place of the viewer's former one."""
        with self._lock:
            self._tokens.pop(str(user_id), None)
            self._tokens[str(user_id)] = (self._clock() + self._seconds, token)
            while len(self._tokens) > self._viewers:
                self._tokens.popitem(last=False)

    def last(self, user_id: UserId) -> str | None:
        """Return the token of a viewer's last write, None if there is none to follow."""
        with self._lock:
            ends, token = self._tokens.get(str(user_id), (0.0, None))
            if token is not None and ends <= self._clock():
                del self._tokens[str(user_id)]
                return None
            return token
