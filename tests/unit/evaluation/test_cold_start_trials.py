"""Movies that nobody rated: what is trained, what is asked, and how the trials are judged."""

from pathlib import Path

import numpy as np
import pytest

from marquee.domain.models import MODEL_NAMES
from marquee_testing import checkerboard
from trainer.evaluation.cache import EvaluationCache
from trainer.evaluation.cold_start.baselines import NAMES
from trainer.evaluation.cold_start.results import ColdStartRun
from trainer.evaluation.cold_start.trials import (
    ALL,
    BARE,
    MOVIE_SEEDS,
    SLICES,
    TAGS,
    WARM,
    ColdStartSplit,
    ColdStartTrial,
    cold_start_trials,
)
from trainer.evaluation.measurements import Measurement
from trainer.models.parameters import TrainingParameters
from trainer.report.model import OURS

DATA = checkerboard(200, 60)


def test_no_rating_of_a_cold_movie_or_of_a_tested_user_is_trained() -> None:
    for number in range(len(MOVIE_SEEDS)):
        split = ColdStartSplit.of(DATA, ColdStartTrial(TAGS, SLICES[1], number))
        ids = np.array([movie.movie_id for movie in DATA.movies])
        assert split.cold.any()
        assert not np.isin(split.train.movie_ids, ids[split.cold]).any()
        assert not np.isin(split.train.user_ids, split.test.user_ids).any()


def test_the_draws_differ_and_without_tags_no_movie_has_one() -> None:
    splits = [
        ColdStartSplit.of(DATA, ColdStartTrial(TAGS, SLICES[1], number)) for number in range(3)
    ]
    assert len({split.cold.tobytes() for split in splits}) == 3
    assert any(movie.tags for movie in splits[0].train.movies)
    bare = ColdStartSplit.of(DATA, ColdStartTrial(BARE, SLICES[1], 0))
    assert not any(movie.tags for movie in bare.train.movies)
    assert any(movie.genres for movie in bare.train.movies)


def test_cases_show_warm_movies_and_have_cold_and_warm_targets() -> None:
    split = ColdStartSplit.of(DATA, ColdStartTrial(TAGS, SLICES[1], 0))
    cases = split.cases(SLICES[1])
    assert cases
    for case in cases:
        assert not split.cold[case.movies].any()
        assert split.cold[split.with_targets(case, True).targets].all()
        assert not split.cold[split.with_targets(case, False).targets].any()


def test_every_route_is_tried_with_tags_and_a_missing_model_is_not() -> None:
    with_tags = {trial.model for trial in cold_start_trials() if trial.content == TAGS}
    assert with_tags == set(MODEL_NAMES)
    assert {trial.model for trial in cold_start_trials({"neural": "away"})} == with_tags - {
        "neural"
    }
    assert len(cold_start_trials()) == len({trial.name for trial in cold_start_trials()})


class Told(EvaluationCache):
    """Knows outcomes that nobody has computed: ours finds each case's first target, others none;
    among all movies ours shows one cold movie in ten places."""

    def get_or_compute(self, name, _key, _compute):
        number = int(name.split("-")[1])
        content = BARE if name.endswith("bare") else TAGS
        found = {}
        one = next(s for s in SLICES if ColdStartTrial(content, s, number).name == name)
        split = ColdStartSplit.of(DATA, ColdStartTrial(content, one, number))
        cases = split.cases(one)
        cold, warm = np.flatnonzero(split.cold), np.flatnonzero(~split.cold)
        zeros = np.zeros((len(cases), 3))
        for rival in NAMES:
            found[rival] = Measurement(zeros, np.full((len(cases), 10), -1))
        ours = np.full((len(cases), 10), -1)
        ours[:, 0] = [split.with_targets(case, True).targets[0] for case in cases]
        found[OURS] = Measurement(zeros + 0.5, ours)
        lists = np.tile([cold[0], *warm[:9]], (len(cases), 1))
        found[ALL] = Measurement(zeros + 0.3, lists)
        found[WARM] = Measurement(zeros + 0.31, lists)
        return found


def test_hits_exposure_and_cost_are_as_computed_by_hand() -> None:
    said: list[str] = []
    run = ColdStartRun(DATA, TrainingParameters(), Told(Path("nowhere")), said.append)
    movies, places = run.reports(cold_start_trials())
    ours = [one for one in movies if one.name == OURS]
    assert len(ours) == 6
    for one in ours:
        assert (one.hit_rate_at_10.mean, one.ndcg_at_10) == (1.0, 0.5)
        assert one.over_content is not None
        assert one.over_content.low == 1.0
    for place in places:
        assert place.share_of_places == pytest.approx(0.1)
        assert 0.02 < place.share_of_ratings < 0.25
        assert place.cost.mean == pytest.approx(-0.01)
    assert len(said) == len(cold_start_trials())
