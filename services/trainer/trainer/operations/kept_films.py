"""The films that imports have left unmatched, matched again as the catalogue changes.

The trainer's app does it, because only one instance runs.
"""

import asyncio

from marquee import telemetry
from marquee.errors import MarqueeError
from marquee.settings import Settings
from trainer.operations.own_ratings import OwnRatingsImport

LOOK_SECONDS = 60.0


class KeptFilms:
    """Matches kept films whenever the catalogue has changed since the last time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seen: tuple[object, ...] | None = None

    def look(self) -> int:
        """Match all that is kept if the catalogue has changed; return the events published.

        Raises:
            MarqueeError: The store or the bus does not answer; what is kept stays.
        """
        importer = OwnRatingsImport(self._settings)
        try:
            users = importer.users()
            if not users:
                return 0
            state = tuple(importer.catalogue_positions())
            if state == self._seen:
                return 0
            reports = [importer.retry(user_id, False, _silent) for user_id in users]
        finally:
            importer.close()
        self._seen = state
        return sum(report.sent.total() for report in reports)


async def match_kept_films(settings: Settings, seconds: float = LOOK_SECONDS) -> None:
    """Match kept films periodically, until cancelled; errors are logged and retried."""
    kept = KeptFilms(settings)
    while True:
        try:
            published = await asyncio.to_thread(kept.look)
            if published:
                telemetry.log.info("films of imports have arrived", events=published)
        except (MarqueeError, OSError) as error:
            telemetry.log.warning("films of imports are not matched", detail=str(error))
        await asyncio.sleep(seconds)


def _silent(_sent: int, _of: int) -> None:
    """Tell nobody."""
