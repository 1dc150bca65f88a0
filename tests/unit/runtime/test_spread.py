"""Spread of partitions over members: equal for each topic, and with few moves."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquee.bus.api import TopicPartition
from marquee.bus.spread import Owners, spread_partitions

TOPICS = {"movies": 4, "ratings": 4, "models": 1}
Topics = dict[str, int]
topic_sizes = st.dictionaries(st.sampled_from(["movies", "ratings", "models"]), st.integers(1, 12))


def owned_by(owners: Owners, members: list[str]) -> dict[str, frozenset[TopicPartition]]:
    return {
        member: frozenset(p for p, owner in owners.items() if owner == member) for member in members
    }


def shares(owners: Owners, topic: str, members: list[str]) -> list[int]:
    """Return how many partitions of a topic each member has."""
    counts = Counter(owner for partition, owner in owners.items() if partition.topic == topic)
    return [counts[member] for member in members]


@given(topic_sizes, st.integers(1, 6), st.data())
def test_every_partition_has_a_reader_and_each_topic_is_shared_equally(
    topics: Topics, n: int, data: st.DataObject
) -> None:
    members = [f"m{number}" for number in range(n)]
    # Two more than there are: a member may tell of partitions that are gone.
    partitions = [TopicPartition(t, p) for t, count in topics.items() for p in range(count + 2)]
    some = st.frozensets(st.sampled_from(partitions)) if partitions else st.just(frozenset())
    owned = {member: data.draw(some) for member in members}
    owners = spread_partitions(topics, owned)
    wanted = {TopicPartition(t, p) for t, count in topics.items() for p in range(count)}
    assert set(owners) == wanted
    for topic in topics:
        counts = shares(owners, topic, members)
        assert max(counts) - min(counts) <= 1


@given(topic_sizes, st.lists(st.integers(1, 6), min_size=1, max_size=6))
def test_who_stays_keeps_what_is_not_too_much(topics: Topics, sizes: list[int]) -> None:
    owners: Owners = {}
    for n in sizes:
        members = [f"m{number}" for number in range(n)]
        before, owners = owners, spread_partitions(topics, owned_by(owners, members))
        again = spread_partitions(topics, owned_by(owners, members))
        assert again == owners
        for topic, count in topics.items():
            moved = [
                p
                for p, owner in before.items()
                if p.topic == topic and owner in members and owners[p] != owner
            ]
            held = shares(before, topic, members)
            most = -(-count // n)
            least = count // n
            # A member gives up what is above the larger share, or the smaller one if all are taken.
            assert len(moved) <= sum(max(0, one - least) for one in held)
            if max(held) <= least:
                assert not moved
            assert max(shares(owners, topic, members)) <= most


@pytest.mark.parametrize(("n", "largest"), [(1, 4), (2, 2), (3, 2), (4, 1), (5, 1)])
def test_the_topic_that_carries_the_load_is_shared(n: int, largest: int) -> None:
    members = [f"m{number}" for number in range(n)]
    owners = spread_partitions(TOPICS, {member: frozenset() for member in members})
    for topic in ("ratings", "movies"):
        assert max(shares(owners, topic, members)) == largest


def test_the_small_topic_evens_the_totals_out() -> None:
    owners = spread_partitions({"ratings": 3, "models": 1}, {"a": frozenset(), "b": frozenset()})
    assert sorted(Counter(owners.values()).values()) == [2, 2]


def test_nobody_is_given_nothing() -> None:
    assert spread_partitions(TOPICS, {}) == {}
