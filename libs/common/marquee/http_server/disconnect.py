"""Callers who go away: the work of their request is stopped.

The protocol puts a `Caller` into the scope of each request; work that may be stopped runs within
`StoppedWithCaller`. Where a server has no such extension, work runs to its end.
"""

import asyncio
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, Final, cast

EXTENSION: Final = "marquee.caller"
"""Name in a scope's `extensions`."""

CALLER_GONE: Final = 499
"""Status in the measures of a call whose caller went away; nobody reads it."""


class CallerGone(Exception):
    """The caller of the request has closed the connection; nobody reads an answer."""


class Caller:
    """The other end of a request.

    Attributes:
        is_gone: Whether it has closed the connection.
        work: The task to stop when it does.
    """

    __slots__ = ("is_gone", "work")

    def __init__(self) -> None:
        self.is_gone = False
        self.work: asyncio.Task[Any] | None = None

    def leave(self) -> None:
        """Note that the caller is gone, and stop the work that may be stopped."""
        self.is_gone = True
        if self.work is not None:
            self.work.cancel()


class StoppedWithCaller:
    """Context in which the present task works as long as the caller of a request is there.

    It is entered with every read, so it is a class: one of a generator takes thrice the time.
    """

    __slots__ = ("_caller", "_task")

    def __init__(self, scope: MutableMapping[str, Any]) -> None:
        """Find the caller.

        Args:
            scope: The ASGI scope of the request.
        """
        self._caller = caller_in(scope)
        self._task: asyncio.Task[Any] | None = None

    def __enter__(self) -> None:
        """Begin.

        Raises:
            CallerGone: The caller has left already.
        """
        if self._caller is not None:
            if self._caller.is_gone:
                raise CallerGone
            self._task = self._caller.work = asyncio.current_task()

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """End.

        Raises:
            CallerGone: The caller has left, and the work was cancelled.
        """
        if self._caller is None or self._task is None:
            return
        self._caller.work = None
        # A stop of the server cancels too; only the cancellation of the caller's leaving ends here.
        is_cancelled = kind is not None and issubclass(kind, asyncio.CancelledError)
        if is_cancelled and self._caller.is_gone and not self._task.uncancel():
            raise CallerGone from None


def caller_in(scope: MutableMapping[str, Any]) -> Caller | None:
    """Return the caller in a scope, None where the server tells none."""
    return cast("Caller | None", (scope.get("extensions") or {}).get(EXTENSION))
