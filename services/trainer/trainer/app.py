"""The trainer's app: internal HTTP routes for operators, and the schedule of trainings."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from marquee.access.service_secret import ServiceSecretMiddleware
from marquee.errors import InvalidInput, MarqueeError
from marquee.health import LIVE, METRICS, READY, live_document, metrics_response, ready_document
from marquee.process import serve
from marquee.settings import Settings, split_secrets
from trainer.models.api import add_models
from trainer.operations.api import add_erasures
from trainer.operations.dead_letter_gauge import count_dead_letters
from trainer.operations.kept_films import match_kept_films
from trainer.runs.api import add_trainings, start_when_due
from trainer.runs.jobs import TrainingJobs
from trainer.runs.records import TrainingRecords
from trainer.runs.training_lock import TrainingInProgress
from trainer.segments.api import add_segments


def create_app(settings: Settings, scheduled: bool = True) -> FastAPI:
    """Return the app.

    Args:
        settings: Settings of the process.
        scheduled: In the background start trainings when they are due, measure dead letters, and
            match films that imports have left.
    """
    records = TrainingRecords(settings.state)
    jobs = TrainingJobs(settings, records)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tasks: list[asyncio.Task[None]] = []
        if scheduled:
            tasks.append(asyncio.create_task(start_when_due(settings, records, jobs)))
            tasks.append(asyncio.create_task(count_dead_letters(settings)))
            tasks.append(asyncio.create_task(match_kept_films(settings)))
        yield
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await jobs.close()

    app = FastAPI(title="Marquee trainer", lifespan=lifespan, openapi_url=None)
    app.add_exception_handler(MarqueeError, _marquee_error)
    app.add_exception_handler(RequestValidationError, _invalid_body)
    add_trainings(app, records, jobs)
    add_models(app, settings, jobs.move_alias)
    add_segments(app, settings)
    add_erasures(app, settings)
    _add_health(app, jobs)
    if secrets := split_secrets(settings.service_secret):
        app.add_middleware(ServiceSecretMiddleware, secrets=secrets)
    return app


def _add_health(app: FastAPI, jobs: TrainingJobs) -> None:
    @app.get(LIVE)
    async def live() -> dict[str, Any]:
        return live_document()

    @app.get(READY)
    async def ready() -> dict[str, Any]:
        return ready_document(service="trainer", training=jobs.running())

    @app.get(METRICS)
    async def metrics() -> Response:
        return metrics_response()


async def _marquee_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, MarqueeError)
    problem = error.document()
    if isinstance(error, InvalidInput) and error.field:
        problem["field"] = error.field
    if isinstance(error, TrainingInProgress):
        problem["training_id"] = error.training_id
    return JSONResponse(problem, error.status)


async def _invalid_body(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:])
    problem = {"code": "invalid_input", "detail": f"{field}: {first['msg']}", "field": field}
    return JSONResponse(problem, 422)


def main(settings: Settings) -> None:
    """Serve until told to stop."""
    serve(create_app(settings), settings, "trainer")
