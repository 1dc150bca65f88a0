"""`marquee tune`: a long search for better parameters, judged on users that no report tests."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from marquee.errors import DataError
from marquee.features.dataset import Dataset
from marquee.files import replace_file
from marquee.settings import Settings
from trainer.evaluation.cache import EvaluationCache, code_digest, key_of
from trainer.evaluation.plan import EvaluationPlan
from trainer.evaluation.run import EvaluationRun
from trainer.evaluation.slices import QUICK
from trainer.evaluation.splits import split_by_user
from trainer.models.diff import flat
from trainer.models.fits import FITS
from trainer.models.parameters import TrainingParameters
from trainer.tuning.coordinate_search import Tried, Values, nested, search

REPORTED = (0, 1)
"""Folds of users that `marquee evaluate` tests by default: tuning never sees them."""


def tune(
    dataset: Dataset,
    settings: Settings,
    parameters: TrainingParameters,
    models: Sequence[str],
    say: Callable[[str], None],
) -> TrainingParameters:
    """Return parameters that are better on validation users; what was tried is kept in STATE.

    The score is NDCG@10 over popularity, on one tenth of the users that remain for training.
    """
    rest = without_reported(dataset)
    sections = dict(parameters.sections)
    for name in models:
        kind = FITS[name]().config
        code = code_digest("marquee", name.replace("-", "_"))
        about = key_of(rest.version, parameters.seed, code)
        tried = Tried(settings.state / "tuning" / f"{name}.json", about)

        def score(values: Values, name: str = name, tried: Tried = tried) -> float:
            return tried.score(values, lambda: _score(rest, settings, parameters, name, values))

        def say_of(words: str, name: str = name) -> None:
            say(f"{name}: {words}")

        best, _ = search(kind, flat(sections.get(name, {})), score, say_of)
        sections[name] = nested(best)
    return TrainingParameters(parameters.seed, sections, parameters.source)


def without_reported(dataset: Dataset) -> Dataset:
    """Return the ratings of users whom no default report tests."""
    tested = [np.unique(split_by_user(dataset, fold).test.user_ids) for fold in REPORTED]
    rest = dataset.of_rows(~np.isin(dataset.user_ids, np.concatenate(tested)))
    if not len(rest):
        raise DataError("too few users to tune on")
    return rest


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
    plan = EvaluationPlan((REPORTED[-1] + 1,), QUICK, (name,), families=(), by_time=False)
    run = EvaluationRun(plan, changed, settings, EvaluationCache(None), lambda _words: None)
    run.add_all(dataset)
    figures = run.figures(name)
    if not figures:
        raise DataError(f"too few users to tune {name} on: no case is routed to it")
    return figures["gain_ndcg@10"]
