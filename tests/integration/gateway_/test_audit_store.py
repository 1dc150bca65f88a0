"""The audit on a real Valkey: written by the real consumer and by commands, read by the gateway."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import orjson
import pytest
import redis

from gateway.consumer import GatewayProjection
from gateway.state.audit_log import CHUNK, AuditFilter, AuditLog, StoredEntry
from marquee.access.api_keys import create_key
from marquee.access.key_store import KeyStore, Who
from marquee.access.scopes import Scope
from marquee.audit.entries import AuditEntry, AuditId
from marquee.audit.operations import operations_key
from marquee.bus.api import Outgoing, Published
from marquee.bus.redis.bus import RedisBus
from marquee.bus.topics import create_topics
from marquee.consumer.worker import Worker
from marquee.errors import NotFound, StoreUnavailable
from marquee.events import MOVIES, RATINGS, Event, MovieAdded, MovieBlocked
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore
from marquee_testing import until
from marquee_testing.threads import looping

PARTITIONS, KEEP = 2, 300


class NoSnapshots:
    def read(self, _: object) -> None:
        return None


@pytest.fixture
def keys(namespace: str) -> Keys:
    return Keys(namespace, "gateway", PARTITIONS)


@pytest.fixture
def bus(redis_url: str, namespace: str) -> Iterator[RedisBus]:
    made = RedisBus(redis_url, namespace)
    create_topics(made, PARTITIONS)
    yield made
    made.close()


@pytest.fixture
async def audit(redis_url: str, keys: Keys) -> AsyncIterator[AuditLog]:
    made = AuditLog(redis_url, keys, KEEP)
    yield made
    await made.close()


def apply(bus: RedisBus, redis_url: str, keys: Keys, events: list[Event]) -> None:
    """Publish events, and let a consumer apply all of them."""
    store = RedisStore(redis_url)
    worker = Worker(keys, (MOVIES, RATINGS), bus, store, NoSnapshots(), GatewayProjection(KEEP))
    places = bus.producer().publish([Outgoing.of(event) for event in events])
    last = {str(place.partition): place for place in places}
    with looping([worker.run]):
        for place in last.values():
            until(partial(is_past, store, keys, place))


def is_past(store: RedisStore, keys: Keys, place: Published) -> bool:
    return (store.position(keys.of(place.partition)) or 0) > place.offset


def block(movie_id: int, reason: str, at: datetime | None = None) -> MovieBlocked:
    fields = {"data": {"movie_id": movie_id}, "reason": reason, "authid": "desk"}
    return MovieBlocked.model_validate(fields | ({"recordedtime": at} if at else {}))


async def pages(audit: AuditLog, wanted: AuditFilter, limit: int) -> list[StoredEntry]:
    found: list[StoredEntry] = []
    last: AuditId | None = None
    while page := await audit.page(wanted, limit, last):
        found += page
        last = page[-1].entry_id
    return found


async def test_entries_of_one_moment_are_paged_in_the_order_of_the_log_and_the_oldest_go(
    bus: RedisBus, redis_url: str, keys: Keys, audit: AuditLog
) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    # More of one millisecond than are read at once, and more of one film than stay.
    n = KEEP + 50
    assert KEEP > CHUNK
    events: list[Event] = [block(1, f"r{number}", at) for number in range(n)]
    film = MovieAdded.model_validate({"data": {"movie_id": 1, "title": "a"}})
    await asyncio.to_thread(apply, bus, redis_url, keys, [film, *events, block(2, "other")])
    found = await pages(audit, AuditFilter(movie_id=1, action="movie.blocked"), 70)
    assert [e.fields["reason"] for e in found] == [f"r{i}" for i in range(n - 1, n - KEEP - 1, -1)]
    # A flood of rules displaces no film.
    [added] = await pages(audit, AuditFilter(action="movie.added"), 10)
    assert await audit.get(added.entry_id) == added
    assert (await audit.film(1) or {})["title"] == "a"
    with pytest.raises(NotFound):
        await audit.get(AuditId.of("rules", at, added.entry_id.partition, 1))
    assert len(await pages(audit, AuditFilter(until=at), 10)) == 0
    newest = await audit.page(AuditFilter(), 1)
    assert newest[0].fields["reason"] == "other"


async def test_an_event_that_comes_twice_leaves_one_entry(
    bus: RedisBus, redis_url: str, keys: Keys, audit: AuditLog
) -> None:
    event = block(3, "twice")
    await asyncio.to_thread(apply, bus, redis_url, keys, [event, event])
    await asyncio.to_thread(apply, bus, redis_url, keys, [event, block(3, "once")])
    found = await pages(audit, AuditFilter(movie_id=3), 10)
    assert [entry.fields["reason"] for entry in found] == ["once", "twice"]


def entry(action: str) -> AuditEntry:
    return AuditEntry(at=datetime.now(UTC), actor="ops", action=action, subject="content")


async def test_an_operation_that_is_cut_off_leaves_its_entry(audit: AuditLog) -> None:
    begun, wanted = asyncio.Event(), AuditFilter(operations=True)

    async def cut_off() -> None:
        async with audit.operation(entry("training.started")):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(cut_off())
    await begun.wait()
    [during] = await audit.page(wanted, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await audit.page(wanted, 10) == [during]
    assert during.fields["outcome"] == "unknown"
    async with audit.operation(entry("model.rolled_back")) as outcome:
        outcome["after"] = {"version": "v1"}
    async with audit.operation(entry("model.rolled_back")) as outcome:
        outcome["refused"] = True
    found = await audit.page(wanted, 10)
    assert len(found) == 2
    [done] = [one for one in found if one.entry_id != during.entry_id]
    assert (done.fields["outcome"], done.fields["after"]) == ("done", {"version": "v1"})
    assert await audit.page(AuditFilter(), 10) == []
    assert await audit.get(done.entry_id) == done


async def test_commands_on_keys_leave_entries_without_anything_secret(
    redis_url: str, namespace: str, audit: AuditLog
) -> None:
    store = KeyStore(redis_url, namespace, Who("root", "new shop", KEEP))
    key, text = create_key("shop", (Scope.READ,))
    store.add(key)
    _, rotated = store.rotate("shop", timedelta(hours=1))
    store.revoke(key.id)
    store.close()
    found = await audit.page(AuditFilter(operations=True), 10)
    by_action = {e.fields["action"]: e.fields for e in found}
    assert len(found) == len(by_action)
    assert {(e.fields["actor"], e.fields["reason"], e.fields["subject"]) for e in found} == {
        ("root", "new shop", "shop")
    }
    names = ("key.revoked", "key.rotated", "key.created")
    revoked, rotation, created = (by_action[name] for name in names)
    assert created["before"] is None
    assert rotation["before"]["id"] == key.id != rotation["after"]["id"]
    assert revoked["before"]["revoked"] is None
    assert revoked["after"]["revoked"]
    told = orjson.dumps([e.fields for e in found]).decode()
    for secret in (text, rotated):
        assert secret.rsplit("_", 1)[1] not in told
    assert key.digest not in told


async def test_a_key_and_its_entry_are_stored_together_or_not_at_all(
    redis_url: str, namespace: str
) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set(operations_key(namespace), "no sorted set")
    store = KeyStore(redis_url, namespace, Who("root"))
    key, _ = create_key("shop", (Scope.READ,))
    with pytest.raises(StoreUnavailable):
        store.add(key)
    store.close()


async def test_without_redis_the_audit_says_so(keys: Keys) -> None:
    audit = AuditLog("redis://127.0.0.1:1/0", keys, KEEP)
    for call in (audit.page(AuditFilter(), 1), audit.rule(1, "block"), audit.film(1)):
        with pytest.raises(StoreUnavailable):
            await call
    with pytest.raises(StoreUnavailable):
        async with audit.operation(entry("training.started")):
            raise AssertionError("it must not begin")
    await audit.close()
