"""The trainer's app for operators: trainings, model versions and the way back; and the schedule."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict

from marquee.domain.models import MODEL_NAMES
from marquee.errors import InvalidInput, MarqueeError
from marquee.process import serve
from marquee.settings import Settings
from trainer.history.history import History
from trainer.models.versions import list_models, read_model, roll_back
from trainer.operations.dead_letter_gauge import count_dead_letters
from trainer.runs.jobs import TrainingJobs
from trainer.runs.records import TrainingRecord, TrainingRuns, Trainings
from trainer.runs.schedule import Plan, due, keep_schedule, utc_now
from trainer.segments.api import add_segments


class TrainingRequest(BaseModel):
    """What to train: models by name (none: all that can be), and whether to answer at the end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[str, ...] = ()
    wait: bool = False


class RollbackRequest(BaseModel):
    """The version that shall serve again; None: the one before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str | None = None


def create_app(settings: Settings, scheduled: bool = True) -> FastAPI:
    """Return the app; with `scheduled` it starts trainings when they are due, and counts."""
    trainings = Trainings(settings.state)
    children = TrainingJobs(settings, trainings)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tasks: list[asyncio.Task[None]] = []
        if scheduled:
            tasks.append(asyncio.create_task(_schedule(settings, trainings, children)))
            tasks.append(asyncio.create_task(count_dead_letters(settings)))
        yield
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await children.close()

    app = FastAPI(title="Marquee trainer", lifespan=lifespan, openapi_url=None)
    app.add_exception_handler(MarqueeError, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    _add_trainings(app, trainings, children)
    _add_models(app, settings, children)
    add_segments(app, settings)
    _add_health(app, children)
    return app


def _add_trainings(app: FastAPI, trainings: Trainings, children: TrainingJobs) -> None:
    @app.post("/internal/trainings")
    async def start(request: TrainingRequest | None = None) -> Response:
        request = request or TrainingRequest()
        _check_models(request.models)
        # What an operator orders is judged like any other version.
        stages = (*request.models, "evaluate") if request.models else ()
        record = await children.start(stages)
        if not request.wait:
            said = {"training_id": record.training_id, "status": record.status}
            return JSONResponse(said, 202)
        await children.finished()
        return JSONResponse(_json(trainings.get(record.training_id)))

    @app.get("/internal/trainings")
    def every() -> dict[str, Any]:
        return {"items": [_json(record) for record in trainings.all()[:100]]}

    @app.get("/internal/trainings/{training_id}")
    def one(training_id: str) -> dict[str, Any]:
        return _json(trainings.get(training_id))


def _add_models(app: FastAPI, settings: Settings, children: TrainingJobs) -> None:
    mirrors: set[asyncio.Task[None]] = set()

    @app.get("/internal/models")
    def every() -> dict[str, Any]:
        return {"items": [model.as_json() for model in list_models(settings)]}

    @app.get("/internal/models/{name}")
    def one(name: str) -> dict[str, Any]:
        return read_model(settings, name).as_json()

    @app.post("/internal/models/{name}/rollback")
    async def rollback(name: str, request: RollbackRequest | None = None) -> dict[str, Any]:
        wanted = request.version if request else None
        data = await asyncio.to_thread(roll_back, settings, name, wanted)
        task = asyncio.create_task(children.mirror(name, data.version))
        mirrors.add(task)  # the loop keeps no reference of its own
        task.add_done_callback(mirrors.discard)
        return data.model_dump()


def _add_health(app: FastAPI, children: TrainingJobs) -> None:
    @app.get("/health/live")
    async def live() -> dict[str, Any]:
        return {"live": True}

    @app.get("/health/ready")
    async def ready() -> dict[str, Any]:
        return {"ready": True, "service": "trainer", "training": children.running()}

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _schedule(settings: Settings, trainings: Trainings, children: TrainingJobs) -> None:
    plan = Plan(settings.train_every_s, settings.train_after_ratings)
    history = History(settings.history, settings.partitions)

    def look() -> str | None:
        if children.running() is not None or not _holds_data(settings, history):
            return None
        newest, succeeded = trainings.newest(), trainings.newest(succeeded=True)
        return due(plan, utc_now(), history.cut(), newest, succeeded)

    await keep_schedule(look, lambda reason: children.start(reason=reason))


def _holds_data(settings: Settings, history: History) -> bool:
    return any(settings.history.glob("snapshot-*")) or any(history.cut().values())


def _check_models(names: tuple[str, ...]) -> None:
    for name in names:
        if name not in MODEL_NAMES:
            raise InvalidInput(f"models: {name} is none of {', '.join(MODEL_NAMES)}", "models")


def _json(record: TrainingRecord) -> dict[str, Any]:
    return record.model_dump(mode="json")


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, MarqueeError)
    said = {"code": error.code, "detail": str(error)}
    if isinstance(error, InvalidInput) and error.field:
        said["field"] = error.field
    if isinstance(error, TrainingRuns):
        said["training_id"] = error.training_id
    return JSONResponse(said, error.status)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:])
    said = {"code": "invalid_input", "detail": f"{field}: {first['msg']}", "field": field}
    return JSONResponse(said, 422)


def main(settings: Settings) -> None:
    """Serve until told to stop."""
    serve(create_app(settings), settings, settings.trainer_port)
