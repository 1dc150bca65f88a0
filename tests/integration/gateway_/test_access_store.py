"""Keys and limits of several gateways on one Redis."""

import asyncio
import time
from datetime import timedelta

import pytest
from redis.exceptions import RedisError

from gateway.access.key_ring import PAUSE_S, KeyRing
from gateway.access.rate_limiter import LEASE_S, RateLimiter
from marquee.access.api_keys import create_key, split_key
from marquee.access.key_store import KeyStore, Who
from marquee.access.rates import Rate
from marquee.access.scopes import GRANTED, Scope
from marquee.errors import Conflict, NotFound, StoreUnavailable, TooManyRequests
from marquee.serving.update_stream import connect
from marquee_local.servers import free_port
from marquee_testing import Restartable
from marquee_testing.causes.services import impostor
from marquee_testing.waiting import PATIENCE, until_async

WHO = Who("ops")
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def store(redis_url: str, namespace: str) -> KeyStore:
    return KeyStore(redis_url, namespace, WHO)


def test_a_name_has_one_valid_key_until_it_is_rotated(store: KeyStore) -> None:
    first, _ = create_key("shop", (Scope.READ,), timedelta(days=90), Rate(200, 1))
    store.add(first)
    with pytest.raises(Conflict, match="there is a valid key 'shop'; rotate it"):
        store.add(create_key("shop", GRANTED)[0])
    second, text = store.rotate("shop", timedelta(days=1))
    assert (second.scopes, second.rate) == (first.scopes, first.rate)
    assert second.expires is not None
    assert second.expires - second.created == timedelta(days=90)
    parts = split_key(text)
    assert parts is not None
    assert second.has_secret(parts[1])
    old, new = store.all()
    assert (old.id, new.id) == (first.id, second.id)
    assert old.expires is not None
    assert abs(old.expires - second.created - timedelta(days=1)) < timedelta(seconds=5)
    assert {key.id for key in store.revoke("shop")} == {first.id, second.id}
    for change in (lambda: store.revoke("shop"), lambda: store.rotate("shop", timedelta(days=1))):
        with pytest.raises(NotFound, match="there is no valid key 'shop'"):
            change()
    store.add(create_key("shop", GRANTED)[0])


def test_one_key_is_revoked_by_its_id(store: KeyStore) -> None:
    store.add(create_key("shop", GRANTED)[0])
    new, _ = store.rotate("shop", timedelta(hours=1))
    [ended] = store.revoke(store.all()[0].id)
    assert ended.id != new.id
    assert [key.revoked is None for key in store.all()] == [False, True]


def test_without_redis_a_command_says_so() -> None:
    with pytest.raises(StoreUnavailable, match="keys: "):
        KeyStore(NOWHERE, "x", WHO).all()


async def test_a_change_reaches_every_gateway_within_a_second(
    store: KeyStore, redis_url: str, namespace: str
) -> None:
    clients = [connect(redis_url) for _ in range(2)]
    rings = [KeyRing(client, namespace) for client in clients]
    key, _ = create_key("shop", GRANTED)
    for ring in rings:
        ring.start()
    store.add(key)
    await until_async(lambda: all(ring.get(key.id) == key for ring in rings), 1.0)
    store.revoke("shop")

    def are_revoked() -> bool:
        known = [ring.get(key.id) for ring in rings]
        return all(one is not None and one.revoked is not None for one in known)

    started = time.monotonic()
    await until_async(are_revoked, 1.0)
    assert time.monotonic() - started < 1.0 + PAUSE_S
    for ring, client in zip(rings, clients, strict=True):
        await ring.close()
        await client.aclose()


