"""Parameter search by optuna: tree-structured Parzen estimator (Bergstra et al. 2011), resumable.

A study is a journal file, to which each trial is appended. Every trial samples with a seed of its
own, so that a search that was stopped and resumed finds what an uninterrupted one finds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from trainer.models.parameters import filled

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

LEAST_GAIN = 0.0005
"""A score must rise by this much, or the change is noise."""
TRIALS = 60
FACTORS = (4.0, 2.0, 2**0.5)
"""A number is searched from its start value / factor to × factor, by the first that is valid."""

Values = dict[str, Any]
"""Parameters by dotted key."""


@dataclass(frozen=True)
class SearchSpace:
    """The numbers of a config that are searched, by dotted key.

    `start` holds the parameters that deviate from the defaults before the search.
    """

    config: type[BaseModel]
    start: Values
    keys: Sequence[str]

    @property
    def defaults(self) -> Values:
        """The values of the keys before the search."""
        config = self._config(self.start)
        return {key: _value_at(config, key) for key in self.keys}

    def ranges(self) -> "dict[str, BaseDistribution]":
        """Return a range for each key, on a logarithmic scale around its value before the search.

        Raises:
            ValueError: A value is not above 0, so it has no logarithm.
        """
        from optuna.distributions import FloatDistribution, IntDistribution

        ranges: dict[str, BaseDistribution] = {}
        for key, value in self.defaults.items():
            if value <= 0:
                raise ValueError(f"{key} is {value}: only numbers above 0 are searched")
            low, high = (self._bound(key, value, sign) for sign in (-1, 1))
            integer = isinstance(value, int)
            ranges[key] = (IntDistribution if integer else FloatDistribution)(low, high, log=True)
        return ranges

    def values(self, sampled: Mapping[str, float]) -> Values | None:
        """Return the start with sampled values, of six digits; None if the config is invalid."""
        numbers = {k: v if isinstance(v, int) else float(f"{v:.6g}") for k, v in sampled.items()}
        values = self.start | numbers
        return values if self._is_valid(values) else None

    def _bound(self, key: str, value: float, sign: int) -> Any:
        """Return the end of a range, below (`sign` -1) or above (1) a value of the same type."""
        for factor in FACTORS:
            bound = value * factor**sign
            bound = max(1, round(bound)) if isinstance(value, int) else bound
            if self._is_valid(self.start | {key: bound}):
                return bound
        return value

    def _is_valid(self, values: Values) -> bool:
        try:
            self._config(values)
        except ValidationError:
            return False
        return True

    def _config(self, values: Values) -> BaseModel:
        return self.config.model_validate(filled(self.config(), nested(values)))


def search(
    space: SearchSpace,
    score: Callable[[Values], float],
    study: "Study",
    seed: int,
    trials: int = TRIALS,
    say: Callable[[str], None] = lambda _words: None,
) -> tuple[Values, float]:
    """Return the best parameters of a study and their score, after at most `trials` trials in all.

    The first trial is the start; another one is better only if it gains `LEAST_GAIN`. No pruner
    stops trials early: a fit has no score before its end.

    Args:
        space: What is searched.
        score: Score of parameters; higher is better.
        study: Where trials are kept, see `open_study`; finished ones count.
        seed: Of the sampler.
        trials: Finished trials after which the search ends.
        say: Called with the outcome of each trial.
    """
    ranges = space.ranges()
    if not _finished(study) and not _in_state(study, "WAITING"):
        study.enqueue_trial(space.defaults)
    while len(finished := _finished(study)) < trials:
        _run_trial(space, score, study, seed + len(finished), ranges)
        best, reached = _best(study)
        say(f"trial {len(finished) + 1} of {trials}, best: {reached:.4f}")
    best, reached = _best(study)
    first = _finished(study)[0]
    values = None if best.number == first.number else space.values(best.params)
    return (space.start if values is None else values), reached


def open_study(path: Path, name: str) -> "Study":
    """Return the study of a name in a journal file, made where there is none.

    A trial that another process left unfinished is marked as failed.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path.parent.mkdir(parents=True, exist_ok=True)
    storage = JournalStorage(JournalFileBackend(str(path)))
    study = optuna.create_study(
        storage=storage, study_name=name, direction="maximize", load_if_exists=True
    )
    for trial in _in_state(study, "RUNNING"):
        study.tell(trial.number, state=TrialState.FAIL)
    return study


def nested(values: Values) -> dict[str, Any]:
    """Return dotted keys as sections in sections."""
    tree: dict[str, Any] = {}
    for key, value in values.items():
        *sections, last = key.split(".")
        section = tree
        for name in sections:
            section = section.setdefault(name, {})
        section[last] = value
    return tree


def _run_trial(
    space: SearchSpace,
    score: Callable[[Values], float],
    study: "Study",
    seed: int,
    ranges: "dict[str, BaseDistribution]",
) -> None:
    """Sample and score parameters; what the config refuses as a whole is pruned."""
    from optuna.samplers import TPESampler
    from optuna.trial import TrialState

    study.sampler = TPESampler(seed=seed, multivariate=True)
    trial = study.ask(ranges)
    values = space.values(trial.params)
    if values is None:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, score(values))


def _best(study: "Study") -> "tuple[FrozenTrial, float]":
    """Return the best trial and its score; the first one if none gains enough over it."""
    first, best = _finished(study)[0], study.best_trial
    chosen = best if (best.value or 0.0) >= (first.value or 0.0) + LEAST_GAIN else first
    return chosen, chosen.value or 0.0


def _finished(study: "Study") -> "list[FrozenTrial]":
    return _in_state(study, "COMPLETE", "PRUNED")


def _in_state(study: "Study", *states: str) -> "list[FrozenTrial]":
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.name in states]


def _value_at(config: BaseModel, key: str) -> Any:
    value: Any = config
    for name in key.split("."):
        value = getattr(value, name)
    return value
