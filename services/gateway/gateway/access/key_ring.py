"""Key ring: the API keys of Redis in memory, read again four times a second.

A key that was revoked stops working within that time on every replica, and keys that are known go
on working while Redis is away. No request waits for Redis because of its key.
"""

import asyncio
from typing import Any

from redis.exceptions import RedisError

from marquee import telemetry
from marquee.access.api_keys import ApiKey
from marquee.access.key_store import keys_name
from marquee.bus.redis.faults import describe

PAUSE_S = 0.25


class KeyRing:
    """The keys of one namespace; `start` and `close` belong to a running event loop."""

    def __init__(self, client: Any, namespace: str) -> None:
        """Know no key yet.

        Args:
            client: asyncio client of Redis.
            namespace: The namespace.
        """
        self._redis, self._name = client, keys_name(namespace)
        self._stored: dict[bytes, bytes] | None = None
        self._keys: dict[str, ApiKey] = {}
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False

    @property
    def is_read(self) -> bool:
        """Whether the keys have been read once."""
        return self._stored is not None

    def get(self, key_id: str) -> ApiKey | None:
        """Return a key, valid or not; None: there is none of this id."""
        return self._keys.get(key_id)

    async def read(self) -> None:
        """Read the keys.

        Raises:
            RedisError, OSError: Redis does not answer; the keys of before stay.
        """
        stored = await self._redis.hgetall(self._name)
        if stored != self._stored:
            keys = [ApiKey.model_validate_json(value) for value in stored.values()]
            self._keys, self._stored = {key.id: key for key in keys}, stored

    def start(self) -> None:
        """Follow the keys."""
        self._task = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Follow them no more."""
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _follow(self) -> None:
        is_away = False
        # A client may swallow the one cancellation that it gets, hence the flag.
        while not self._is_closed:
            try:
                await self.read()
                is_away = False
            except (RedisError, OSError, ValueError) as error:
                if not is_away:
                    telemetry.log.warning("keys cannot be read", reason=describe(error))
                is_away = True
            await asyncio.sleep(PAUSE_S)
