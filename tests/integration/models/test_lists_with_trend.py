"""Lists by recent popularity: services, evaluations and restorations give the same for equal facts.

The models are fitted to all ratings but the last three months'. So whoever ranked by the trend of
the training instead of the present one would give other lists.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest

from content.app import SERVICE as CONTENT
from hybrid.app import SERVICE as HYBRID
from hybrid.consumer import derive_rows as derive_hybrid
from marquee.bus.api import Published
from marquee.bus.redis.bus import RedisBus
from marquee.bus.topics import create_topics
from marquee.consumer.derivation import derive_all, derive_movies
from marquee.consumer.handlers.popularity import restore_sums
from marquee.domain.rating_sums import period_of
from marquee.domain.recommendation import Route
from marquee.events import Event, ModelPublished, MovieAdded, Rating, RatingAdded
from marquee.features.dataset import Dataset, make_dataset
from marquee.registry.bundle import seal
from marquee.scoring.scorers.recent_trend import TREND
from marquee.settings import Settings
from marquee_testing.datasets import DAY, fashions
from marquee_testing.servers.model_services import ModelServices, ServiceParts
from marquee_testing.simulation.facts_system import empty
from marquee_testing.small_fits import SMALL_TASTE, with_weight
from marquee_testing.waiting import DEADLINE_S, PATIENCE, until
from neural.app import SERVICE as NEURAL
from trainer.consumer import HistoryConsumer
from trainer.evaluation.past_popularity import PastPopularity
from trainer.evaluation.protocols.cases import EvaluationCase
from trainer.evaluation.served_models import ServedModel, fit_served_model
from trainer.history.history import History
from trainer.models.parameters import TrainingParameters
from trainer.models.versions import version_of
from trainer.operations.rebuild import Rebuilder
from user_model.app import SERVICE as USER_MODEL

pytestmark = [pytest.mark.trainer, pytest.mark.slow]

SMALL_NETWORK = {"width": 8, "epochs": 60, "batch_size": 16, "dropout": 0.1}
TASTE = {"taste": SMALL_TASTE.model_dump()}
SMALL = TrainingParameters(
    seed=0,
    sections={
        "content": TASTE,
        "hybrid": TASTE,
        "user-model": {**TASTE, "clusters": 2, "near": 10},
        "neural": {
            "network": {"d": 4, "hidden": 8, "epochs": 6, "users_per_batch": 8},
            "autoencoder": SMALL_NETWORK,
            "first_autoencoder": SMALL_NETWORK,
            "factors": {"factors": 4, "iterations": 5, "regularization": 1.0},
            "many": {"head": 30, "kept": 30},
            "content": 4,
            "movie_clusters": 2,
            "long_history": 8,
        },
    },
)
SERVICES = (
    ServiceParts(CONTENT, derive_movies, restore_sums),
    ServiceParts(HYBRID, derive_hybrid),
    ServiceParts(USER_MODEL, derive_all),
    ServiceParts(NEURAL, derive_all),
)
ROUTES = {
    "content": Route.SIMILAR,
    "hybrid": Route.HYBRID,
    "user-model": Route.USER_CLUSTER,
    "neural": Route.NEURAL,
}
USERS = 120
AT_ONCE_S = 5.0
"""Popularity by another service's sums may be a second old; the rest is for a busy machine."""


