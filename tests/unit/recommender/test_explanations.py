"""Explanations: what may be named as the cause of a recommendation, and with what share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquee.arrays import unit
from marquee.scoring.explanations import contributions


@given(st.integers(0, 6), st.integers(0, 8), st.sampled_from([0.0, 0.2, 0.6]), st.integers(0, 99))
def test_only_what_is_alike_and_counts_explains(k: int, m: int, least: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    codes, sources = (unit(random.normal(size=(n, 3)).astype(np.float32)) for n in (k, m))
    weights = random.uniform(-0.5, 1, m)
    cosines = codes @ sources.T
    for row, explanation in zip(
        cosines, contributions(codes, sources, weights, least), strict=True
    ):
        eligible = [i for i in range(m) if row[i] >= least and row[i] * weights[i] > 0]
        assert {i for i, _ in explanation} <= set(eligible)
        assert len(explanation) == min(3, len(eligible))
        if explanation:
            shares = [share for _, share in explanation]
            assert sum(shares) == pytest.approx(1, abs=1e-3)
            assert shares == sorted(shares, reverse=True)
