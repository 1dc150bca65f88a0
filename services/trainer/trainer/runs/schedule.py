"""Schedule of trainings: the rule for when one is due, and the loop that starts it."""

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
"""Time between a failed training and the next one that the schedule starts."""


@dataclass(frozen=True)
class TrainingSchedule:
    """Seconds between trainings, and new ratings after which one starts; 0 switches either off."""

    every_s: float
    after_ratings: int


def due(
    schedule: TrainingSchedule,
    now: datetime,
    positions: Mapping[str, int],
    newest: TrainingRecord | None,
    succeeded: TrainingRecord | None,
) -> str | None:
    """Return why a training is due now, or None.

    Args:
        schedule: When trainings are due.
        now: The present time.
        positions: Positions of the history by `topic:partition`.
        newest: The last training, whatever became of it.
        succeeded: The last training that succeeded.
    """
    if newest is not None and not newest.is_over:
        return None
    if newest is not None and newest.status == "failed" and now - newest.started < RETRY:
        return None
    if succeeded is None:
        return "first training" if schedule.every_s or schedule.after_ratings else None
    fresh = new_ratings(positions, succeeded.cut)
    if schedule.after_ratings and fresh >= schedule.after_ratings:
        return f"{fresh:,} new ratings"
    if schedule.every_s and now - succeeded.started >= timedelta(seconds=schedule.every_s):
        return f"{schedule.every_s:g} s have passed"
    return None


def new_ratings(positions: Mapping[str, int], cut: Mapping[str, int]) -> int:
    """Count the events about ratings that the history holds after a cut."""
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
    """Start a training whenever one is due, until cancelled.

    Args:
        look: Returns why a training is due, or None; it may block.
        start: Starts a training for a reason.
        seconds: Time between two looks.
    """
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
