"""Signals that are left out of a blend."""

import pytest
from pydantic import ValidationError

from content.fit import ContentConfig
from content.fit import fit as fit_content
from hybrid.fit import HybridConfig
from hybrid.fit import fit as fit_hybrid
from marquee.training.blending import BlendConfig
from marquee_testing import checkerboard
from marquee_testing.small_fits import SMALL_TASTE
from user_model.fit import UserModelConfig


@pytest.mark.parametrize("config", [ContentConfig, HybridConfig, UserModelConfig])
def test_an_unknown_signal_is_refused_with_those_that_there_are(config: type[BlendConfig]) -> None:
    with pytest.raises(ValidationError, match=f"no signal rhyme; there are .*{config.signals[-1]}"):
        config(without=("rhyme",))


def test_a_signal_left_out_has_no_weight() -> None:
    without_times = {"trend", "first"}
    content = fit_content(
        checkerboard(), ContentConfig(without=("content", "cluster"), taste=SMALL_TASTE), 0
    )
    assert content.weights.signals == set(ContentConfig.signals) - without_times - {
        "content",
        "cluster",
    }
    hybrid = fit_hybrid(
        checkerboard(), HybridConfig(without=("few_ratings",), taste=SMALL_TASTE), 0
    )
    assert hybrid.weights.signals == set(HybridConfig.signals) - without_times - {"few_ratings"}
