"""The gateway's app: construction of its parts, start and stop."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from gateway.access.authenticator import Authenticator, open_access
from gateway.access.key_ring import KeyRing
from gateway.access.rate_limiter import RateLimiter
from gateway.access.viewer_events import ViewerEvents
from gateway.access.viewer_tokens import ViewerTokens
from gateway.api import (
    curation,
    docs,
    events,
    health,
    movies,
    operations,
    predictions,
    recommendations,
    rule_previews,
    segments,
    user_exports,
    users,
    viewer_tokens,
    watchlists,
)
from gateway.api.audit import entries, erasures
from gateway.api.context import Context
from gateway.api.lists import batches, shelves, together
from gateway.api.live import changes as list_changes
from gateway.http import problem_details
from gateway.http.admission import Allow
from gateway.http.concurrency import AdaptiveLimit
from gateway.http.idempotency_store import RedisIdempotency
from gateway.http.middleware import BodyMiddleware, FaultMiddleware, SecurityMiddleware
from gateway.http.overload import EarlyRefusal, OverloadMiddleware
from gateway.http.ports import Part, PortApps
from gateway.http.route import router
from gateway.http.web.methods import OptionsMiddleware
from gateway.http.web.stack import add_web_middleware
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
from marquee.bus.factory import open_bus
from marquee.domain.models import CONTENT, MODEL_SPECS
from marquee.domain.routing import Thresholds
from marquee.errors import MarqueeError
from marquee.process import serve
from marquee.serving.update_stream import connect
from marquee.settings import Settings, split_secrets
from marquee.store.keys import Keys

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_ABOUT = (
    "Recommendations for anyone, from the first click on. Every answer says which route gave it and"
    " why; a write answers with a `token`, and a read that names it as `after` follows that write."
    " Errors are `application/problem+json` with a stable code."
)
_ABOUT_OPERATE = (
    "The operators' port of the gateway: models, trainings and metrics. Errors are"
    " `application/problem+json` with a stable code."
)
_MODULES = (
    recommendations,
    batches,
    together,
    shelves,
    list_changes,
    users,
    watchlists,
    user_exports,
    predictions,
    movies,
    curation,
    rule_previews,
    entries,
    erasures,
    segments,
    events,
    operations,
    viewer_tokens,
    health,
    docs,
)


def create_app(
    context: Context,
    lifespan: Lifespan | None = None,
    allow: Allow = open_access,
    part: Part = Part.WHOLE,
) -> FastAPI:
    """Return the app over the parts of a context; nothing connects before it starts.

    Args:
        context: The parts that routes work with.
        lifespan: Starts and closes the parts.
        allow: Check of a caller's scope, which raises where it is missing.
        part: What it answers.
    """
    app = FastAPI(
        title="Marquee",
        description=_ABOUT_OPERATE if part is Part.OPERATE else _ABOUT,
        version=version("marquee-gateway"),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.context, app.state.allow, app.state.part = context, allow, part
    for module in _MODULES:
        app.router.routes.extend(
            route for route in module.routes.routes if part.has(getattr(route, "name", ""))
        )
    if context.settings.web is not None and part is not Part.OPERATE:
        _add_page(app, context.settings.web)
    app.add_exception_handler(MarqueeError, problem_details.on_marquee_error)
    app.add_exception_handler(RequestValidationError, problem_details.on_invalid_request)
    app.add_exception_handler(HTTPException, problem_details.on_http_error)
    app.add_exception_handler(Exception, problem_details.on_fault)
    # The last one added is the first to see a request.
    limit = context.limit if part is not Part.OPERATE else None
    limit = limit or AdaptiveLimit(context.settings.max_requests)
    app.add_middleware(FaultMiddleware)
    app.add_middleware(OverloadMiddleware, limit=limit)
    app.add_middleware(BodyMiddleware)
    app.add_middleware(OptionsMiddleware, routes=app.router.routes)
    app.add_middleware(SecurityMiddleware)
    app.add_middleware(EarlyRefusal, limit=limit)
    add_web_middleware(app, context.settings, part)
    return app


def _add_page(app: FastAPI, folder: Path) -> None:
    files = folder / "static" if (folder / "static").is_dir() else folder
    routes = router("Page")

    @routes.get("/", include_in_schema=False)
    async def page() -> Response:
        return FileResponse(files / "index.html")

    app.router.routes.extend(routes.routes)
    app.mount("/static", StaticFiles(directory=files), name="static_file")


def build(settings: Settings) -> FastAPI:
    """Return the app with Redis, the bus and the model services, by the settings."""
    return create_app(*_parts(settings))


def build_ports(settings: Settings) -> ASGIApp:
    """Return the app of the gateway's ports: one, or with `operate_port` two with a part each."""
    if not settings.operate_port:
        return build(settings)
    context, lifespan, allow = _parts(settings)
    public = create_app(context, lifespan, allow, Part.PUBLIC)
    operate = create_app(context, None, allow, Part.OPERATE)
    return PortApps(public, operate, settings.operate_port)


