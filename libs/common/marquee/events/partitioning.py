"""Partitioning of keys: murmur2 of the decimal text, as in Kafka's Java client.

Source: org.apache.kafka.common.utils.Utils.murmur2 and kafka-python's DefaultPartitioner.
librdkafka needs `partitioner=murmur2_random` to agree.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Return Kafka's 32-bit murmur2 of `data` as an unsigned integer."""
    length = len(data)
    h = _SEED ^ length
    for i in range(0, length - 3, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    tail = data[length & ~3 :]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_of(key: int | str, partitions: int) -> int:
    """Return the partition of a key (its decimal ASCII text) among `partitions`."""
    return partition_of_bytes(str(key).encode(), partitions)


@lru_cache(1 << 14)
def partition_of_bytes(key: bytes, partitions: int) -> int:
    """Return the partition of an encoded key among `partitions`."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def partitions_of(keys: npt.NDArray[np.int64], partitions: int) -> npt.NDArray[np.int64]:
    """Return `partition_of` for each of n integer keys, hashing each distinct key once."""
    distinct, inverse = np.unique(keys, return_inverse=True)
    of_distinct = np.fromiter(
        (partition_of(int(key), partitions) for key in distinct), np.int64, len(distinct)
    )
    return of_distinct[inverse]
