"""Bound on the calls that one viewer's token has under way at once in a process."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.access.caller import Caller
from marquee.errors import TooManyRequests

MAX_AT_ONCE = 16
"""Calls of one viewer; a page asks for fewer. A rate alone would let slow calls add up."""
_AGAIN_S = 1.0


class ViewerCalls:
    """Calls under way by tokens, counted by viewer; calls by keys are not bounded.

    A call may wait for seconds, for example until a change is visible. Without a bound one token
    could hold every place that the gateway has for requests.
    """

    def __init__(self) -> None:
        """Have no call under way."""
        self._under_way: Counter[int] = Counter()

    @contextmanager
    def one_more(self, caller: Caller) -> Iterator[None]:
        """Count a call within the block.

        Raises:
            TooManyRequests: The viewer has as many under way as one may.
        """
        user_id = caller.user_id
        if user_id is None:
            yield
            return
        if self._under_way[user_id] >= MAX_AT_ONCE:
            text = f"more than {MAX_AT_ONCE} calls of {caller.name} are under way: end some first"
            raise TooManyRequests(text, _AGAIN_S)
        self._under_way[user_id] += 1
        try:
            yield
        finally:
            self._under_way -= Counter([user_id])  # leaves no zeros