@dataclass
class Facts:
    """Ratings up to the start of the present period, and models fitted to older ones.

    `served` are the models as an evaluation loads them, with the popularity by all ratings.
    """

    dataset: Dataset
    served: Mapping[str, ServedModel]

    @classmethod
    def of(cls, dataset: Dataset) -> "Facts":
        early = dataset.of_rows(dataset.times < dataset.times.max() - 90 * DAY)
        names = (parts.app.name for parts in SERVICES)
        served = {name: loud(fit_served_model(name, early, SMALL)) for name in names}
        return cls(early, served).with_ratings(dataset)

    def with_ratings(self, dataset: Dataset) -> "Facts":
        """Return the same models with the popularity by other ratings."""
        served = {
            name: replace(model, popularity=PastPopularity.of(dataset, model.model.half_life))
            for name, model in self.served.items()
        }
        return Facts(dataset, served)

    @property
    def events(self) -> list[Event]:
        """The movies, and the ratings in the order of time."""
        data = self.dataset
        order = np.argsort(data.times, kind="stable")
        columns = (data.user_ids, data.movie_ids, data.times, data.half_stars / 2)
        rows = zip(*(column[order].tolist() for column in columns), strict=True)
        movies = (MovieAdded(data=movie) for movie in data.movies)
        return [*movies, *(rated(*row) for row in rows)]

    def with_a_like(self) -> tuple["Facts", RatingAdded]:
        """Return these facts with a like, now, of a recent movie, which moves in a list by it."""
        data, at = self.dataset, int(time.time())
        before = [self.expected(case) for case in self.cases()]
        for movie_id in np.unique(
            data.movie_ids[data.times > data.times.max() - 30 * DAY]
        ).tolist():
            more = self.with_ratings(
                make_dataset(
                    np.append(data.user_ids, 999),
                    np.append(data.movie_ids, movie_id),
                    np.append(data.half_stars, np.uint8(10)),
                    np.append(data.times, at),
                    data.movies,
                )
            )
            if [more.expected(case) for case in self.cases()] != before:
                return more, rated(999, movie_id, at, 5.0)
        raise AssertionError("no like moves any movie")

    def cases(self) -> list[EvaluationCase]:
        """Return users who rated in the present period, by all their ratings."""
        data, chosen = self.dataset, []
        for user_id in range(1, USERS + 1):
            own = data.of_rows(data.user_ids == user_id)
            newest = int(own.times.max())
            if period_of(newest) == period_of(int(data.times.max())):
                movies = own.movie_ids - data.movies[0].movie_id
                case = EvaluationCase(user_id, movies, own.half_stars, movies[:0])
                chosen.append(replace(case, times=own.times, asked_at=newest))
        return chosen

    def expected(self, case: EvaluationCase) -> dict[str, list[int]]:
        """Return each model's list, as an evaluation asks for it."""
        return {
            name: model.movie_ids[model.list_for(as_asked(name, case))].tolist()
            for name, model in self.served.items()
        }


def loud(served: ServedModel) -> ServedModel:
    """Return a model to which the trend matters, whatever validation has found."""
    model = served.model
    if hasattr(model, "blend"):
        weights = with_weight(model.blend.weights, TREND, 1.0)
        return replace(served, model=replace(model, blend=replace(model.blend, weights=weights)))
    return replace(served, model=replace(model, weights=with_weight(model.weights, TREND, 1.0)))


def as_asked(name: str, case: EvaluationCase) -> EvaluationCase:
    """Return a case as a model is asked: content is for users of whom views alone are known."""
    return replace(case, viewed=True) if name == "content" else case


def rated(user_id: int, movie_id: int, at: int, stars: float) -> RatingAdded:
    data = Rating(user_id=user_id, movie_id=movie_id, rating=stars)
    return RatingAdded(time=datetime.fromtimestamp(at, UTC), data=data)


@pytest.fixture(scope="module")
def facts() -> Facts:
    return Facts.of(fashions(USERS, last_period=period_of(int(time.time()))))


@dataclass
class Lists:
    """The lists of services, by a client of each app."""

    clients: Mapping[str, httpx.AsyncClient]

    async def _list(self, name: str, case: EvaluationCase) -> list[int]:
        """Return a list over HTTP; empty while no model serves."""
        ids = [10 + row for row in case.movies.tolist()]
        ratings = list(zip(ids, (case.half_stars / 2).tolist(), strict=True))
        timed = {"ratings": ratings, "rated_at": case.times.tolist()}
        known = {"viewed": ids} if name == "content" else timed
        body = {"route": ROUTES[name], **known, "k": 100}
        answer = await self.clients[name].post("/internal/recommend", json=body)
        return [item["movie_id"] for item in answer.json().get("items", ())]

    async def become_those_of(self, facts: Facts, seconds: float = DEADLINE_S) -> None:
        """Wait until the lists of all cases are those of the evaluation."""
        started = time.monotonic()
        for case in facts.cases():
            expected = facts.expected(case)
            for name, wanted in expected.items():
                while (found := await self._list(name, case)) != wanted:
                    waited = time.monotonic() - started
                    assert waited < seconds * PATIENCE, (name, case.user_id, found, wanted)
                    await asyncio.sleep(0.02)