def _parts(settings: Settings) -> tuple[Context, Lifespan, Allow]:
    """Return what routes work with, what starts and closes it, and the check of callers."""
    url = settings.redis_address
    keys = Keys(settings.namespace, "gateway", settings.partitions)
    client = connect(url)
    changes = Changes(min(settings.max_followers, settings.max_connections // 2))
    sums_of = Keys(settings.namespace, CONTENT.name, settings.partitions)
    live_view = LiveView(client, keys, sums_of, changes)
    headers = service_headers(settings.service_secret)
    limit = AdaptiveLimit(settings.max_requests, settings.deadline_ms / 3000)
    models = HttpModels(
        {name: [HttpClient(at, headers) for at in all_at] for name, all_at in _urls(settings)},
        observe=limit.observe_call,
    )
    profiles = RedisProfiles(url, keys)
    states = kept = None
    if settings.cache_mb:
        states = ModelStates(client, settings.namespace, settings.partitions)
        kept = KeptLists(settings.cache_mb << 20, states, live_view.catalogue)
    bus = open_bus(settings)
    publisher = Publisher(bus.producer, settings.write_ms / 1000)
    deadline = settings.deadline_ms / 1000
    thresholds = Thresholds.of(settings)
    orchestrator = Orchestrator(
        models,
        live_view.popular,
        thresholds,
        Timeouts(deadline, 2.5 * deadline),
        settings.diversity,
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if settings.is_open:
            telemetry.log.warning("open access: every caller may do everything, without a key")
        else:
            keys_known.start()
        live_view.tail.start()
        if states is not None:
            states.tail.start()
        publisher.start()
        unannounced.start()
        yield
        await unannounced.close()
        await live_view.tail.close()
        if states is not None:
            await states.tail.close()
        for part in (keys_known, limiter, publisher, models, profiles, dedup, idempotency, audit):
            await part.close()
        await asyncio.to_thread(bus.close)
        await client.aclose()

    unannounced = Unannounced(models, profiles, changes)
    dedup = RedisDedupLookup(url, keys)
    idempotency = RedisIdempotency(url, settings.namespace)
    audit = AuditLog(url, keys, settings.audit_entries)
    tokens = ViewerTokens(split_secrets(settings.token_secrets))
    keys_known, limiter = KeyRing(client, settings.namespace), RateLimiter(url, settings.namespace)
    events_rate = Rate.parse(settings.viewer_events) if settings.viewer_events else None
    context = Context(
        settings,
        live_view,
        profiles,
        models,
        orchestrator,
        publisher,
        dedup,
        idempotency,
        tokens,
        audit,
        viewer_events=ViewerEvents(limiter, events_rate, profiles.history_bytes),
        changes=changes,
        kept=kept,
        limit=limit,
    )
    rate = Rate.parse(settings.viewer_rate) if settings.viewer_rate else None
    allow = Authenticator(keys_known, tokens, limiter, rate)
    return context, lifespan, open_access if settings.is_open else allow


def _urls(settings: Settings) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each service with the addresses of its replicas."""
    for spec in MODEL_SPECS.values():
        yield spec.name, settings.urls_of(spec.package)
    yield "trainer", settings.urls_of("trainer")


def main(settings: Settings) -> None:
    """Serve until told to stop."""
    # A call with 1,000 events makes thousands of objects without cycles: collect rarely.
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    serve(build_ports(settings), settings, "gateway", settings.root_path)
