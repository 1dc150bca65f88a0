"""The search for parameters: it climbs, respects the config, and goes on where it was stopped."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel, Field

from marquee_testing import checkerboard
from trainer.evaluation.splits import split_by_user
from trainer.models.parameters import TrainingParameters, read_parameters
from trainer.tuning.coordinate_search import Tried, Values, nested, numbers, search
from trainer.tuning.tune import REPORTED, without_reported, write_parameters


class Inner(BaseModel):
    width: int = Field(4, ge=1, le=16)
    depth: int = 0


class Config(BaseModel):
    penalty: float = 1.0
    wide: bool = True
    inner: Inner = Inner()


def closeness(values: Values) -> float:
    """Return a score that is best at a penalty of 8 and a width of 16 or more."""
    config = Config.model_validate(nested(values))
    return float(-abs(np.log2(config.penalty) - 3) - abs(np.log2(config.inner.width) - 5))


def test_the_search_climbs_to_the_best_values_that_the_config_allows() -> None:
    best, score = search(Config, {}, closeness)
    assert best == {"penalty": 8.0, "inner.width": 16}
    assert score == -1


def test_only_numbers_are_searched() -> None:
    assert list(numbers(Config())) == ["penalty", "inner.width"]


def test_a_score_is_computed_once_even_by_another_search(tmp_path: Path) -> None:
    path = tmp_path / "tuning" / "content.json"
    assert Tried(path, "data").score({"penalty": 2.0}, lambda: 0.5) == 0.5
    assert Tried(path, "data").score({"penalty": 2.0}, lambda: pytest.fail("known")) == 0.5
    assert Tried(path, "other data").score({"penalty": 2.0}, lambda: 0.25) == 0.25


def test_no_reported_user_is_tuned_on() -> None:
    dataset = checkerboard()
    rest = set(without_reported(dataset).user_ids.tolist())
    for fold in REPORTED:
        assert not rest & set(split_by_user(dataset, fold).test.user_ids.tolist())
    assert rest


def test_written_parameters_are_read_back_under_the_comment_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("# What differs.\nseed: 1\n\ncontent: {}\n")
    write_parameters(TrainingParameters(3, {"content": {"inner": {"width": 8}}}), path)
    assert path.read_text().startswith("# What differs.\n")
    assert read_parameters(path).sections == {"content": {"inner": {"width": 8}}}


def test_a_number_in_a_section_leaves_the_defaults_beside_it() -> None:
    class Outer(BaseModel):
        inner: Inner = Inner(width=8, depth=5)

    config = TrainingParameters(1, {"content": {"inner": {"width": 2}}}).config("content", Outer)
    assert config.inner == Inner(width=2, depth=5)
