"""Store of idempotency keys: their requests and responses, bounded in time and bytes.

A key's event ids follow from the key and the request, so that a repeat takes effect once even where
nothing is stored: consumers drop an event whose source and id they have seen. The stored response
makes the repeat's answer equal to the first one's, and a stored request exposes a key that is used
for two different requests.
"""

import hashlib
import time
import zlib
from dataclasses import dataclass
from typing import Any, Protocol

import redis

from marquee import telemetry
from marquee.bus.redis.faults import describe
from marquee.errors import InvalidInput, StoreUnavailable
from marquee.serving.update_stream import connect

RETENTION_S = 24 * 3600
"""Seconds that a key is stored, unless there are too many."""
MAX_STORED_BYTES = 64 * 2**20
"""Limit of all stored keys and responses; the oldest are evicted first."""
TIMEOUT_S = 0.25
_DIGEST = 16
_HEX = 2 * _DIGEST


class KeyReused(InvalidInput):
    """A key was used again for another request."""

    code = "idempotency_key_reused"


@dataclass(frozen=True)
class IdempotentRequest:
    """A call with a key; `again`: an earlier call with it may have taken effect."""

    key: str
    fingerprint: str
    again: bool = False
    is_stored: bool = True
    """Whether the store has the key: without it nothing more is asked of the store."""

    @property
    def seed(self) -> str:
        """A digest of key and request."""
        return _digest(f"{self.key}\0{self.fingerprint}".encode())

    def event_id(self, index: int = 0) -> str:
        """Return the id of the call's event with this index."""
        return f"{self.seed}-{index}"

    def number(self, below: int) -> int:
        """Return a number in 0..below−1, a function of key and request."""
        return int(self.seed, 16) % below


@dataclass(frozen=True)
class StoredResponse:
    """Response of the first call with a key."""

    status: int
    body: bytes


class Idempotency(Protocol):
    """Store of keys; no method raises if the store does not respond."""

    async def begin(self, key: str, fingerprint: str) -> IdempotentRequest | StoredResponse:
        """Return the stored response, or the call to handle.

        Raises:
            KeyReused: The key belongs to another request.
        """
        ...

    async def finish(
        self, idempotent_request: IdempotentRequest, response: StoredResponse
    ) -> StoredResponse:
        """Store a response; return the one to give, the first that was stored."""
        ...

    async def release(self, idempotent_request: IdempotentRequest) -> None:
        """Forget a call without effect, so that a corrected request may use its key."""
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
"""Bytes of a record without its response: its name in three places, and what Redis adds."""


class RedisIdempotency:
    """Keys in Redis, for all replicas of the gateway: bounded in time and in bytes."""

    def __init__(self, url: str, namespace: str, max_bytes: int = MAX_STORED_BYTES) -> None:
        self._redis: Any = connect(url, TIMEOUT_S, max_connections=512)
        self._prefix = f"{namespace}:gateway:{{idempotency}}"
        self._max_bytes = max_bytes
        self._begin = self._redis.register_script(_BEGIN)
        self._finish = self._redis.register_script(_FINISH)
        self._release = self._redis.register_script(_RELEASE)

    async def begin(self, key: str, fingerprint: str) -> IdempotentRequest | StoredResponse:
        """See `Idempotency.begin`."""
        limits = (int(time.time() * 1000), RETENTION_S * 1000, self._max_bytes, _OVERHEAD)
        try:
            record = await self._run(self._begin, key, fingerprint, *limits)
        except StoreUnavailable as error:
            # The write itself is safe: its event ids follow from the key.
            telemetry.log.warning("an idempotency key is not kept", detail=str(error))
            return IdempotentRequest(key, fingerprint, is_stored=False)
        if record is None:
            return IdempotentRequest(key, fingerprint)
        if record[:_HEX].decode() != fingerprint:
            raise KeyReused(
                "Idempotency-Key: it was used for another request; a new request needs a new key",
                "Idempotency-Key",
            )
        return _stored_response(record) or IdempotentRequest(key, fingerprint, again=True)

    async def finish(
        self, idempotent_request: IdempotentRequest, response: StoredResponse
    ) -> StoredResponse:
        """See `Idempotency.finish`."""
        fingerprint = idempotent_request.fingerprint
        value = b"%s %d %s" % (
            fingerprint.encode(),
            response.status,
            zlib.compress(response.body, 1),
        )
        record = await self._end(self._finish, idempotent_request, value)
        if record is None or record[:_HEX].decode() != fingerprint:
            return response
        return _stored_response(record) or response

    async def release(self, idempotent_request: IdempotentRequest) -> None:
        """See `Idempotency.release`."""
        await self._end(self._release, idempotent_request)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _run(self, script: Any, key: str, *arguments: Any) -> bytes | None:
        name = f"{self._prefix}:{_digest(key.encode())}"
        names = [name, *(f"{self._prefix}:{index}" for index in ("order", "sizes", "bytes"))]
        try:
            record: bytes | None = await script(keys=names, args=arguments)
        except (redis.RedisError, OSError) as error:
            raise StoreUnavailable(f"Redis: {describe(error)}") from None
        return record

    async def _end(
        self, script: Any, idempotent_request: IdempotentRequest, *arguments: Any
    ) -> bytes | None:
        """Run a script on a call's key; nothing (None) where the store has lost it."""
        if not idempotent_request.is_stored:
            return None
        key, fingerprint = idempotent_request.key, idempotent_request.fingerprint
        try:
            return await self._run(script, key, fingerprint, *arguments)
        except StoreUnavailable as error:
            telemetry.log.warning("a response is not kept for its key", detail=str(error))
            return None


def fingerprint_of(method: str, path: str, query: bytes, body: bytes, form: bytes = b"") -> str:
    """Return the digest that identifies a request.

    Args:
        method: Its method.
        path: Its path.
        query: Its query.
        body: Its body.
        form: What its headers say of the body, if they say more than that it is JSON.
    """
    parts = (method.encode(), path.encode(), query, body)
    return _digest(b"\0".join((*parts, form) if form else parts))


def _digest(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=_DIGEST).hexdigest()


def _stored_response(record: bytes) -> StoredResponse | None:
    """Return the response in a record, None while there is none."""
    if len(record) <= _HEX:
        return None
    status, _, body = record[_HEX + 1 :].partition(b" ")
    return StoredResponse(int(status), zlib.decompress(body))
