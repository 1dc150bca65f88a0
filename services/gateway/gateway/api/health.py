"""Routes of health, metrics, and the meaning of problem codes."""

from typing import Annotated

from fastapi import Path
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import context_of
from gateway.http.ports import Part
from gateway.http.problem_codes import CODES
from gateway.http.route import json_response, router
from marquee.errors import NotFound
from marquee.health import LIVE, METRICS, READY, live_document, metrics_response, ready_document

routes = router("Health")


@routes.get(LIVE)
async def live(_: Request) -> Response:
    """Whether the process's own loop turns."""
    return json_response(live_document())


@routes.get(READY)
async def ready(request: Request) -> Response:
    """Whether the gateway can give an answer: once it has films. Without the store it goes on by
    those in memory, and says `degraded`.
    """
    context = context_of(request)
    connected, films = context.live_view.connected, len(context.catalogue)
    details = {"service": "gateway", "degraded": not connected, "redis": connected, "films": films}
    if request.app.state.part is Part.PUBLIC:
        details = {}  # on the operators' port
    document = ready_document(films > 0, **details)
    return json_response(document, 200 if films else 503)


@routes.get(METRICS, include_in_schema=False)
async def metrics(_: Request) -> Response:
    """Measures in the text form of Prometheus."""
    return metrics_response()


@routes.get("/problems/{code}", include_in_schema=False)
async def explain_problem(code: Annotated[str, Path(max_length=100)]) -> Response:
    """What the code of a problem means; problems name this address as their `type`."""
    if code not in CODES:
        raise NotFound(f"there is no problem {code}")
    status, title, meaning = CODES[code]
    return json_response({"code": code, "status": status, "title": title, "meaning": meaning})
