"""Routes of operations: models and trainings, forwarded to the trainer."""

from typing import Annotated, Any

from fastapi import Path
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import context_of
from gateway.api.schemas.requests import RollbackBody, TrainingBody
from gateway.http.problem_details import CODES, problem
from gateway.http.route import json_response, router
from gateway.upstream.models import Call, Failure
from marquee.errors import Unavailable

routes = router("Operations")

TRAINER_S = 10.0
Name = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,100}$", description="A model's name.")]
TrainingId = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,100}$")]


@routes.get("/v1/models")
async def list_models(request: Request) -> Response:
    """The models with their versions, and which of them serve."""
    return await _forward(request, "GET", "/internal/models")


@routes.post("/v1/models/{name}/rollback", status_code=202)
async def rollback_model(
    request: Request, name: Name, body: RollbackBody | None = None
) -> Response:
    """Let an earlier version serve again: the one named, or the one before the present."""
    content = body.model_dump(exclude_none=True) if body else {}
    return await _forward(request, "POST", f"/internal/models/{name}/rollback", content)


@routes.post("/v1/trainings", status_code=202)
async def start_training(request: Request, body: TrainingBody | None = None) -> Response:
    """Start a training; what it publishes is swapped in without a failed request."""
    content = body.model_dump(exclude_none=True) if body else {}
    return await _forward(request, "POST", "/internal/trainings", content)


@routes.get("/v1/trainings")
async def list_trainings(request: Request) -> Response:
    """The trainings, newest first."""
    return await _forward(request, "GET", "/internal/trainings")


@routes.get("/v1/trainings/{training_id}")
async def get_training(request: Request, training_id: TrainingId) -> Response:
    """How far a training is."""
    return await _forward(request, "GET", f"/internal/trainings/{training_id}")


async def _forward(request: Request, method: str, path: str, body: Any = None) -> Response:
    reply = await context_of(request).models.call("trainer", Call(method, path, body, TRAINER_S))
    if isinstance(reply, Failure):
        raise Unavailable(reply.why)
    if reply.ok:
        return json_response(reply.body, reply.status)
    refusal = reply.body if isinstance(reply.body, dict) else {}
    code = refusal.get("code") if refusal.get("code") in CODES else _code_of(reply.status)
    detail = refusal.get("detail")
    status = 502 if reply.status == 500 else reply.status
    return problem(code or "internal", str(detail or "the trainer refused"), (), status)


def _code_of(status: int) -> str:
    return next((code for code, (default, *_) in CODES.items() if default == status), "internal")
