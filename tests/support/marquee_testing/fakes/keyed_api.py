"""The public API behind keys that are in memory, and a call of each of its operations."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

import httpx
from fastapi.routing import APIRoute

from gateway.access.authenticator import Authenticator
from gateway.access.key_ring import KeyRing
from gateway.access.rate_limiter import Allowance
from gateway.access.viewer_tokens import ViewerTokens
from gateway.app import create_app
from gateway.http.scopes import SCOPES
from marquee.access.api_keys import ApiKey, create_key
from marquee.access.rates import Rate
from marquee.access.scopes import Scope
from marquee.errors import TooManyRequests
from marquee_testing.fakes.gateway_api import client_of, parts

SECRETS = ("n" * 32, "o" * 32)
VIEWER, OTHER = "user:ab-12", "7"
VALUES = {"user_id": VIEWER, "movie_id": "1", "code": "not_found", "kind": "movies"}


class StoredKeys:
    """The hash of keys, in memory."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}

    async def hgetall(self, _name: str) -> dict[bytes, bytes]:
        return dict(self.values)

    def put(self, key: ApiKey) -> None:
        self.values[key.id.encode()] = key.model_dump_json().encode()


class Counting:
    """A limiter that takes as many requests as it is told."""

    def __init__(self) -> None:
        self.left = 10**9
        self.buckets: list[str] = []

    async def take(self, bucket: str, rate: Rate, cost: int = 1) -> Allowance:
        self.buckets.append(bucket)
        self.left -= cost
        if self.left < 0:
            headers = Allowance(rate, 0, 2.5).headers()
            raise TooManyRequests(f"more than {rate}: try again in 2.5 s", 2.5, headers)
        return Allowance(rate, self.left, 1.5)


class Harness:
    """The API behind keys."""

    def __init__(self) -> None:
        context, self.live_view, _, self.models, self.publisher = parts()
        tokens = ViewerTokens(SECRETS)
        self.stored, self.limiter = StoredKeys(), Counting()
        self.ring = KeyRing(self.stored, "test")
        allow = Authenticator(self.ring, tokens, self.limiter, Rate(20, 1))  # type: ignore[arg-type]
        self.app = create_app(replace(context, tokens=tokens), allow=allow)
        self.client = client_of(self.app)

    async def key(
        self,
        *scopes: Scope,
        name: str = "shop",
        rate: Rate | None = None,
        ended: Mapping[str, datetime] | None = None,
    ) -> str:
        key, text = create_key(name, scopes, rate=rate)
        self.stored.put(key.model_copy(update=ended))
        await self.ring.read()
        return text

    async def call(self, operation: str, credential: str | None) -> httpx.Response:
        method, path = CALLS[operation]
        headers = {} if credential is None else {"Authorization": f"Bearer {credential}"}
        return await self.client.request(method, path, headers=headers)


def calls() -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the method and path of each operation; parameters have values."""
    for route in create_app(parts()[0]).router.routes:
        if isinstance(route, APIRoute):
            values = {name: VALUES.get(name, "1") for name in route.param_convertors}
            path = str(route.url_path_for(route.name, **values))
            yield route.name, (next(iter(route.methods or {"GET"})), path)


CALLS = dict(calls())
CLOSED = sorted(name for name in CALLS if SCOPES[name] is not Scope.OPEN)
