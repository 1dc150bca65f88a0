"""Routes of operations: models and trainings, forwarded to the trainer."""

from typing import Annotated

from fastapi import Path
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.audit.operations import audited_call, call_trainer, operation
from gateway.api.context import context_of
from gateway.api.schemas.requests import RollbackBody, TrainingBody
from gateway.http.problem_codes import CODES
from gateway.http.problem_details import FieldError, problem
from gateway.http.route import json_response, router
from gateway.upstream.models import Reply

routes = router("Operations")

Name = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,100}$", description="A model's name.")]
# Not of dots alone: in the trainer's address they would name another place.
TrainingId = Annotated[str, Path(max_length=100, pattern=r"^\.*[A-Za-z0-9_-][A-Za-z0-9._-]*$")]


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
    context, path = context_of(request), f"/internal/models/{name}"
    serving = await call_trainer(context, "GET", path)
    if not serving.ok:
        return _answer(serving)
    before = {"version": serving.body.get("serving")}
    async with operation(context, "model.rolled_back", name, before) as outcome:
        reply = await audited_call(context, outcome, "POST", f"{path}/rollback", content)
        if reply.ok:
            outcome["after"] = {"version": reply.body.get("version")}
    return _answer(reply)


@routes.post("/v1/trainings", status_code=202)
async def start_training(request: Request, body: TrainingBody | None = None) -> Response:
    """Start a training; what it publishes is swapped in without a failed request."""
    content = body.model_dump(exclude_none=True) if body else {}
    context, models = context_of(request), content.get("models") or []
    async with operation(context, "training.started", ", ".join(models) or "all") as outcome:
        reply = await audited_call(context, outcome, "POST", "/internal/trainings", content)
        if reply.ok:
            outcome["after"] = {"training_id": reply.body.get("training_id")}
    return _answer(reply)


@routes.get("/v1/trainings")
async def list_trainings(request: Request) -> Response:
    """The trainings, newest first."""
    return await _forward(request, "GET", "/internal/trainings")


@routes.get("/v1/trainings/{training_id}")
async def get_training(request: Request, training_id: TrainingId) -> Response:
    """How far a training is."""
    return await _forward(request, "GET", f"/internal/trainings/{training_id}")


async def _forward(request: Request, method: str, path: str) -> Response:
    return _answer(await call_trainer(context_of(request), method, path))


def _answer(reply: Reply) -> Response:
    """Return the trainer's reply as the API's: a refusal of the caller as a problem."""
    if reply.ok:
        return json_response(reply.body, reply.status)
    refusal = reply.body if isinstance(reply.body, dict) else {}
    code = refusal.get("code") if refusal.get("code") in CODES else _code_of(reply.status)
    detail, field = str(refusal.get("detail") or "the trainer refused"), refusal.get("field")
    errors = [FieldError(field, detail)] if isinstance(field, str) and field else []
    return problem(code or "invalid_input", detail, errors, reply.status)


def _code_of(status: int) -> str:
    return next((code for code, (default, *_) in CODES.items() if default == status), "internal")
