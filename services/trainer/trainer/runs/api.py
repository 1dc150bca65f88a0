"""HTTP routes of trainings: start one, list them, read one; and the schedule that starts them."""

from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from marquee.domain.models import MODEL_NAMES
from marquee.errors import InvalidInput
from marquee.settings import Settings
from trainer.history.history import History
from trainer.runs.jobs import TrainingJobs
from trainer.runs.records import TrainingRecord, TrainingRecords
from trainer.runs.schedule import TrainingSchedule, due, keep_schedule, utc_now

_LISTED = 100
"""Records of trainings that a list has at most."""


class TrainingRequest(BaseModel):
    """The body of a call that starts a training.

    `models` are names; without any, every model that can be trained here is. With `wait` the call
    returns when the training is over.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[str, ...] = ()
    wait: bool = False


def add_trainings(app: FastAPI, records: TrainingRecords, jobs: TrainingJobs) -> None:
    """Add the routes of trainings to an app."""

    @app.post("/internal/trainings")
    async def start(request: TrainingRequest | None = None) -> Response:
        request = request or TrainingRequest()
        _check_models(request.models)
        # Versions that an operator orders pass the same gate as any others.
        stages = (*request.models, "evaluate") if request.models else ()
        record = await jobs.start(stages)
        if not request.wait:
            accepted = {"training_id": record.training_id, "status": record.status}
            return JSONResponse(accepted, 202)
        await jobs.finished()
        return JSONResponse(_json(records.get(record.training_id)))

    @app.get("/internal/trainings")
    def every() -> dict[str, Any]:
        return {"items": [_json(record) for record in records.all()[:_LISTED]]}

    @app.get("/internal/trainings/{training_id}")
    def one(training_id: str) -> dict[str, Any]:
        return _json(records.get(training_id))


async def start_when_due(settings: Settings, records: TrainingRecords, jobs: TrainingJobs) -> None:
    """Start trainings by the schedule of the settings, until cancelled."""
    schedule = TrainingSchedule(settings.train_every_s, settings.train_after_ratings)
    history = History(settings.history, settings.partitions)

    def look() -> str | None:
        if jobs.running() is not None or not _holds_data(settings, history):
            return None
        newest, succeeded = records.newest(), records.newest(succeeded=True)
        return due(schedule, utc_now(), history.cut(), newest, succeeded)

    await keep_schedule(look, lambda reason: jobs.start(reason=reason))


def _holds_data(settings: Settings, history: History) -> bool:
    return any(settings.history.glob("snapshot-*")) or any(history.cut().values())


def _check_models(names: tuple[str, ...]) -> None:
    for name in names:
        if name not in MODEL_NAMES:
            raise InvalidInput(f"models: {name} is none of {', '.join(MODEL_NAMES)}", "models")


def _json(record: TrainingRecord) -> dict[str, Any]:
    return record.model_dump(mode="json")
