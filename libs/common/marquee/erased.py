"""The erasure list: who was erased, kept without naming anybody.

It holds a digest of each id with the offset of the erasure, so that what is older (a snapshot, a
model version, a row read a moment ago) can be told from what a viewer did who came back since.
"""

import hashlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt


def digest_of_user(user_id: int) -> bytes:
    """Return the 12 bytes that stand for a viewer."""
    return hashlib.blake2b(b"viewer:%d" % user_id, digest_size=12).digest()


def erased_among(
    user_ids: npt.NDArray[np.int64], erased: Mapping[bytes, int], since: int = 0
) -> npt.NDArray[np.bool_]:
    """Return which of n viewers were erased at offset `since` or later."""
    late = {digest for digest, offset in erased.items() if offset >= since}
    if not late:
        return np.zeros(len(user_ids), bool)
    found = (digest_of_user(user_id) in late for user_id in user_ids.tolist())
    return np.fromiter(found, bool, len(user_ids))
