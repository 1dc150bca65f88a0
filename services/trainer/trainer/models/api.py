"""HTTP routes of model versions: list them, read one model, roll back to an earlier version."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

from marquee.settings import Settings
from trainer.models.versions import list_models, read_model, roll_back

MoveAlias = Callable[[str, str], Coroutine[Any, Any, None]]
"""Called with a model and the version that serves again, after a rollback."""


class RollbackRequest(BaseModel):
    """The version that shall serve again; None: the one before the serving version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str | None = None


def add_models(app: FastAPI, settings: Settings, move_alias: MoveAlias) -> None:
    """Add the routes of model versions to an app."""
    tasks: set[asyncio.Task[None]] = set()

    @app.get("/internal/models")
    def every() -> dict[str, Any]:
        return {"items": [model.as_json() for model in list_models(settings)]}

    @app.get("/internal/models/{name}")
    def one(name: str) -> dict[str, Any]:
        return read_model(settings, name).as_json()

    @app.post("/internal/models/{name}/rollback")
    async def rollback(name: str, request: RollbackRequest | None = None) -> dict[str, Any]:
        version = request.version if request else None
        target = await asyncio.to_thread(roll_back, settings, name, version)
        task = asyncio.create_task(move_alias(name, target.version))
        tasks.add(task)  # the event loop holds only weak references
        task.add_done_callback(tasks.discard)
        return target.model_dump()
