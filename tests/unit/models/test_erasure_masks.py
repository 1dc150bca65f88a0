"""Users who were erased after a training are masked in what it made."""

import numpy as np

from marquee.events.erasure import ErasureLists, digest_of_user
from marquee_testing import checkerboard
from marquee_testing.small_fits import SMALL_TASTE
from user_model.erasure_mask import without
from user_model.fit import UserModelConfig, fit


def test_a_model_trained_before_serves_without_the_user() -> None:
    model = fit(checkerboard(), UserModelConfig(taste=SMALL_TASTE, clusters=2), 0)
    user = int(model.training.user_ids[3])
    left = without(model, frozenset({digest_of_user(user)}))
    assert user in model.training.user_ids
    assert user not in left.training.user_ids
    counts, before = np.diff(left.training.starts), np.diff(model.training.starts)
    assert counts[3] == 0
    assert np.array_equal(np.delete(counts, 3), np.delete(before, 3))
    assert len(left.training.movies) == left.training.starts[-1]
    assert not left.codes[3].any()
    assert without(model, frozenset({digest_of_user(10**9)})) is model


def test_only_erasures_after_the_cut_of_a_training_mask() -> None:
    lists = ErasureLists()
    lists.replace(0, {b"early": 5, b"late": 10})
    lists.put(1, b"other", 3)
    assert lists.since({"ratings:0": 10, "ratings:1": 4}) == {b"late"}
    assert lists.since({}) == {b"early", b"late", b"other"}
