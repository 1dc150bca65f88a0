"""HTTP routes of operations: how far an erasure is."""

from typing import Annotated, Any

from fastapi import FastAPI, Path

from marquee.settings import Settings
from trainer.operations.erasure_progress import erasure_progress


def add_erasures(app: FastAPI, settings: Settings) -> None:
    """Add the route of erasures to an app."""

    @app.get("/internal/erasures/{partition}/{offset}")
    def progress(
        partition: Annotated[int, Path(ge=0, lt=settings.partitions)],
        offset: Annotated[int, Path(ge=0)],
    ) -> dict[str, Any]:
        receipts = erasure_progress(settings, partition, offset)
        return {"items": [{"store": r.store, "left": r.left} for r in receipts]}
