"""The gateway's parts: what routes work with, by the settings, and their start and stop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, Self

from fastapi import FastAPI

from gateway.access.authenticator import Authenticator, open_access
from gateway.access.key_ring import KeyRing
from gateway.access.rate_limiter import RateLimiter
from gateway.access.viewer_events import ViewerEvents
from gateway.access.viewer_tokens import ViewerTokens
from gateway.api.context import Context
from gateway.catalogue.catalogue import Catalogue
from gateway.http.admission import Allow
from gateway.http.concurrency import AdaptiveLimit
from gateway.http.idempotency_store import RedisIdempotency
from gateway.http.overload import spares_models
from gateway.kept.lists import KeptLists
from gateway.recommend.orchestrator import Orchestrator, Timeouts
from gateway.state.audit_log import AuditLog
from gateway.state.changes import Changes
from gateway.state.dedup_lookup import RedisDedupLookup
from gateway.state.live_view import LiveView
from gateway.state.publisher import Publisher
from gateway.state.redis_profiles import RedisProfiles
from gateway.state.unannounced import Unannounced
from gateway.upstream.http_client import HttpClient
from gateway.upstream.model_clients import HttpModels
from gateway.upstream.model_states import ModelStates
from marquee import telemetry
from marquee.access.rates import Rate
from marquee.access.service_secret import service_headers
from marquee.bus.api import Bus
from marquee.bus.factory import open_bus
from marquee.domain.models import CONTENT, MODEL_SPECS
from marquee.domain.routing import Thresholds
from marquee.serving.update_stream import connect
from marquee.settings import Settings, split_secrets
from marquee.store.keys import Keys

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class Closed(Protocol):
    """A part that holds connections."""

    async def close(self) -> None:
        """Close them."""
        ...


class Running(Closed, Protocol):
    """A part that works in the background."""

    def start(self) -> None:
        """Begin."""
        ...


@dataclass(frozen=True)
class Connection:
    """The connection to Redis that update streams and keys share."""

    client: Any

    async def close(self) -> None:
        """Close it."""
        await self.client.aclose()


@dataclass(frozen=True)
class Parts:
    """Everything that one process of the gateway has.

    Attributes:
        context: What routes work with.
        allow: The check of callers.
        running: What works in the background, in the order of the start.
        connected: What holds connections beside that.
        bus: Where events go.
    """

    context: Context
    allow: Allow
    running: Sequence[Running]
    connected: Sequence[Closed]
    bus: Bus

    @contextlib.asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Start what works in the background; close everything in the end."""
        if self.context.settings.is_open:
            telemetry.log.warning("open access: every caller may do everything, without a key")
        for running in self.running:
            running.start()
        yield
        closed: list[Closed] = [*reversed(self.running), *self.connected]
        for part in closed:
            await part.close()
        await asyncio.to_thread(self.bus.close)


@dataclass(frozen=True)
class _Stores:
    """What of one process holds connections of its own to Redis.

    Attributes:
        limiter: Counts the requests of callers, and the events of viewers.
        profiles: What is known of viewers.
        dedup: Finds events that were there before.
        idempotency: Answers by their keys.
        audit: Who changed what.
    """

    limiter: RateLimiter
    profiles: RedisProfiles
    dedup: RedisDedupLookup
    idempotency: RedisIdempotency
    audit: AuditLog

    @classmethod
    def of(cls, settings: Settings, keys: Keys) -> Self:
        """Return those that the settings ask for."""
        url, namespace = settings.redis_address, settings.namespace
        return cls(
            RateLimiter(url, namespace),
            RedisProfiles(url, keys),
            RedisDedupLookup(url, keys),
            RedisIdempotency(url, namespace),
            AuditLog(url, keys, settings.audit_entries),
        )

    @property
    def all(self) -> list[Closed]:
        """All of them, to be closed."""
        return [self.limiter, self.profiles, self.dedup, self.idempotency, self.audit]


def parts_of(settings: Settings) -> Parts:
    """Return the parts that the settings ask for; nothing is connected yet."""
    client, bus = connect(settings.redis_address), open_bus(settings)
    keys = Keys(settings.namespace, "gateway", settings.partitions)
    changes = Changes(min(settings.max_followers, settings.max_connections // 2))
    sums_of = Keys(settings.namespace, CONTENT.name, settings.partitions)
    live_view = LiveView(client, keys, sums_of, changes)
    kept, tails = _kept(settings, client, live_view.catalogue)
    limit = AdaptiveLimit(settings.max_requests, settings.deadline_ms / 3000)
    models, stores = _models(settings, limit), _Stores.of(settings, keys)
    publisher = Publisher(bus.producer, settings.write_ms / 1000)
    context = Context(
        settings,
        live_view,
        stores.profiles,
        models,
        _orchestrator(settings, models, live_view),
        publisher,
        stores.dedup,
        stores.idempotency,
        ViewerTokens(split_secrets(settings.token_secrets)),
        stores.audit,
        viewer_events=_viewer_events(settings, stores),
        changes=changes,
        kept=kept,
        limit=limit,
    )
    callers, allow = _access(settings, client, context.tokens, stores.limiter)
    unannounced = Unannounced(models, stores.profiles, changes)
    running = [*callers, live_view.tail, *tails, publisher, unannounced]
    return Parts(context, allow, running, [models, *stores.all, Connection(client)], bus)


def _kept(
    settings: Settings, client: Any, catalogue: Catalogue
) -> tuple[KeptLists | None, list[Running]]:
    """Return the lists that may be given again, if any, and what tells that they may not."""
    if not settings.cache_mb:
        return None, []
    states = ModelStates(client, settings.namespace, settings.partitions)
    return KeptLists(settings.cache_mb << 20, states, catalogue), [states.tail]


def _access(
    settings: Settings, client: Any, tokens: ViewerTokens, limiter: RateLimiter
) -> tuple[list[Running], Allow]:
    """Return the check of callers, and the keys that it knows where it asks for them."""
    if settings.is_open:
        return [], open_access
    keys = KeyRing(client, settings.namespace)
    return [keys], Authenticator(keys, tokens, limiter, _rate(settings.viewer_rate))


def _viewer_events(settings: Settings, stores: _Stores) -> ViewerEvents:
    rate = _rate(settings.viewer_events)
    return ViewerEvents(stores.limiter, rate, stores.profiles.history_bytes)


def _rate(text: str | None) -> Rate | None:
    return Rate.parse(text) if text else None


def _models(settings: Settings, limit: AdaptiveLimit) -> HttpModels:
    headers = service_headers(settings.service_secret)
    transports = {
        name: [HttpClient(address, headers) for address in addresses]
        for name, addresses in _addresses(settings)
    }
    return HttpModels(transports, observe=limit.observe_call, spares_models=spares_models)


def _addresses(settings: Settings) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each service with the addresses of its replicas."""
    for spec in MODEL_SPECS.values():
        yield spec.name, settings.urls_of(spec.package)
    yield "trainer", settings.urls_of("trainer")


def _orchestrator(settings: Settings, models: HttpModels, live_view: LiveView) -> Orchestrator:
    deadline = settings.deadline_ms / 1000
    timeouts = Timeouts(deadline, 2.5 * deadline)
    thresholds = Thresholds.of(settings)
    return Orchestrator(models, live_view.popular, thresholds, timeouts, settings.diversity)
