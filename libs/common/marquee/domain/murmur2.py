"""Murmur2: the hash of keys by which Kafka's Java client chooses their partitions.

Source: org.apache.kafka.common.utils.Utils.murmur2 and kafka-python's DefaultPartitioner.
"""

import struct

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Return Kafka's 32-bit murmur2 of `data` as an unsigned integer."""
    length = len(data)
    h = _SEED ^ length
    for word in struct.unpack_from(f"<{length // 4}I", data):
        k = word * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    tail = data[length & ~3 :]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15
