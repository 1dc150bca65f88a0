"""What the check of a caller gives to the route that it lets in."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from starlette.requests import Request

from marquee.access.scopes import Scope


@dataclass(frozen=True)
class Admission:
    """Leave to make a call.

    Attributes:
        caller: Name of the caller, whose idempotency keys are its own; "" under open access.
        under_way: Entered while the call is made; raises where the caller has too many.
    """

    caller: str = ""
    under_way: AbstractContextManager[None] = field(default_factory=nullcontext)

    def own(self, key: str) -> str:
        """Return an idempotency key as one of this caller alone."""
        return f"{self.caller}\0{key}" if self.caller else key


OPEN_TO_ALL = Admission()
"""The leave of every caller, where none is checked."""
Allow = Callable[[Request, Scope], Awaitable[Admission]]
"""Lets a caller in; raises where it lacks the scope."""
