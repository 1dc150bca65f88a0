"""Partitioning of keys: murmur2 of the text of the id, as in Kafka's Java client.

librdkafka needs `partitioner=murmur2_random` to agree.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from marquee.domain.ids import MURMUR2_BITS
from marquee.domain.murmur2 import murmur2


def partition_of(key: int | str, partitions: int) -> int:
    """Return the partition of a key among `partitions`: a text, or the number of an id."""
    if isinstance(key, str):
        return partition_of_bytes(key.encode(), partitions)
    if key < 0:  # the number of a string contains murmur2 of its text
        return (key & MURMUR2_BITS) % partitions
    return partition_of_bytes(b"%d" % key, partitions)


@lru_cache(1 << 14)
def partition_of_bytes(key: bytes, partitions: int) -> int:
    """Return the partition of an encoded key among `partitions`."""
    return (murmur2(key) & MURMUR2_BITS) % partitions


def partitions_of(keys: npt.NDArray[np.int64], partitions: int) -> npt.NDArray[np.int64]:
    """Return `partition_of` for each of n numbers of ids, hashing each distinct one once."""
    distinct, inverse = np.unique(keys, return_inverse=True)
    of_distinct = (distinct & MURMUR2_BITS) % partitions
    whole = np.flatnonzero(distinct >= 0)
    of_distinct[whole] = [partition_of(key, partitions) for key in distinct[whole].tolist()]
    return of_distinct[inverse]