@dataclass
class System:
    """The model services on a Valkey, and the history of their events."""

    services: ModelServices
    history: History

    def publish_models(self, facts: Facts, folder: Path) -> None:
        for name, served in facts.served.items():
            served.model.save(folder / name)
            manifest = seal(folder / name, name, "d")
            self.services.registry.add(folder / name)
            version = version_of(self.services.registry, manifest)
            self.services.publish([ModelPublished(data=version)])

    def recorded(self, place: Published) -> bool:
        """Return whether the history contains a message."""
        partition = place.partition
        return self.history.partition(partition.topic, partition.partition).position > place.offset

    def rebuild(self) -> None:
        rebuilder = Rebuilder(self.services.settings)
        try:
            list(rebuilder.run(self.services.names, replace=True))
        finally:
            rebuilder.close()


@pytest.fixture
def system(redis_url: str, settings: Settings, history: History) -> Iterator[System]:
    bus = RedisBus(redis_url, settings.namespace, lease_s=0.5)
    create_topics(bus, settings.partitions)
    yield System(ModelServices(settings, bus, SERVICES), history)
    bus.close()


def test_the_lists_depend_on_the_present_trend(facts: Facts) -> None:
    """Else the equality of lists would tell nothing of it."""
    cases = facts.cases()
    assert len(cases) >= 3
    for name, model in facts.served.items():
        assert model.model.half_life is not None
        at_training = replace(model, popularity=None)
        level = replace(model, popularity=PastPopularity.of(facts.dataset, None))
        asked = [as_asked(name, case) for case in cases]
        for other in (at_training, level):
            assert any(
                model.list_for(case).tolist() != other.list_for(case).tolist() for case in asked
            ), name


async def similar_films_of_several_are_those_of_each(content: httpx.AsyncClient) -> None:
    films, wanted = [11, 14, 10**6], {"k": 6, "exclude": [12]}
    each = []
    for movie_id in films[:2]:
        path = f"/internal/films/{movie_id}/similar"
        items = (await content.post(path, json=wanted)).json()["items"]
        assert items
        each.append({"movie_id": movie_id, "items": items})
    several = await content.post("/internal/films/similar", json=wanted | {"movie_ids": films})
    # One that nobody knows costs the others nothing.
    assert several.json()["lists"] == [*each, {"movie_id": 10**6, "items": []}]


async def test_services_and_evaluation_give_the_same_lists_and_a_rating_changes_them_at_once(
    system: System, facts: Facts, tmp_path: Path
) -> None:
    services = system.services
    system.publish_models(facts, tmp_path / "bundles")
    async with services.serving() as clients:
        await asyncio.to_thread(services.wait, services.publish(facts.events))
        await Lists(clients).become_those_of(facts)
        await similar_films_of_several_are_those_of_each(clients["content"])
        more, event = facts.with_a_like()
        services.publish([event])
        await Lists(clients).become_those_of(more, AT_ONCE_S)


async def test_lists_are_the_same_after_a_restoration_and_a_rebuild(
    system: System, facts: Facts, tmp_path: Path
) -> None:
    services = system.services
    system.publish_models(facts, tmp_path / "bundles")
    with services.consuming(HistoryConsumer(services.bus, system.history, seconds=0.05).run):
        places = services.publish(facts.events)
        services.wait(places)
        last = {place.partition: place for place in places}
        until(lambda: all(system.recorded(place) for place in last.values()))
    system.history.compact()
    empty(services.settings, services.names)
    async with services.serving() as clients:  # restored from the snapshot
        await Lists(clients).become_those_of(facts)
    empty(services.settings, services.names)
    system.rebuild()
    async with services.serving() as clients:
        await Lists(clients).become_those_of(facts)
        await asyncio.to_thread(system.rebuild)  # beside apps and consumers at work
        more, event = facts.with_a_like()
        services.publish([event])
        await Lists(clients).become_those_of(more)
