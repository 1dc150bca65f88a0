"""What the outcomes of several splits say together, slice by slice."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from marquee.settings import Settings
from trainer.measures import (
    MEASURES,
    RANKED_BY,
    Difference,
    Outcome,
    coverage,
    difference,
    mean_by_user,
)
from trainer.report import OURS, POPULARITY, Figures, Interval, SliceReport
from trainer.served import MODELS
from trainer.slices import Case, Slice, route_of

Bools = npt.NDArray[np.bool_]


@dataclass
class Measured:
    """The cases of a slice over all splits, and the outcomes of all recommenders on them.

    `parts`: one outcome a split, by recommender. `models`: the same by model, on routed cases only.
    """

    cases: list[Case] = field(default_factory=list)
    parts: dict[str, list[Outcome]] = field(default_factory=dict)
    models: dict[str, list[Outcome]] = field(default_factory=dict)


def compare(
    one: Slice, measured: Measured, settings: Settings, n_films: int, missing: Mapping[str, str]
) -> SliceReport:
    """Return the report of a slice; `missing` says of models why they could not be asked."""
    route = str(one.route)
    if reason := missing.get(MODELS[one.route]):
        return SliceReport(name=one.name, route=route, note=reason)
    if not measured.cases:
        return SliceReport(name=one.name, route=route, note="no user has so many ratings")
    routes = np.array([str(route_of(case, settings)) for case in measured.cases])
    models = np.array([MODELS[route_of(case, settings)] for case in measured.cases])
    answered = ~np.isin(models, list(missing))
    outcomes = {name: _rows(_joined(parts), answered) for name, parts in measured.parts.items()}
    outcomes[OURS] = _rows(_merged(measured.models, models), answered)
    users = np.array([case.user_id for case in measured.cases])[answered]
    return _report(one, outcomes, users, routes[answered], n_films).model_copy(
        update={"note": _left_out(answered)}
    )


def own_figures(model: str, own: Sequence[Measured], settings: Settings) -> dict[str, float]:
    """Return the mean figures of a model over its slices, on the cases that are routed to it.

    `gain_ndcg@10` is NDCG@10 less that of popularity. Nothing where no case is.
    """
    rows = []
    for measured in own:
        chosen = np.array([MODELS[route_of(case, settings)] == model for case in measured.cases])
        if chosen.any():
            ours = _joined(measured.models[model]).values.mean(axis=0)
            floor = _joined(measured.parts[POPULARITY]).values[chosen].mean(axis=0)
            rows.append([*ours, ours[RANKED_BY] - floor[RANKED_BY]])
    if not rows:
        return {}
    means = np.mean(rows, axis=0).tolist()
    return dict(zip((*MEASURES, "gain_ndcg@10"), means, strict=True))


def _report(
    one: Slice,
    outcomes: Mapping[str, Outcome],
    users: npt.NDArray[np.int64],
    routes: npt.NDArray[np.str_],
    n_films: int,
) -> SliceReport:
    figures = tuple(_figures(name, found, users, n_films) for name, found in outcomes.items())
    rivals = [found for found in figures if found.name not in (OURS, POPULARITY)]
    best = max(rivals, key=lambda found: found.ndcg_at_10).name if rivals else POPULARITY
    counts = Counter(routes.tolist())

    def over(name: str) -> Interval:
        ours, theirs = (outcomes[one].values[:, RANKED_BY] for one in (OURS, name))
        return _interval(difference(ours, theirs, users))

    return SliceReport(
        name=one.name,
        route=str(one.route),
        answered={route: n / len(users) for route, n in counts.most_common()},
        users=len(np.unique(users)),
        cases=len(users),
        figures=figures,
        over_popularity=over(POPULARITY),
        over_best=over(best),
        best=best,
    )


def _figures(name: str, found: Outcome, users: npt.NDArray[np.int64], n_films: int) -> Figures:
    recall, at_10, at_100 = mean_by_user(found.values, users).mean(axis=0).tolist()
    return Figures(
        name=name,
        recall_at_20=recall,
        ndcg_at_10=at_10,
        ndcg_at_100=at_100,
        coverage=coverage(found.shown, n_films),
        words=found.words,
    )


def _joined(parts: Sequence[Outcome]) -> Outcome:
    words = " | ".join(dict.fromkeys(part.words for part in parts if part.words))
    return Outcome(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.shown for part in parts]),
        words,
    )


def _merged(by_model: Mapping[str, Sequence[Outcome]], models: npt.NDArray[np.str_]) -> Outcome:
    """Return one outcome of all cases from those of the models that answered them."""
    joined = {name: _joined(parts) for name, parts in by_model.items()}
    some = next(iter(joined.values()))
    values = np.zeros((len(models), some.values.shape[1]))
    shown = np.full((len(models), some.shown.shape[1]), -1, np.int64)
    for name, found in joined.items():
        values[models == name] = found.values
        shown[models == name] = found.shown
    return Outcome(values, shown)


def _rows(found: Outcome, chosen: Bools) -> Outcome:
    return Outcome(found.values[chosen], found.shown[chosen], found.words)


def _interval(found: Difference) -> Interval:
    return Interval(mean=found.mean, low=found.low, high=found.high)


def _left_out(answered: Bools) -> str:
    left_out = int((~answered).sum())
    return (
        f"{left_out} of {len(answered)} cases left out: their model is missing" if left_out else ""
    )
