"""The search for parameters: it improves, respects the config, and goes on where it was stopped."""

from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel, Field

from marquee_testing import checkerboard
from trainer.evaluation.protocols.splits import split_by_user
from trainer.models.fitting import MODEL_FITS
from trainer.models.parameters import TrainingParameters, read_parameters
from trainer.tuning.parameter_search import SearchSpace, Values, nested, open_study, search
from trainer.tuning.search_space import SEARCHED
from trainer.tuning.tune import REPORTED, without_reported, write_parameters

needs_optuna = pytest.mark.trainer


class Inner(BaseModel):
    width: int = Field(4, ge=1, le=16)
    depth: int = 0


class Config(BaseModel):
    penalty: float = 1.0
    dropout: float = Field(0.5, ge=0, lt=1)
    inner: Inner = Inner()


SPACE = SearchSpace(Config, {}, ("penalty", "dropout", "inner.width"))


def closeness(values: Values) -> float:
    """Return a score that is best at a penalty of 3 and a width of 16."""
    config = Config.model_validate(nested(values))
    return float(-abs(np.log2(config.penalty / 3)) - abs(np.log2(config.inner.width) - 4))


@needs_optuna
def test_the_search_finds_better_values_within_what_the_config_allows(tmp_path: Path) -> None:
    study = open_study(tmp_path / "tuning" / "content.journal", "data")
    best, score = search(SPACE, closeness, study, seed=1, trials=40)
    assert score == closeness(best) > closeness({}) + 1
    assert 0.25 <= best["penalty"] <= 4
    assert 8 <= best["inner.width"] <= 16
    assert study.trials[0].params == {"penalty": 1.0, "dropout": 0.5, "inner.width": 4}


@needs_optuna
def test_values_are_searched_around_the_start_as_far_as_the_config_allows() -> None:
    ranges = SearchSpace(Config, {"penalty": 10.0}, SPACE.keys).ranges()
    bounds = {key: (found.low, found.high) for key, found in ranges.items()}
    assert bounds["penalty"] == (2.5, 40.0)
    assert bounds["inner.width"] == (1, 16)
    assert bounds["dropout"] == pytest.approx((0.125, 0.5 * 2**0.5))


@needs_optuna
def test_a_start_that_nothing_beats_stays_as_it_is(tmp_path: Path) -> None:
    study = open_study(tmp_path / "content.journal", "data")
    space = SearchSpace(Config, {"inner.depth": 2}, SPACE.keys)
    assert search(space, lambda _values: 0.5, study, seed=1, trials=5) == ({"inner.depth": 2}, 0.5)


@needs_optuna
def test_a_stopped_search_goes_on_and_finds_what_an_uninterrupted_one_finds(tmp_path: Path) -> None:
    whole = open_study(tmp_path / "whole.journal", "data")
    search(SPACE, closeness, whole, seed=1, trials=25)
    calls = count()

    def stopped(at: int, values: Values) -> float:
        if next(calls) == at:
            raise KeyboardInterrupt
        return closeness(values)

    path = tmp_path / "stopped.journal"
    for at in (0, 14):
        with pytest.raises(KeyboardInterrupt):
            search(SPACE, partial(stopped, at), open_study(path, "data"), seed=1, trials=25)
    study = open_study(path, "data")
    search(SPACE, closeness, study, seed=1, trials=25)
    params = [trial.params for trial in study.trials if trial.value is not None]
    assert params == [trial.params for trial in whole.trials]


@needs_optuna
def test_a_finished_search_computes_nothing_and_other_data_begin_another(tmp_path: Path) -> None:
    path = tmp_path / "content.journal"
    found = search(SPACE, closeness, open_study(path, "data"), seed=1, trials=5)
    never = search(SPACE, lambda _v: pytest.fail("known"), open_study(path, "data"), 1, trials=5)
    assert never == found
    assert not open_study(path, "other data").trials


@pytest.mark.parametrize("name", ["content", "hybrid", "user-model"])
def test_all_that_is_searched_is_a_number_of_the_config_above_0(name: str) -> None:
    defaults = SearchSpace(MODEL_FITS[name]().config, {}, SEARCHED[name]).defaults
    assert all(isinstance(value, int | float) and value > 0 for value in defaults.values())


@pytest.mark.trainer
def test_all_that_is_searched_of_the_neural_model_is_a_number_above_0() -> None:
    defaults = SearchSpace(MODEL_FITS["neural"]().config, {}, SEARCHED["neural"]).defaults
    assert all(isinstance(value, int | float) and value > 0 for value in defaults.values())


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
