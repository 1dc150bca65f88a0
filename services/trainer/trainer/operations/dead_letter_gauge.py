"""The gauge of dead letters, exported by the trainer's app because only one instance runs."""

import asyncio
import contextlib

from marquee import telemetry
from marquee.bus.log import open_log
from marquee.dead_letters.gauge import DeadLetterGauge
from marquee.errors import MarqueeError
from marquee.settings import Settings

LOOK_SECONDS = 15.0


async def count_dead_letters(settings: Settings, seconds: float = LOOK_SECONDS) -> None:
    """Count the dead letters periodically, until cancelled; errors are logged and retried."""
    counts = DeadLetterGauge(open_log(settings))
    try:
        while True:
            try:
                await asyncio.to_thread(counts.update)
            except MarqueeError as error:
                telemetry.log.warning("dead letters are not counted", detail=str(error))
            await asyncio.sleep(seconds)
    finally:
        with contextlib.suppress(MarqueeError):
            counts.close()
