"""Routes of the API's description: the OpenAPI document and Swagger UI, served without a CDN."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from gateway.api.events import event_schemas
from gateway.http.openapi_problems import describe_problems
from gateway.http.openapi_security import SCHEMES
from gateway.http.route import json_response, router
from gateway.http.web.openapi import describe_web

routes = router("Description")

_STATIC = Path(__file__).with_name("static")


@routes.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    """The description as OpenAPI."""
    return json_response(openapi_document(request.app))


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Return the document of the API, with its scheme of access."""
    document = app.openapi()
    components = document.setdefault("components", {})
    components["securitySchemes"] = SCHEMES
    components.setdefault("schemas", {}).update(event_schemas())
    describe_problems(document)
    describe_web(document)
    if root_path := app.state.context.settings.root_path:
        document["servers"] = [{"url": root_path}]
    return document


@routes.get("/docs", include_in_schema=False)
async def docs(_: Request) -> Response:
    """The description as a page on which calls can be tried."""
    return FileResponse(_STATIC / "docs.html")


# Own files, and those of Swagger UI, which the package carries.
_FILES = StaticFiles(directory=_STATIC, packages=[("fastapi_offline", "static")])
routes.mount("/docs/static", _FILES, name="docs_file")
