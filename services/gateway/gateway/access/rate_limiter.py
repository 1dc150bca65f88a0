"""Rate limits that are exact over all replicas: a token bucket in Redis, leased in small parts.

A replica takes as many tokens at once as it has spent in the last tenth of a second, and drops
what it has not spent after that time: so busy callers cost a round trip a tenth of a second rather
than one a request, and all replicas together never give more than the rate. While Redis is away
each replica keeps the whole rate by itself.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import redis

from gateway.upstream.circuit_breaker import CircuitBreaker
from marquee.access.rates import Rate
from marquee.errors import TooManyRequests
from marquee.serving.update_stream import connect

LEASE_S = 0.1
"""How long tokens that were taken from the bucket may be spent."""
TIMEOUT_S = 0.25
MAX_CALLERS = 50_000
"""Callers whose use is kept in memory; the one that called longest ago is forgotten."""

_TAKE = """
local burst, per_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local want, least = tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(held[1] or burst)
tokens = math.min(burst, tokens + math.max(0, now - tonumber(held[2] or now)) * per_ms)
local given = math.min(want, math.floor(tokens))
if given < least then given = 0 end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens - given), 'at', string.format('%.3f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / per_ms) + 1000)
return {given, tostring(tokens - given)}
"""


@dataclass(frozen=True)
class Allowance:
    """What a caller has left after a request, for the RateLimit headers."""

    rate: Rate
    left: int
    reset_s: float
    """Seconds until the whole rate is there again."""

    def headers(self) -> dict[str, str]:
        """Return the headers of draft-ietf-httpapi-ratelimit-headers-10."""
        return {
            "RateLimit-Policy": f'"caller";q={self.rate.count};w={self.rate.seconds}',
            "RateLimit": f'"caller";r={self.left};t={math.ceil(self.reset_s)}',
        }


@dataclass
class _Use:
    """A caller's use of one replica: tokens left of the lease, and what was spent from it."""

    tokens: int = 0
    ends: float = 0.0
    spent: int = 0
    in_bucket: float = 0.0
    """Tokens that were left in the bucket at the lease."""
    refused_until: float = 0.0
    """Until then the bucket has no token, so Redis need not be asked."""
    local: float = 0.0
    """Tokens of the replica's own bucket, used while Redis is away."""
    local_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class RateLimiter:
    """Counts the requests of callers."""

    def __init__(
        self, url: str, namespace: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis: Any = connect(url, TIMEOUT_S)
        self._take = self._redis.register_script(_TAKE)
        self._breaker = CircuitBreaker(clock)
        self._prefix, self._clock = f"{namespace}:access:rate:", clock
        self._uses: OrderedDict[str, _Use] = OrderedDict()

    async def take(self, bucket: str, rate: Rate, cost: int = 1) -> Allowance:
        """Count a request.

        Args:
            bucket: Name of the caller.
            rate: Its limit.
            cost: Requests that it counts as; the whole rate at most.

        Raises:
            TooManyRequests: The caller is above the limit; nothing is counted.
        """
        use = self._use(bucket, rate)
        if (cost := min(cost, rate.count)) > 1:
            given, wait = await self.grant(bucket, rate, cost, least=cost)
            if not given:
                raise _above(rate, wait)
        elif not self._spend(use):
            async with use.lock:
                # Another request may have got a lease while this one waited.
                if not self._spend(use):
                    await self._lease(use, bucket, rate)
                    self._spend_or_refuse(use, rate)
        left = use.tokens + int(use.in_bucket)
        return Allowance(rate, left, max(0.0, rate.count - left) / rate.per_second)

    async def grant(self, bucket: str, rate: Rate, n: int, least: int = 1) -> tuple[int, float]:
        """Take up to a number at once, without a lease: for what comes seldom, or many at a time.

        Args:
            bucket: Name of the bucket.
            rate: Its limit.
            n: How many are wanted.
            least: With fewer nothing is taken.

        Returns:
            How many are given, and the seconds until there are `least` more.
        """
        use = self._use(bucket, rate)
        try:
            arguments = [rate.count, rate.per_second / 1000, n, least]
            given, left = await self._take([self._prefix + bucket], arguments)
            given, left = int(given), float(left)
            use.in_bucket = left
        except (redis.RedisError, OSError, TimeoutError):
            self._lease_locally(use, rate, n, self._clock(), least)
            given, left, use.tokens = use.tokens, use.in_bucket, 0
        return given, max(0.001, (least - left) / rate.per_second)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _use(self, bucket: str, rate: Rate) -> _Use:
        use = self._uses.get(bucket)
        if use is None:
            use = self._uses[bucket] = _Use(local=rate.count, local_at=self._clock())
            if len(self._uses) > MAX_CALLERS:
                self._uses.popitem(last=False)
        else:
            self._uses.move_to_end(bucket)
        return use

    def _spend(self, use: _Use) -> bool:
        if use.tokens < 1 or use.ends <= self._clock():
            return False
        use.tokens -= 1
        use.spent += 1
        return True

    def _spend_or_refuse(self, use: _Use, rate: Rate) -> None:
        if not self._spend(use):
            raise _above(rate, max(0.001, use.refused_until - self._clock()))

    async def _lease(self, use: _Use, bucket: str, rate: Rate) -> None:
        """Take tokens for the next moment: as many as the last moment has spent, at least one."""
        now = self._clock()
        if now < use.refused_until:
            return
        age = now - (use.ends - LEASE_S)
        recent = use.spent if age < 2 * LEASE_S else 0
        want = max(1, min(rate.count, math.ceil(recent * LEASE_S / max(age, LEASE_S / 10))))
        arguments = [rate.count, rate.per_second / 1000, want, 1]
        # One wait for a silent Redis in a while is enough: the callers of a key lease in turn.
        taken = await self._taken(bucket, arguments) if self._breaker.allows() else None
        if taken is None:
            self._lease_locally(use, rate, want, now)
        else:
            use.tokens, use.in_bucket = taken
        use.spent, use.ends = 0, self._clock() + LEASE_S
        if not use.tokens:
            use.refused_until = self._clock() + (1 - use.in_bucket) / rate.per_second

    async def _taken(self, bucket: str, arguments: list[float]) -> tuple[int, float] | None:
        """Take tokens from a bucket: how many, and how many are left; None without Redis."""
        try:
            given, left = await self._take([self._prefix + bucket], arguments)
        except (redis.RedisError, OSError, TimeoutError):
            self._breaker.failed()
            return None
        self._breaker.succeeded()
        return int(given), float(left)

    @staticmethod
    def _lease_locally(use: _Use, rate: Rate, want: int, now: float, least: int = 1) -> None:
        use.local = min(rate.count, use.local + (now - use.local_at) * rate.per_second)
        use.local_at = now
        given = min(want, int(use.local))
        use.tokens = given if given >= least else 0
        use.local -= use.tokens
        use.in_bucket = use.local


def _above(rate: Rate, wait: float) -> TooManyRequests:
    """Return the refusal of a caller above its rate, for so many seconds."""
    headers = Allowance(rate, 0, wait).headers()
    return TooManyRequests(f"more than {rate}: try again in {wait:.1f} s", wait, headers)
