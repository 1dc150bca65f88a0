"""The erasure list: digests of the ids of erased users, which name nobody.

It contains a digest of each id with the offset of the erasure, so that older data (a snapshot, a
model version, a row read a moment ago) can be told from events of a user who came back since.
"""

import hashlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from marquee.events.types import RATINGS


def digest_of_user(user_id: int) -> bytes:
    """Return the 12 bytes that stand for a user in erasure lists."""
    return hashlib.blake2b(b"viewer:%d" % user_id, digest_size=12).digest()


class ErasureLists:
    """The erasure lists of all partitions of `ratings`: partition → digest → offset."""

    def __init__(self) -> None:
        self._offsets: dict[int, dict[bytes, int]] = {}

    def replace(self, partition: int, offsets: Mapping[bytes, int]) -> None:
        """Set a partition's list."""
        self._offsets[partition] = dict(offsets)

    def put(self, partition: int, digest: bytes, offset: int) -> None:
        """Add an erasure."""
        self._offsets.setdefault(partition, {})[digest] = offset

    def since(self, cut: Mapping[str, int]) -> frozenset[bytes]:
        """Return the digests of users erased since a cut (`topic:partition` → offset)."""
        return frozenset(
            digest
            for partition, offsets in self._offsets.items()
            for digest, offset in offsets.items()
            if offset >= cut.get(f"{RATINGS}:{partition}", 0)
        )


def erased_among(
    user_ids: npt.NDArray[np.int64], erased: frozenset[bytes]
) -> npt.NDArray[np.bool_]:
    """Return a mask, n, of the users whose digests are among these."""
    if not erased:
        return np.zeros(len(user_ids), bool)
    is_erased = (digest_of_user(user_id) in erased for user_id in user_ids.tolist())
    return np.fromiter(is_erased, bool, len(user_ids))