async def test_known_keys_outlive_redis(redis_server: Restartable, namespace: str) -> None:
    store = KeyStore(redis_server.address, namespace, WHO)
    key, _ = create_key("shop", GRANTED)
    store.add(key)
    client = connect(redis_server.address, 0.5)
    ring = KeyRing(client, namespace)
    ring.start()
    await until_async(lambda: ring.get(key.id) is not None)
    with redis_server.outage():
        with pytest.raises((RedisError, OSError)):
            await ring.read()
        assert ring.get(key.id) == key
    other, _ = create_key("other", GRANTED)
    KeyStore(redis_server.address, namespace, WHO).add(other)
    await until_async(lambda: ring.get(other.id) is not None)
    await ring.close()
    await client.aclose()


async def _spend(limiter: RateLimiter, rate: Rate, seconds: float) -> tuple[int, int]:
    """Ask for as much as goes for some seconds; return what was taken and refused."""
    taken = refused = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            await limiter.take("caller", rate)
            taken += 1
        except TooManyRequests:
            refused += 1
            await asyncio.sleep(0.001)
    return taken, refused


@pytest.mark.parametrize("rate", [Rate(200, 1), Rate(600, 60)], ids=str)
async def test_replicas_together_never_give_more_than_the_rate(
    redis_url: str, namespace: str, rate: Rate
) -> None:
    limiters = [RateLimiter(redis_url, namespace) for _ in range(3)]
    started = time.monotonic()
    spent = await asyncio.gather(*(_spend(limiter, rate, 2.0) for limiter in limiters))
    seconds = time.monotonic() - started
    taken = sum(one for one, _ in spent)
    most = rate.count + rate.per_second * (seconds + LEASE_S)
    assert taken <= most
    assert taken >= 0.8 * (rate.count + rate.per_second * 2.0)
    assert sum(refused for _, refused in spent) > 0
    for limiter in limiters:
        await limiter.close()


async def test_callers_have_limits_of_their_own(redis_url: str, namespace: str) -> None:
    limiter, rate = RateLimiter(redis_url, namespace), Rate(2, 3600)
    for caller in ("a", "b"):
        lefts = [(await limiter.take(caller, rate)).left for _ in range(2)]
        assert lefts == [1, 0]
        with pytest.raises(TooManyRequests, match="more than 2/h: try again in"):
            await limiter.take(caller, rate)
    await limiter.close()


@pytest.mark.parametrize("is_away", [False, True])
async def test_a_dear_call_counts_as_several_or_as_none(
    redis_url: str, namespace: str, is_away: bool
) -> None:
    limiter, rate = RateLimiter(NOWHERE if is_away else redis_url, namespace), Rate(10, 3600)
    assert (await limiter.take("a", rate, 4)).left == 6
    assert (await limiter.take("a", rate, 4)).left == 2
    with pytest.raises(TooManyRequests) as refused:
        await limiter.take("a", rate, 4)
    assert 360 < refused.value.retry_after_s <= 720
    assert [(await limiter.take("a", rate)).left for _ in range(2)] == [1, 0]
    with pytest.raises(TooManyRequests):
        await limiter.take("a", rate)
    assert (await limiter.take("b", rate, 100)).left == 0  # all of the rate, at most
    await limiter.close()


async def test_without_redis_each_replica_keeps_the_rate_by_itself(namespace: str) -> None:
    limiter, rate = RateLimiter(NOWHERE, namespace), Rate(50, 3600)
    lefts = [(await limiter.take("caller", rate)).left for _ in range(50)]
    assert lefts == list(range(49, -1, -1))
    with pytest.raises(TooManyRequests) as refused:
        await limiter.take("caller", rate)
    assert 60 < refused.value.retry_after_s <= 3600 / 50
    await limiter.close()


async def test_a_silent_redis_costs_the_callers_of_a_key_one_wait(namespace: str) -> None:
    with impostor(port := free_port(), "silent"):
        limiter = RateLimiter(f"redis://127.0.0.1:{port}/0", namespace)
        started = time.monotonic()
        await asyncio.gather(*(limiter.take("caller", Rate(50, 3600)) for _ in range(20)))
        assert time.monotonic() - started < 1.5 * PATIENCE
        await limiter.close()
