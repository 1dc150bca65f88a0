"""The gateway's app: construction of its parts, start and stop."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from gateway.api import (
    curation,
    docs,
    events,
    health,
    movies,
    operations,
    predictions,
    recommendations,
    segments,
    users,
)
from gateway.api.context import Context
from gateway.http import problem_details
from gateway.http.idempotency_store import RedisIdempotency
from gateway.http.middleware import SecurityMiddleware
from gateway.http.route import Allow, router
from gateway.http.scopes import Scope
from gateway.recommend.orchestrator import Orchestrator, Timeouts
from gateway.state.dedup_lookup import RedisDedupLookup
from gateway.state.live_view import LiveView
from gateway.state.publisher import Publisher
from gateway.state.redis_profiles import RedisProfiles
from gateway.upstream.http_client import HttpClient
from gateway.upstream.model_clients import HttpModels
from marquee import telemetry
from marquee.bus.factory import open_bus
from marquee.domain.models import CONTENT, MODEL_SPECS
from marquee.domain.routing import Thresholds
from marquee.errors import MarqueeError
from marquee.process import serve
from marquee.serving.update_stream import connect
from marquee.settings import Settings
from marquee.store.keys import Keys

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_ABOUT = (
    "Recommendations for anyone, from the first click on. Every answer says which route gave it and"
    " why; a write answers with a token, and a read with after=<token> follows it. Errors are"
    " application/problem+json with a stable code."
)
_MODULES = (
    recommendations,
    users,
    predictions,
    movies,
    curation,
    segments,
    events,
    operations,
    health,
    docs,
)


async def open_access(_: Request, __: Scope) -> None:
    """Allow every call to everyone: for a single machine; the app logs a warning at the start."""


def create_app(
    context: Context, lifespan: Lifespan | None = None, allow: Allow = open_access
) -> FastAPI:
    """Return the app over the parts of a context; nothing connects before it starts.

    Args:
        context: The parts that routes work with.
        lifespan: Starts and closes the parts.
        allow: Check of a caller's scope, which raises where it is missing.
    """
    app = FastAPI(
        title="Marquee",
        description=_ABOUT,
        version=version("marquee-gateway"),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.context, app.state.allow = context, allow
    for module in _MODULES:
        app.router.routes.extend(module.routes.routes)
    if context.settings.web is not None:
        _add_page(app, context.settings.web)
    app.add_exception_handler(MarqueeError, problem_details.on_marquee_error)
    app.add_exception_handler(RequestValidationError, problem_details.on_invalid_request)
    app.add_exception_handler(HTTPException, problem_details.on_http_error)
    app.add_exception_handler(Exception, problem_details.on_fault)
    app.add_middleware(SecurityMiddleware)
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
    url = settings.redis_url.get_secret_value()
    keys = Keys(settings.namespace, "gateway", settings.partitions)
    client = connect(url)
    live_view = LiveView(client, keys, Keys(settings.namespace, CONTENT.name, settings.partitions))
    models = HttpModels({name: HttpClient(address) for name, address in _urls(settings).items()})
    profiles = RedisProfiles(url, keys)
    bus = open_bus(settings)
    publisher = Publisher(bus.producer)
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
        telemetry.log.warning("open access: every caller may do everything, without a key")
        live_view.tail.start()
        yield
        await live_view.tail.close()
        for part in (publisher, models, profiles, dedup, idempotency):
            await part.close()
        await asyncio.to_thread(bus.close)
        await client.aclose()

    dedup = RedisDedupLookup(url, keys)
    idempotency = RedisIdempotency(url, settings.namespace)
    context = Context(
        settings, live_view, profiles, models, orchestrator, publisher, dedup, idempotency
    )
    return create_app(context, lifespan)


def _urls(settings: Settings) -> dict[str, str]:
    return {
        **{spec.name: settings.url_of(spec.package) for spec in MODEL_SPECS.values()},
        "trainer": settings.trainer_url,
    }


def main(settings: Settings) -> None:
    """Serve until told to stop."""
    # A call with 1,000 events makes thousands of objects without cycles: collect rarely.
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    serve(build(settings), settings, "gateway")
