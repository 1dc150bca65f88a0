"""Tuning of model parameters on users that no default report tests (`marquee tune`)."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from marquee.domain.routing import Thresholds
from marquee.errors import DataError, SettingsError
from marquee.features.dataset import Dataset
from marquee.files import replace_file
from marquee.settings import Settings
from trainer.evaluation.cache import EvaluationCache, code_digest, key_of
from trainer.evaluation.plan import EvaluationPlan
from trainer.evaluation.protocols.slices import QUICK
from trainer.evaluation.protocols.splits import split_by_user
from trainer.evaluation.run import GAIN, EvaluationRun
from trainer.models.diff import flat
from trainer.models.fitting import MODEL_FITS
from trainer.models.parameters import TrainingParameters
from trainer.tuning.parameter_search import SearchSpace, Values, nested, open_study, search
from trainer.tuning.search_space import SEARCHED

REPORTED = (0, 1)
"""Folds of users that `marquee evaluate` tests by default: tuning never sees them."""


def tune(
    dataset: Dataset,
    settings: Settings,
    parameters: TrainingParameters,
    models: Sequence[str],
    say: Callable[[str], None],
) -> TrainingParameters:
    """Return parameters that are better on validation users.

    The score is NDCG@10 over popularity, on one tenth of the users that remain for training: the
    mean of random fold-ins and, where times are usable, of those in the order of time. Trials are
    kept in `<state>/tuning/<model>.journal`; a search that was stopped goes on with them while
    data, code, seed and the parameters that it began with are the same.

    Raises:
        DataError: There are too few users.
        SettingsError: optuna is not installed.
    """
    if importlib.util.find_spec("optuna") is None:
        raise SettingsError("optuna is not installed here: run it with .venv-trainer")
    users = without_reported(dataset)
    sections = dict(parameters.sections)
    for name in models:
        start = flat(sections.get(name, {}))
        space = SearchSpace(MODEL_FITS[name]().config, start, SEARCHED[name])
        code = code_digest("marquee", name.replace("-", "_"))
        key = key_of(users.version, parameters.seed, code, sorted(start.items()), space.keys)
        study = open_study(settings.state / "tuning" / f"{name}.journal", key)

        def score(values: Values, name: str = name) -> float:
            return _score(users, settings, parameters, name, values)

        def say_of(words: str, name: str = name) -> None:
            say(f"{name}: {words}")

        best, _ = search(space, score, study, parameters.seed, say=say_of)
        sections[name] = nested(best)
    return TrainingParameters(parameters.seed, sections, parameters.source)


def without_reported(dataset: Dataset) -> Dataset:
    """Return the ratings of users that no default report tests.

    Raises:
        DataError: There are no such users.
    """
    tested = [np.unique(split_by_user(dataset, fold).test.user_ids) for fold in REPORTED]
    remaining = dataset.of_rows(~np.isin(dataset.user_ids, np.concatenate(tested)))
    if not len(remaining):
        raise DataError("too few users to tune on")
    return remaining


def write_parameters(parameters: TrainingParameters, path: Path) -> None:
    """Write parameters to a file, under the comment that leads it."""
    lines = path.read_text().splitlines() if path.exists() else []
    comment = [line for line in lines if line.startswith("#")]
    values = {"seed": parameters.seed, **{k: dict(v) for k, v in parameters.sections.items()}}
    replace_file(path, "\n".join([*comment, yaml.safe_dump(values, sort_keys=False)]))


def _score(
    dataset: Dataset, settings: Settings, parameters: TrainingParameters, name: str, values: Values
) -> float:
    sections: dict[str, Any] = {**parameters.sections, name: nested(values)}
    changed = TrainingParameters(parameters.seed, sections, parameters.source)
    whole = EvaluationPlan((REPORTED[-1] + 1,), QUICK, (name,), families=())
    plan, _ = whole.usable(dataset)
    run = EvaluationRun(
        plan, changed, Thresholds.of(settings), EvaluationCache(None), lambda _words: None
    )
    run.add_all(dataset)
    figures = run.figures(name)
    if not figures:
        raise DataError(f"too few users to tune {name} on: no case is routed to it")
    gains = [value for key, value in figures.items() if key.endswith(GAIN)]
    return float(np.mean(gains))
