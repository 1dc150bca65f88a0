"""A baseline on the very cases that it is tuned on."""

from marquee.features.dataset import Dataset
from trainer.evaluation.baselines.models import Family, Scorer, likes_of
from trainer.evaluation.baselines.tuning import ranked, tune
from trainer.evaluation.metrics import Measurement, measure
from trainer.evaluation.slices import Cases


def run_on_validation(family: Family, kept: Dataset, cases: Cases) -> dict[str, Measurement]:
    """Return how a baseline does on the cases that it is tuned on, slice by slice."""
    likes = likes_of(kept)
    choices = tune(family, likes, cases)
    fitted: dict[str, Scorer] = {}
    outcomes = {}
    for name, choice in choices.items():
        key = str(choice.settings)
        if key not in fitted:
            fitted[key] = family.fit(likes, **choice.settings)
        lists = ranked(fitted[key], choice.popularity, likes, cases[name])
        outcomes[name] = measure(cases[name], lists, str(choice))
    return {name: outcomes.get(name, measure([], [])) for name in cases}
