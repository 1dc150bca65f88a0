"""Changes of lists that no update stream of the gateway announces: versions, and rules' periods."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from gateway.state.profiles import Profiles
from gateway.upstream.models import Call, Failure, Models
from marquee import telemetry
from marquee.domain.models import MODEL_SPECS
from marquee.health import READY

EVERY_S = 0.5
CALL_S = 1.0


class Woken(Protocol):
    """Those who follow lists."""

    def __len__(self) -> int: ...

    def wake_all(self) -> None:
        """Tell them that their lists may have changed."""
        ...


class Unannounced:
    """Looks twice a second, for all followers of the process together, while there are any.

    A published version is announced before the model services serve it, and by each on its own: so
    they are asked which one they serve. A promotion begins and ends at a time, without an event.
    """

    def __init__(
        self,
        models: Models,
        profiles: Profiles,
        followers: Woken,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Set the parts.

        Args:
            models: The model services.
            profiles: Source of the rules.
            followers: Whom to wake.
            now: The clock.
        """
        self._models, self._profiles, self._followers = models, profiles, followers
        self._now = now
        self._versions: dict[str, str] = {}
        self._in_force: frozenset[tuple[str, int]] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to look, in a task of the event loop."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def look(self) -> bool:
        """Look once, and wake the followers where something is new; return whether it is."""
        served = await asyncio.gather(*(self._version(s.name) for s in MODEL_SPECS.values()))
        # A service that does not answer is as new as it was.
        versions = self._versions | {name: version for name, version in served if version}
        profile = await self._profiles.read(None)
        in_force = profile.rules.in_force(self._now()) if profile.known else self._in_force
        is_new = (versions, in_force) != (self._versions, self._in_force)
        self._versions, self._in_force = versions, in_force
        if is_new:
            self._followers.wake_all()
        return is_new

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            if len(self._followers):
                try:
                    await self.look()
                except Exception as error:
                    telemetry.log.warning("followers may be behind", detail=repr(error))

    async def _version(self, service: str) -> tuple[str, str]:
        reply = await self._models.call(service, Call("GET", READY, None, CALL_S, waits=True))
        if isinstance(reply, Failure) or not isinstance(reply.body, dict):
            return service, ""
        return service, str(reply.body.get("model_version") or "")
