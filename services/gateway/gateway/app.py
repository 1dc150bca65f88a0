"""The gateway's app: construction of its parts, start and stop."""

import gc
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from gateway.access.authenticator import open_access
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
from gateway.http.middleware import BodyMiddleware, FaultMiddleware, SecurityMiddleware
from gateway.http.overload import EarlyRefusal, OverloadMiddleware
from gateway.http.ports import Part, PortApps
from gateway.http.route import router
from gateway.http.web.methods import OptionsMiddleware
from gateway.http.web.stack import add_web_middleware
from gateway.parts import Lifespan, parts_of
from marquee.errors import MarqueeError
from marquee.process import serve
from marquee.settings import Settings

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
    _add_routes(app, context.settings, part)
    _add_problems(app)
    _add_middleware(app, context, part)
    return app


def _add_routes(app: FastAPI, settings: Settings, part: Part) -> None:
    for module in _MODULES:
        app.router.routes.extend(
            route for route in module.routes.routes if part.has(getattr(route, "name", ""))
        )
    if settings.web is not None and part is not Part.OPERATE:
        _add_page(app, settings.web)


def _add_problems(app: FastAPI) -> None:
    app.add_exception_handler(MarqueeError, problem_details.on_marquee_error)
    app.add_exception_handler(RequestValidationError, problem_details.on_invalid_request)
    app.add_exception_handler(HTTPException, problem_details.on_http_error)
    app.add_exception_handler(Exception, problem_details.on_fault)


def _add_middleware(app: FastAPI, context: Context, part: Part) -> None:
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
    parts = parts_of(settings)
    return create_app(parts.context, parts.lifespan, parts.allow)


def build_ports(settings: Settings) -> ASGIApp:
    """Return the app of the gateway's ports: one, or with `operate_port` two with a part each."""
    if not settings.operate_port:
        return build(settings)
    parts = parts_of(settings)
    public = create_app(parts.context, parts.lifespan, parts.allow, Part.PUBLIC)
    operate = create_app(parts.context, None, parts.allow, Part.OPERATE)
    return PortApps(public, operate, settings.operate_port)


def main(settings: Settings) -> None:
    """Serve until told to stop."""
    # A call with 1,000 events makes thousands of objects without cycles: collect rarely.
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    serve(build_ports(settings), settings, "gateway", settings.root_path)
