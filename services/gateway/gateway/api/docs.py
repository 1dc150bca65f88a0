"""The description of the API, for programs and for people."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.docs_page import CSP, render
from gateway.http.route import json_response, router

routes = router("Description")


@routes.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    """The description as OpenAPI."""
    return json_response(request.app.openapi())


@routes.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """The description as a page."""
    page = render(request.app.openapi())
    return Response(page, headers={"Content-Security-Policy": CSP}, media_type="text/html")
