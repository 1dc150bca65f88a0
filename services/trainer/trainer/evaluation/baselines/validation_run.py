"""A baseline on the very cases that it is tuned on."""

from marquee.features.dataset import Dataset
from trainer.evaluation.baselines.models import BaselineFamily, Scorer, like_matrix
from trainer.evaluation.baselines.tuning import ranked_lists, tune_by_slice
from trainer.evaluation.metrics import Measurement, measure
from trainer.evaluation.slices import CasesBySlice


def measure_on_validation(
    family: BaselineFamily, kept: Dataset, cases: CasesBySlice
) -> dict[str, Measurement]:
    """Return how a baseline does on the cases that it is tuned on, slice by slice."""
    likes = like_matrix(kept)
    choices = tune_by_slice(family, likes, cases)
    fitted: dict[str, Scorer] = {}
    outcomes = {}
    for name, choice in choices.items():
        key = str(choice.settings)
        if key not in fitted:
            fitted[key] = family.fit(likes, **choice.settings)
        lists = ranked_lists(fitted[key], choice.popularity, likes, cases[name])
        outcomes[name] = measure(cases[name], lists, str(choice))
    return {name: outcomes.get(name, measure([], [])) for name in cases}
