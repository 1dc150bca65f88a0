"""Promotion and blocking on held-out users of real data: what they do to lists, at what cost."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from content.fit import ContentConfig, fit
from gateway.catalogue.catalogue import Catalogue, Row
from gateway.recommend.filter_stage import FilterStage, ListRequest, UserContext
from gateway.state.rules import MovieRules, Rules
from marquee.domain import recommendation
from marquee.domain.ratings import Ratings
from marquee.events import Block, Promotion
from marquee.training.ranking_metrics import ndcg_at_k
from marquee_testing.small_fits import QUICK_PARAMS
from trainer.datasets.reader import read_dataset
from trainer.evaluation.protocols.cases import draw_slice
from trainer.evaluation.protocols.slices import SLICES
from trainer.evaluation.protocols.splits import split_by_user
from trainer.models.parameters import read_parameters

pytestmark = [pytest.mark.trainer, pytest.mark.slow, pytest.mark.timeout(1200)]

DATA = Path(__file__).resolve().parents[2] / "data" / "ml-latest-small.zip"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
K, BLOCKED = 10, 20


class Offline:
    """Lists of 30 of the content model for held-out users of three movies, and their targets."""

    def __init__(self) -> None:
        split = split_by_user(read_dataset(DATA)[0], 0)
        # What rules do to lists does not depend on how well the model is trained.
        config = read_parameters(QUICK_PARAMS).config("content", ContentConfig)
        model = fit(split.train, config, 0)
        movies = model.movies()
        one = next(found for found in SLICES if found.name == "3 viewed")
        self.cases = draw_slice(split.test, one)
        self.ids = movies.movie_ids
        self.catalogue = Catalogue(Row.of(movie) for movie in split.train.movies)
        self.viewed = [dict.fromkeys(self.ids[case.movies].tolist()) for case in self.cases]
        self.lists = [
            model.recommend(recommendation.UserHistory.of([], list(seen)), movies, movies.alive, 50)
            for seen in self.viewed
        ]
        popular = np.argsort(-model.base_sums[:, 1], kind="stable")
        self.popular = self.ids[popular].tolist()

    def shown(self, rules: dict[int, MovieRules] | None = None) -> list[list[int]]:
        stage = FilterStage(Rules(rules or {}), self.catalogue, NOW)
        outcomes = [
            stage.apply(items, UserContext(Ratings(viewed=dict(seen))), ListRequest(K))
            for items, seen in zip(self.lists, self.viewed, strict=True)
        ]
        return [[item.movie_id for item in filtered.items] for filtered in outcomes]

    def ndcg(self, lists: list[list[int]]) -> float:
        targets = [self.ids[case.targets] for case in self.cases]
        return float(
            np.mean([ndcg_at_k(np.array(s), t, K) for s, t in zip(lists, targets, strict=True)])
        )


@pytest.fixture(scope="module")
def offline() -> Offline:
    return Offline()


def test_blocked_movies_are_in_no_list_and_every_list_is_full(offline: Offline) -> None:
    blocked = offline.popular[:BLOCKED]
    before = offline.shown()
    assert sum(len({*shown} & {*blocked}) for shown in before) > len(before)
    rules = {i: MovieRules(block=Block(movie_id=i)) for i in blocked}
    for free, shown in zip(before, offline.shown(rules), strict=True):
        assert not {*shown} & {*blocked}
        assert len(shown) == K
        kept = [i for i in free if i not in blocked]
        assert shown[: len(kept)] == kept


def test_a_promoted_movie_is_at_its_place_in_every_list_of_a_user_who_has_not_seen_it(
    offline: Offline,
) -> None:
    movie = offline.popular[500]
    rules = {movie: MovieRules(promotion=Promotion(movie_id=movie, slots=(3,)))}
    lists = zip(offline.viewed, offline.shown(), offline.shown(rules), strict=True)
    for seen, free, shown in lists:
        if movie in seen:
            assert shown == free
        else:
            assert shown[2] == movie
            assert [i for i in shown if i != movie] == [i for i in free if i != movie][: K - 1]


def test_one_promotion_costs_the_lists_little(offline: Offline) -> None:
    movie = offline.popular[500]
    rules = {movie: MovieRules(promotion=Promotion(movie_id=movie, slots=(3,)))}
    free, promoted = offline.ndcg(offline.shown()), offline.ndcg(offline.shown(rules))
    assert 0.8 * free < promoted < free


def test_a_block_is_stronger_than_a_promotion(offline: Offline) -> None:
    movie = offline.popular[0]
    block, promotion = Block(movie_id=movie), Promotion(movie_id=movie)
    blocked = offline.shown({movie: MovieRules(block=block)})
    assert offline.shown({movie: MovieRules(promotion, block)}) == blocked
    assert not any(movie in shown for shown in blocked)
