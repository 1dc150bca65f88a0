"""Spread of partitions over the members of a group, topic by topic, with few moves."""

from collections import Counter
from collections.abc import Mapping
from zlib import crc32

from marquee.bus.api import TopicPartition

Owners = dict[TopicPartition, str]
"""Partition → member."""


def spread_partitions(
    topics: Mapping[str, int], owned: Mapping[str, frozenset[TopicPartition]]
) -> Owners:
    """Return who shall read each partition: of each topic every member has as many as another.

    A count over all topics would give one member the topic that carries the load, and another one
    the quiet ones. Where the counts of a topic cannot be equal, those who have fewer partitions in
    all get one more. A member keeps what it has while that is not too much.

    Args:
        topics: Topic → number of partitions.
        owned: Member → the partitions that it has now.
    """
    owners: Owners = {}
    totals = Counter(dict.fromkeys(owned, 0))
    # Topics with many partitions first: the small ones then even the totals out.
    for topic in sorted(topics, key=lambda name: (-topics[name], name)):
        kept = _kept(topic, topics[topic], owned)
        counts = Counter(dict.fromkeys(owned, 0))
        counts.update(kept.values())
        for number in range(topics[topic]):
            partition = TopicPartition(topic, number)
            if partition not in kept and owned:
                ranks = {m: (counts[m], totals[m] + counts[m], _turn(topic, m)) for m in owned}
                kept[partition] = member = min(ranks, key=ranks.__getitem__)
                counts[member] += 1
        totals.update(counts)
        owners |= kept
    return owners


def _kept(topic: str, n: int, owned: Mapping[str, frozenset[TopicPartition]]) -> Owners:
    """Return what members keep of a topic with n partitions: no more than an equal share."""
    share, larger = divmod(n, max(1, len(owned)))
    kept: Owners = {}
    for member in sorted(owned, key=lambda m: (-_count(topic, owned[m]), m)):
        mine = [p for p in sorted(owned[member]) if p.topic == topic and p.partition < n]
        mine = [partition for partition in mine if partition not in kept]
        if len(mine) > share and larger:
            larger -= 1
            mine = mine[: share + 1]
        else:
            mine = mine[:share]
        kept |= dict.fromkeys(mine, member)
    return kept


def _count(topic: str, partitions: frozenset[TopicPartition]) -> int:
    return sum(partition.topic == topic for partition in partitions)


def _turn(topic: str, member: str) -> int:
    """Return a number that orders members, another order for each topic."""
    return crc32(f"{topic}/{member}".encode())
