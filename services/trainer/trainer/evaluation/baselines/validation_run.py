"""Measurement of a baseline on its tuning cases."""

from marquee.features.dataset import Dataset
from trainer.evaluation.baselines.models import BaselineFamily, Scorer, like_matrix
from trainer.evaluation.baselines.tuning import ranked_lists, tune_by_slice
from trainer.evaluation.measurements import Measurement, measure
from trainer.evaluation.slices import CasesBySlice


def measure_on_validation(
    family: BaselineFamily, train: Dataset, cases: CasesBySlice
) -> dict[str, Measurement]:
    """Return the measurements of a baseline on the cases that it is tuned on, by slice."""
    likes = like_matrix(train)
    tuned = tune_by_slice(family, likes, cases)
    fitted: dict[str, Scorer] = {}
    measurements = {}
    for name, chosen in tuned.items():
        key = str(chosen.settings)
        if key not in fitted:
            fitted[key] = family.fit(likes, **chosen.settings)
        lists = ranked_lists(fitted[key], chosen.popularity, likes, cases[name])
        measurements[name] = measure(cases[name], lists, str(chosen))
    return {name: measurements.get(name, measure([], [])) for name in cases}
