"""The audit on a real Valkey: what the consumer leaves, the log gives again after a loss."""

import pytest
import redis

from marquee.audit.entries import decode_member
from marquee.events import (
    MOVIES,
    RATINGS,
    Event,
    MovieAdded,
    MovieBlocked,
    MovieUpdated,
    UserErased,
)
from marquee.settings import Settings
from marquee_testing.simulation.facts_system import FactsSystem, empty, random_events
from trainer.consumer import HistoryConsumer
from trainer.history.history import History
from trainer.operations.erasure_progress import erasure_progress
from trainer.operations.rebuild import Rebuilder

Members = dict[str, dict[bytes, float]]


def audit_of(system: FactsSystem) -> Members:
    """Return every audit entry and receipt, by the last part of its key and its partition."""
    found: Members = {}
    with redis.Redis.from_url(system.settings.redis_url.get_secret_value()) as client:
        for topic in (MOVIES, RATINGS):
            for keys in system.keys("gateway").all(topic):
                for key in (keys.audit_rules, keys.audit_films, keys.erasures):
                    found[key] = dict(client.zrange(key, 0, -1, withscores=True))
    return found


def of_kind(members: Members, name: str) -> dict[tuple[str, bytes], float]:
    return {
        (key, member): score
        for key, held in members.items()
        if key.endswith(name)
        for member, score in held.items()
    }


def settle(system: FactsSystem, history: History, events: list[Event]) -> None:
    with system.running(HistoryConsumer(system.bus, history, seconds=0.05).run):
        system.wait(system.publish(*events))


def conditional(events: list[Event]) -> list[Event]:
    """Return blocks of which every other one expects a rule that is not in force."""
    first = MovieBlocked.model_validate({"data": {"movie_id": 5}, "authid": "shop"})
    met = MovieBlocked.model_validate({"data": {"movie_id": 5}, "expects": first.id})
    missed = MovieBlocked.model_validate({"data": {"movie_id": 5}, "expects": first.id})
    return [*events, first, met, missed]


@pytest.mark.parametrize("compacted", [False, True])
def test_a_rebuild_makes_the_entries_that_were_lost_again(
    system: FactsSystem, history: History, settings: Settings, compacted: bool
) -> None:
    settle(system, history, conditional(random_events(11, 300, strings=True)))
    early = audit_of(system)
    if compacted:
        history.compact()
    settle(system, history, conditional(random_events(12, 200, strings=True)))
    before = audit_of(system)
    blocked = [decode_member(m)[1] for (_, m) in of_kind(before, "audit_rules")]
    assert sum(entry["actor"] == "shop" for entry in blocked) == 2
    empty(settings)
    rebuilder = Rebuilder(settings)
    try:
        list(rebuilder.run(system.services, replace=False))
    finally:
        rebuilder.close()
    after = audit_of(system)
    for name in ("audit_rules", "erasures"):
        assert of_kind(after, name) == of_kind(before, name)
        assert of_kind(before, name)
    films = of_kind(before, "audit_films")
    expected = films.keys() - of_kind(early, "audit_films").keys() if compacted else films.keys()
    assert of_kind(after, "audit_films").keys() == expected
    # And once more, beside what is there.
    rebuilder = Rebuilder(settings)
    try:
        list(rebuilder.run(system.services, replace=True))
    finally:
        rebuilder.close()
    assert audit_of(system) == after


def test_a_rule_that_was_made_under_a_condition_outlives_a_snapshot_and_a_rebuild(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    settle(system, history, conditional([]))
    history.compact()
    keys = system.keys("gateway").movie(5)
    with redis.Redis.from_url(settings.redis_url.get_secret_value()) as client:
        stored = client.hgetall(keys.rules)
        assert stored
        # Filled by the consumer itself, from the snapshot.
        empty(settings)
        settle(
            system, history, [MovieAdded.model_validate({"data": {"movie_id": 5, "title": "a"}})]
        )
        assert client.hgetall(keys.rules) == stored
        empty(settings)
        rebuilder = Rebuilder(settings)
        list(rebuilder.run(system.services, replace=False))
        rebuilder.close()
        assert client.hgetall(keys.rules) == stored


def test_an_erasure_is_followed_by_its_position_alone(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    [place] = system.publish(UserErased.model_validate({"data": {"user_id": 4}}))
    number, offset = place.partition.partition, place.offset
    stores = {r.store: r.left for r in erasure_progress(settings, number, offset)}
    assert stores["redis: gateway"] == "the consumer has not come to the erasure yet"
    assert "next compaction" in stores["history"]
    settle(system, history, [MovieUpdated.model_validate({"data": {"movie_id": 1, "title": "b"}})])
    with system.running(HistoryConsumer(system.bus, history, seconds=0.05).run):
        system.wait([place])
    history.compact()
    stores = {r.store: r.left for r in erasure_progress(settings, number, offset)}
    assert {store for store, left in stores.items() if left} == {"log"}
    assert "until the stream is trimmed" in stores["log"]
