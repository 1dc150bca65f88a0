"""The secret between services: who calls a model service or the trainer must know it."""

import hmac
from collections.abc import Sequence

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from marquee.health import LIVE, METRICS, READY
from marquee.settings import split_secrets

HEADER = "marquee-service-secret"
OPEN_PATHS = frozenset({LIVE, READY, METRICS})
"""Answered to everyone: they are what probes and scrapers ask, and tell nothing of a viewer."""


def service_headers(setting: SecretStr | None) -> dict[str, str]:
    """Return the header that calls of a service carry: the newest secret, where there is one."""
    secrets = split_secrets(setting)
    return {HEADER: secrets[0]} if secrets else {}


class ServiceSecretMiddleware:
    """Refuses calls without one of the secrets with 401; health and metrics are for everyone."""

    def __init__(self, app: ASGIApp, secrets: Sequence[str]) -> None:
        self._app, self._secrets = app, tuple(secret.encode() for secret in secrets)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            given = Headers(scope=scope).get(HEADER, "").encode()
            if not any(hmac.compare_digest(given, secret) for secret in self._secrets):
                await _REFUSAL(scope, receive, send)
                return
        await self._app(scope, receive, send)


_REFUSAL = JSONResponse(
    {
        "code": "unauthorized",
        "detail": "the call lacks the secret between services: set MARQUEE_SERVICE_SECRET alike"
        " for every process",
    },
    401,
)
