"""The erasure list: who was erased, kept without naming anybody.

It holds a digest of each id with the offset of the erasure, so that what is older (a snapshot, a
model version, a row read a moment ago) can be told from what a viewer did who came back since.
"""

import hashlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from marquee.events.types import RATINGS


def digest_of_user(user_id: int) -> bytes:
    """Return the 12 bytes that stand for a viewer."""
    return hashlib.blake2b(b"viewer:%d" % user_id, digest_size=12).digest()


class ErasureLists:
    """The lists of all partitions of `ratings`: partition → digest → offset of the erasure."""

    def __init__(self) -> None:
        self._offsets: dict[int, dict[bytes, int]] = {}

    def replace(self, partition: int, offsets: Mapping[bytes, int]) -> None:
        """Set a partition's list."""
        self._offsets[partition] = dict(offsets)

    def put(self, partition: int, digest: bytes, offset: int) -> None:
        """Note an erasure."""
        self._offsets.setdefault(partition, {})[digest] = offset

    def since(self, cut: Mapping[str, int]) -> frozenset[bytes]:
        """Return the digests of those who were erased after a training's cut, by partition."""
        return frozenset(
            digest
            for partition, offsets in self._offsets.items()
            for digest, offset in offsets.items()
            if offset >= cut.get(f"{RATINGS}:{partition}", 0)
        )


def erased_among(
    user_ids: npt.NDArray[np.int64], erased: frozenset[bytes]
) -> npt.NDArray[np.bool_]:
    """Return which of n viewers are among those of these digests."""
    if not erased:
        return np.zeros(len(user_ids), bool)
    found = (digest_of_user(user_id) in erased for user_id in user_ids.tolist())
    return np.fromiter(found, bool, len(user_ids))
