"""What `Idempotency-Key` stands on: which keys were used, for what, and what was answered.

A key's event ids follow from the key and the request, so that a repeat takes effect once even where
nothing is kept here: consumers drop an event whose source and id they have seen. What is kept makes
the repeat's answer the first one's, and tells a key that is used for two different requests.
"""

import hashlib
import time
import zlib
from dataclasses import dataclass
from typing import Any, Protocol

import redis

from marquee import telemetry
from marquee.errors import InvalidInput
from marquee.serving.update_stream import connect

RETENTION_S = 24 * 3600
"""So long a key is remembered, unless there are too many."""
MAX_STORED_BYTES = 64 * 2**20
"""So many bytes all that is remembered may take: the oldest keys go first."""
TIMEOUT_S = 0.5
_DIGEST = 16
_HEX = 2 * _DIGEST


class KeyReused(InvalidInput):
    """A key came again with another request."""

    code = "idempotency_key_reused"


@dataclass(frozen=True)
class IdempotentRequest:
    """One call with a key; `again`: one before it with the same request may have taken effect."""

    key: str
    fingerprint: str
    again: bool = False

    @property
    def seed(self) -> str:
        """Text that is the same for the same key and request, and for no others."""
        return _digest(f"{self.key}\0{self.fingerprint}".encode())

    def event_id(self, index: int = 0) -> str:
        """Return the id of the event with this index among those of the call."""
        return f"{self.seed}-{index}"

    def number(self, below: int) -> int:
        """Return a number in 0..below−1 that is the same for the same key and request."""
        return int(self.seed, 16) % below


@dataclass(frozen=True)
class StoredResponse:
    """What the first call with a key was answered."""

    status: int
    body: bytes


class Idempotency(Protocol):
    """Where keys are kept; no call raises because the store does not answer."""

    async def begin(self, key: str, fingerprint: str) -> IdempotentRequest | StoredResponse:
        """Return the kept answer, or the attempt to make; KeyReused for another request."""
        ...

    async def finish(
        self, idempotent_request: IdempotentRequest, answer: StoredResponse
    ) -> StoredResponse:
        """Keep an answer, and return the one to give: the first that was kept."""
        ...

    async def release(self, idempotent_request: IdempotentRequest) -> None:
        """Forget an attempt that had no effect, so that a mended request may have its key."""
        ...


_BEGIN = """
local record, order, sizes, total = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now, kept_ms, kept_bytes = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local held = redis.call('GET', record)
if held then return held end
for _ = 1, 100 do
  local oldest = redis.call('ZRANGE', order, 0, 0, 'WITHSCORES')
  local bytes = tonumber(redis.call('GET', total) or '0')
  if not oldest[1] or (tonumber(oldest[2]) > now - kept_ms and bytes < kept_bytes) then break end
  redis.call('DEL', oldest[1])
  redis.call('ZREM', order, oldest[1])
  redis.call('DECRBY', total, redis.call('HGET', sizes, oldest[1]) or 0)
  redis.call('HDEL', sizes, oldest[1])
end
redis.call('SET', record, ARGV[1], 'PX', kept_ms)
redis.call('ZADD', order, now, record)
redis.call('INCRBY', total, ARGV[5])
redis.call('HSET', sizes, record, ARGV[5])
return false
"""
_FINISH = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return held end
if not held then return false end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
redis.call('INCRBY', KEYS[4], #ARGV[2])
redis.call('HINCRBY', KEYS[3], KEYS[1], #ARGV[2])
return false
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], KEYS[1])
redis.call('DECRBY', KEYS[4], redis.call('HGET', KEYS[3], KEYS[1]) or 0)
redis.call('HDEL', KEYS[3], KEYS[1])
return false
"""
_OVERHEAD = 400
"""Bytes of a record without its answer: its name in three places, and what Redis adds."""


class RedisIdempotency:
    """Keys in Redis, for all replicas of the gateway: bounded in time and in bytes."""

    def __init__(self, url: str, namespace: str, max_bytes: int = MAX_STORED_BYTES) -> None:
        self._redis: Any = connect(url, TIMEOUT_S, max_connections=512)
        self._prefix = f"{namespace}:gateway:{{idempotency}}"
        self._kept_bytes = max_bytes
        self._begin = self._redis.register_script(_BEGIN)
        self._finish = self._redis.register_script(_FINISH)
        self._release = self._redis.register_script(_RELEASE)

    async def begin(self, key: str, fingerprint: str) -> IdempotentRequest | StoredResponse:
        """See `Idempotency.begin`."""
        limits = (int(time.time() * 1000), RETENTION_S * 1000, self._kept_bytes, _OVERHEAD)
        held = await self._run(self._begin, key, fingerprint, *limits)
        if held is None:
            return IdempotentRequest(key, fingerprint)
        if held[:_HEX].decode() != fingerprint:
            raise KeyReused(
                "Idempotency-Key: it was used for another request; a new request needs a new key",
                "Idempotency-Key",
            )
        return _kept(held) or IdempotentRequest(key, fingerprint, again=True)

    async def finish(
        self, idempotent_request: IdempotentRequest, answer: StoredResponse
    ) -> StoredResponse:
        """See `Idempotency.finish`."""
        fingerprint = idempotent_request.fingerprint
        value = b"%s %d %s" % (fingerprint.encode(), answer.status, zlib.compress(answer.body, 1))
        held = await self._run(self._finish, idempotent_request.key, fingerprint, value)
        if held is None or held[:_HEX].decode() != fingerprint:
            return answer
        return _kept(held) or answer

    async def release(self, idempotent_request: IdempotentRequest) -> None:
        """See `Idempotency.release`."""
        await self._run(self._release, idempotent_request.key, idempotent_request.fingerprint)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _run(self, script: Any, key: str, *arguments: Any) -> bytes | None:
        record = f"{self._prefix}:{_digest(key.encode())}"
        names = [record, *(f"{self._prefix}:{name}" for name in ("order", "sizes", "bytes"))]
        try:
            held: bytes | None = await script(keys=names, args=arguments)
        except (redis.ConnectionError, redis.TimeoutError, OSError, TimeoutError) as error:
            # The write itself is safe: its event ids follow from the key.
            telemetry.log.warning("an idempotency key is not kept", detail=str(error))
            return None
        return held


def fingerprint_of(method: str, path: str, query: bytes, body: bytes) -> str:
    """Return what tells two requests apart."""
    return _digest(b"\0".join((method.encode(), path.encode(), query, body)))


def _digest(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=_DIGEST).hexdigest()


def _kept(held: bytes) -> StoredResponse | None:
    """Return the answer that a record holds; None while there is none."""
    if len(held) <= _HEX:
        return None
    status, _, body = held[_HEX + 1 :].partition(b" ")
    return StoredResponse(int(status), zlib.decompress(body))
