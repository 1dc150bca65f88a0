"""Buckets of users: what an update stream says of whose facts changed, without naming anybody.

Streams are not erased, so no user's id may be in them. A bucket of 65,536 is shared by all users
with the same two bytes of the digest; whoever follows one of them looks once too often.
"""

import struct
from collections.abc import Iterable

from marquee.events.erasure import digest_of_user

BUCKETS = "users"
"""Name of the buckets in an entry of an update stream."""


def bucket_of_digest(digest: bytes) -> int:
    """Return the bucket, 0 to 65,535, of the user that a digest stands for."""
    return int.from_bytes(digest[:2])


def bucket_of_user(user_id: int) -> int:
    """Return the bucket of a user."""
    return bucket_of_digest(digest_of_user(user_id))


def pack_buckets(user_ids: Iterable[int]) -> bytes:
    """Return the buckets of users as bytes, two for each, in order."""
    buckets = sorted({bucket_of_user(user_id) for user_id in user_ids})
    return struct.pack(f">{len(buckets)}H", *buckets)


def unpack_buckets(packed: bytes) -> tuple[int, ...]:
    """Return the buckets in bytes of `pack_buckets`."""
    return struct.unpack(f">{len(packed) // 2}H", packed[: len(packed) // 2 * 2])
