"""Open connections of a server: a bounded number, of which those that owe bytes give way first."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol


class Connection(Protocol):
    """An open connection."""

    def give_way(self) -> None:
        """Close, for a newer connection."""
        ...


class Connections:
    """The open connections of one server.

    A connection that sends a request slowly, or none, is closed when a new one needs its place, the
    one that waits longest first; a connection whose request is in work never is.
    """

    def __init__(self, limit: int, observe: Callable[[int], None] | None = None) -> None:
        """Know none yet.

        Args:
            limit: Connections that are open at once, at most.
            observe: Is told how many are open when that has changed.
        """
        self._limit, self._observe = limit, observe
        self._open: set[Connection] = set()
        self._waiting: OrderedDict[Connection, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def opened(self, connection: Connection) -> bool:
        """Take a new connection; return False where all places have requests in work."""
        if len(self._open) >= self._limit:
            if not self._waiting:
                return False
            oldest, _ = self._waiting.popitem(last=False)
            self._open.discard(oldest)
            oldest.give_way()
        self._open.add(connection)
        self._waiting[connection] = None
        self._tell()
        return True

    def waits(self, connection: Connection) -> None:
        """Note that a connection has nothing in work from now on."""
        if connection in self._open:
            self._waiting.setdefault(connection, None)

    def works(self, connection: Connection) -> None:
        """Note that a whole request of a connection has arrived."""
        self._waiting.pop(connection, None)

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)
        self._tell()

    def _tell(self) -> None:
        if self._observe is not None:
            self._observe(len(self._open))
