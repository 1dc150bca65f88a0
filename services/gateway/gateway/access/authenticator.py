"""Authenticator: finds the caller of a request, and checks scope and rate before the call."""

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.requests import Request

from gateway.access.caller import ANYONE, Caller, viewer
from gateway.access.key_ring import KeyRing
from gateway.access.rate_limiter import RateLimiter
from gateway.access.viewer_calls import ViewerCalls
from gateway.access.viewer_tokens import ViewerTokens
from gateway.http.admission import OPEN_TO_ALL, Admission
from gateway.http.scopes import COSTS, OF_ANYONE, OF_ONE_VIEWER, OF_VIEWER_IN_BODY
from marquee.access.api_keys import PREFIX, split_key
from marquee.access.rates import Rate
from marquee.access.scopes import Scope
from marquee.domain.ids import id_text
from marquee.errors import Forbidden, Unauthorized, Unavailable

_HOW = "send a key or a viewer's token as `Authorization: Bearer …`"
_USER = "user_id"


async def open_access(request: Request, _: Scope) -> Admission:
    """Allow every call to everyone: for a single machine; the app logs a warning at the start."""
    request.state.caller = ANYONE
    return OPEN_TO_ALL


class Authenticator:
    """The check of a request's caller, by keys and viewers' tokens."""

    def __init__(
        self,
        keys: KeyRing,
        tokens: ViewerTokens,
        limiter: RateLimiter,
        viewer_rate: Rate | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Set the parts.

        Args:
            keys: The known keys.
            tokens: Verifier of viewers' tokens.
            limiter: Counts requests.
            viewer_rate: Limit of one viewer by tokens; None: none.
            now: The clock.
        """
        self._keys, self._tokens, self._limiter = keys, tokens, limiter
        self._viewer_rate, self._now = viewer_rate, now
        self._viewer_calls = ViewerCalls()

    async def __call__(self, request: Request, scope: Scope) -> Admission:
        """Set the request's caller, and let it in.

        Raises:
            Unauthorized: There is no valid key or token.
            Forbidden: The key lacks the scope, or the token is for another viewer.
            TooManyRequests: The caller is above its rate.
            Unavailable: No key was read from Redis yet.
        """
        caller = self._caller(_credential(request))
        _check(caller, request, scope)
        request.state.caller = caller
        if caller.rate is not None:
            cost = COSTS.get(request.scope["route"].name, 1)
            allowance = await self._limiter.take(caller.bucket, caller.rate, cost)
            request.state.allowance = allowance
        return Admission(caller.name, self._viewer_calls.one_more(caller))

    def confirm(self, request: Request, scope: Scope) -> None:
        """Check that the caller of a long call may still make it; it counts against no rate.

        Raises:
            Unauthorized: Its key or token is not valid any more.
            Forbidden: Its key lacks the scope now.
            Unavailable: No key was read from Redis yet.
        """
        _check(self._caller(_credential(request)), request, scope)

    def _caller(self, credential: str) -> Caller:
        if not credential.startswith(PREFIX):
            if not self._tokens:
                raise Unauthorized(f"this is no key of Marquee: {_HOW}")
            return viewer(self._tokens.viewer_of(credential), self._viewer_rate)
        parts = split_key(credential)
        key = None if parts is None else self._keys.get(parts[0])
        if parts is None or key is None or not key.has_secret(parts[1]):
            if not self._keys.is_read:
                raise Unavailable("no key could be read from Redis yet: try again in a moment")
            raise Unauthorized("the key is unknown")
        if (refusal := key.refusal(self._now())) is not None:
            raise Unauthorized(f"the key {key.name} is {refusal}")
        return Caller(key.name, frozenset(key.scopes), f"key {key.name}", key.rate)


def is_still_allowed(request: Request, scope: Scope) -> bool:
    """Return whether the caller of a long call may still make it."""
    allow = request.app.state.allow
    try:
        if isinstance(allow, Authenticator):
            allow.confirm(request, scope)
    except (Unauthorized, Forbidden):
        return False
    except Unavailable:
        return True
    return True


def _credential(request: Request) -> str:
    """Return the key or token of a request.

    Raises:
        Unauthorized: There is none.
    """
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        raise Unauthorized(f"this call needs a key: {_HOW}")
    if scheme.lower() != "bearer" or not credential.strip():
        raise Unauthorized(f"the Authorization is not understood: {_HOW}")
    return credential.strip()


def _check(caller: Caller, request: Request, scope: Scope) -> None:
    """Raise Forbidden where the caller may not make a call."""
    if caller.user_id is None:
        caller.require(scope)
        return
    operation = request.scope["route"].name
    if operation in OF_ANYONE or operation in OF_VIEWER_IN_BODY:
        return
    if operation not in OF_ONE_VIEWER:
        raise Forbidden("a viewer's token does not allow this call: it needs a key")
    if request.path_params[_USER] != id_text(caller.user_id):
        raise caller.wrong_viewer()
