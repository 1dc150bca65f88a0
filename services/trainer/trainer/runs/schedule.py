"""When a training is due, and the loop that starts one then."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from marquee import telemetry
from marquee.errors import MarqueeError
from marquee.events import RATINGS
from trainer.runs.records import TrainingRecord

LOOK_SECONDS = 2.0
RETRY = timedelta(minutes=10)
"""After a training that failed, so long passes before the schedule tries again."""


@dataclass(frozen=True)
class Plan:
    """Seconds between trainings, and new ratings after which one starts; 0: not by this."""

    every_s: float
    after_ratings: int


def due(
    plan: Plan,
    now: datetime,
    positions: Mapping[str, int],
    newest: TrainingRecord | None,
    succeeded: TrainingRecord | None,
) -> str | None:
    """Return why a training is due now, None when none is.

    `positions` are those of the history, `newest` the last training, `succeeded` the last that did.
    """
    if newest is not None and not newest.is_over:
        return None
    if newest is not None and newest.status == "failed" and now - newest.started < RETRY:
        return None
    if succeeded is None:
        return "first training" if plan.every_s or plan.after_ratings else None
    fresh = new_ratings(positions, succeeded.cut)
    if plan.after_ratings and fresh >= plan.after_ratings:
        return f"{fresh:,} new ratings"
    if plan.every_s and now - succeeded.started >= timedelta(seconds=plan.every_s):
        return f"{plan.every_s:g} s have passed"
    return None


def new_ratings(positions: Mapping[str, int], cut: Mapping[str, int]) -> int:
    """Return how many events about ratings the history holds after a cut."""
    return sum(
        max(0, position - cut.get(partition, 0))
        for partition, position in positions.items()
        if partition.startswith(f"{RATINGS}:")
    )


async def keep_schedule(
    look: Callable[[], str | None],
    start: Callable[[str], Awaitable[TrainingRecord]],
    seconds: float = LOOK_SECONDS,
) -> None:
    """Start a training whenever `look`, which may block, says why one is due."""
    while True:
        await asyncio.sleep(seconds)
        try:
            reason = await asyncio.to_thread(look)
            if reason is not None:
                telemetry.log.info("training is due", reason=reason)
                await start(reason)
        except MarqueeError as error:
            telemetry.log.warning("schedule", detail=str(error))


def utc_now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)
