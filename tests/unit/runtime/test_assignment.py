"""Sharing partitions among members, and what a member is told of them."""

import pytest

from marquee.bus.api import TopicPartition
from marquee.bus.assignment import Assignment, assign_partitions


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("partitions", [1, 4, 12])
def test_each_partition_has_one_reader_and_nobody_has_two_more_than_another(
    count: int, partitions: int
) -> None:
    members = [f"host:{number}" for number in range(count)]
    shares = [assign_partitions(member, members, "ratings", partitions) for member in members]
    assert sorted(p.partition for share_ in shares for p in share_) == list(range(partitions))
    sizes = [len(share_) for share_ in shares]
    assert max(sizes) - min(sizes) <= 1


def test_the_order_in_which_members_are_seen_does_not_matter() -> None:
    assert assign_partitions("b", ["c", "a", "b"], "movies", 4) == assign_partitions(
        "b", ["a", "b", "c"], "movies", 4
    )


def test_topics_of_one_partition_do_not_all_fall_to_one_member() -> None:
    topics = [f"topic-{number}" for number in range(20)]
    mine = [topic for topic in topics if assign_partitions("a", ["a", "b"], topic, 1)]
    assert 0 < len(mine) < len(topics)


def test_who_is_no_member_gets_nothing() -> None:
    assert assign_partitions("z", ["a"], "ratings", 4) == set()


def test_a_partition_that_was_away_meanwhile_is_announced_anew() -> None:
    told: list[str] = []

    def assigned(partition: TopicPartition) -> int:
        told.append(f"+{partition}")
        return 5

    assignment = Assignment(assigned, lambda partition: told.append(f"-{partition}"))
    one, two = TopicPartition("ratings", 1), TopicPartition("ratings", 2)
    assert assignment.reconcile({one: 1, two: 1}) == {one, two}
    assert assignment.reconcile({one: 1, two: 2}) == {two}
    assert assignment.reconcile({one: 1}) == set()
    assert told == ["+ratings:1", "+ratings:2", "-ratings:2", "+ratings:2", "-ratings:2"]
    assert assignment.positions == {one: 5}


def test_what_could_not_be_announced_is_announced_next_time() -> None:
    one, two = TopicPartition("ratings", 1), TopicPartition("ratings", 2)
    faults = [RuntimeError("the store is away")]

    def assigned(partition: TopicPartition) -> int:
        if partition == two and faults:
            raise faults.pop()
        return 0

    assignment = Assignment(assigned, lambda _: None)
    with pytest.raises(RuntimeError, match="the store is away"):
        assignment.reconcile({one: 1, two: 2})
    assert assignment.positions == {one: 0}
    assert assignment.reconcile({one: 1, two: 2}) == {two}
