"""The caller of a request, as its key or token shows it."""

from dataclasses import dataclass

from starlette.requests import Request

from marquee.access.rates import Rate
from marquee.access.scopes import GRANTED, Scope
from marquee.domain.ids import id_text
from marquee.errors import Forbidden


@dataclass(frozen=True)
class Caller:
    """Who calls.

    Attributes:
        name: for the audit and messages: of the key, or `viewer <id>`.
        scopes: what the caller may do.
        bucket: name of the limit that its requests count against.
        rate: that limit; None: none.
        user_id: the one viewer that a token is for; None: a key, for every viewer.
    """

    name: str
    scopes: frozenset[Scope]
    bucket: str = ""
    rate: Rate | None = None
    user_id: int | None = None

    def require(self, scope: Scope) -> None:
        """Check that the caller has a scope.

        Raises:
            Forbidden: It does not; the text names the scope.
        """
        if scope not in self.scopes:
            has = ", ".join(s for s in GRANTED if s in self.scopes)
            raise Forbidden(f"this needs the scope {scope}; {self.name} has {has}")

    def require_viewer(self, user_id: int | None) -> None:
        """Check that the caller may ask for a viewer; None: a call that names no viewer.

        Raises:
            Forbidden: It may not: it has a token for another one.
        """
        if self.user_id is not None and user_id is not None and self.user_id != user_id:
            raise self.wrong_viewer()

    def wrong_viewer(self) -> Forbidden:
        """Return the refusal of a call for another viewer than that of the token."""
        return Forbidden(f"the token is for {self.name} alone")


ANYONE = Caller("anyone", frozenset(GRANTED))
"""Every caller under open access."""


def viewer(user_id: int, rate: Rate | None) -> Caller:
    """Return the caller that a viewer's token is for."""
    name = f"viewer {id_text(user_id)}"
    return Caller(name, frozenset({Scope.READ, Scope.WRITE}), name, rate, user_id)


def caller_of(request: Request) -> Caller:
    """Return the caller of a request, once its scope was checked."""
    caller: Caller = getattr(request.state, "caller", ANYONE)
    return caller
