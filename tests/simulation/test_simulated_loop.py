"""The real consumer loop under all trouble at once: nothing lost, nothing twice, for every seed."""

import os
from collections.abc import Callable, Sequence

import pytest

from content.consumer import HANDLERS as CONTENT_HANDLERS
from gateway.consumer import HANDLERS as GATEWAY_HANDLERS
from marquee.bus.api import Subscription, TopicPartition, dead_letter_topic
from marquee.consumer.batches import Pace
from marquee.consumer.unit_of_work import Handlers, UnitOfWork
from marquee.consumer.worker import Worker
from marquee.events import MOVIES, RATINGS, RatingAdded
from marquee.snapshots.partition import PartitionSnapshot
from marquee.store.api import Command
from marquee.store.keys import Keys, PartitionKeys
from marquee_testing.simulation.loop import FaultRates, FaultyBus, FaultyStore, Simulation
from marquee_testing.simulation.reference_model import check
from marquee_testing.simulation.scenario import THROWING, Scenario

PARTITIONS = 2
COUNTS = {
    MOVIES: PARTITIONS,
    RATINGS: PARTITIONS,
    dead_letter_topic(MOVIES): 1,
    dead_letter_topic(RATINGS): 1,
}
KEYS = Keys("sim", "content", PARTITIONS)
RATES = FaultRates(fail=0.04, unsure=0.04, crash=0.02, switch=0.15)
SEEDS = int(os.environ.get("SIMULATION_SEEDS", "10000"))
BATCH = 250
KEPT_SEEDS = (7, 588, 605, 15558)
"""Seeds that found a fault once."""


def rate(unit_of_work: UnitOfWork, event: RatingAdded) -> None:
    if event.data.movie_id == THROWING:
        raise ValueError("this film cannot be rated")
    CONTENT_HANDLERS[RatingAdded](unit_of_work, event)


class AllFactsProjection:
    """All facts that there are: those of the gateway, and the sums of content."""

    handlers: Handlers = {**GATEWAY_HANDLERS, **CONTENT_HANDLERS, RatingAdded: rate}

    def derive_rows(self, _: UnitOfWork) -> str | None:
        return None

    def restore(self, _: UnitOfWork, __: PartitionSnapshot) -> None:
        raise AssertionError("there is no snapshot")

    def on_assigned(self, _: TopicPartition) -> None:
        return

    def on_idle(self, _: frozenset[TopicPartition]) -> None:
        return


class NoSnapshots:
    def read(self, _: TopicPartition) -> PartitionSnapshot | None:
        return None


def make_worker(bus: FaultyBus, store: FaultyStore, kind: type[Worker] = Worker) -> Worker:
    topics = (MOVIES, RATINGS)
    pace = Pace(batch=4, pauses=(), compare_seconds=0.0)
    return kind(KEYS, topics, bus, store, NoSnapshots(), AllFactsProjection(), pace)


def play(seed: int, make: Callable[..., Worker] = make_worker) -> Simulation:
    """Play the story of a seed to its end and return how things stand."""
    simulation = Simulation(seed, COUNTS, make, RATES)
    scenario = Scenario(simulation)
    for _ in range(30):
        if simulation.faults.happens(0.7):
            scenario.send()
        if simulation.faults.happens(0.03):
            simulation.fall_back()
        simulation.turn()
    simulation.heal()
    return simulation


def violation(seed: int, make: Callable[..., Worker] = make_worker) -> str | None:
    """Return what a seed finds wrong, None when all is well."""
    try:
        check(play(seed, make))
    except Exception as error:
        return f"seed {seed}: {type(error).__name__}: {error}"
    return None


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_facts_and_dead_letters_are_those_of_the_log(first: int) -> None:
    found = [words for seed in range(first, first + BATCH) if (words := violation(seed))]
    assert not found, f"{len(found)} of {BATCH} seeds fail; the first: {found[0]}"


@pytest.mark.parametrize("seed", KEPT_SEEDS)
def test_a_seed_that_once_failed(seed: int) -> None:
    assert violation(seed) is None


# --- the simulation finds what is broken on purpose


class NoFence(FaultyStore):
    """Writes whatever the stored position is."""

    def write(
        self,
        keys: PartitionKeys,
        expected: int | None,  # noqa: ARG002
        position: int | None,
        commands: Sequence[Command],
    ) -> None:
        super().write(keys, self.position(keys), position, commands)


class PositionFirst(FaultyStore):
    """Writes the position, and then the results."""

    def write(
        self,
        keys: PartitionKeys,
        expected: int | None,
        position: int | None,
        commands: Sequence[Command],
    ) -> None:
        super().write(keys, expected, position, [])
        super().write(keys, position, position, commands)


class ReadsOn(Worker):
    """Does not go back to the stored positions after trouble."""

    def _seek(self, _: Subscription) -> None:
        self._unsure = False


class NeverCompares(Worker):
    """Does not look whether the store has gone back."""

    def _compare_positions(self, _: Subscription) -> None:
        return


class Forgetful(UnitOfWork):
    """Remembers no event."""

    def write(self, name: str, key: str, *arguments: bytes | str | int | float) -> None:
        if key != self.keys.window:
            super().write(name, key, *arguments)


def remade(
    worker: type[Worker] = Worker, store: type[FaultyStore] = FaultyStore
) -> Callable[[FaultyBus, FaultyStore], Worker]:
    def make(bus: FaultyBus, whole: FaultyStore) -> Worker:
        return make_worker(bus, store(whole.store, whole.faults), worker)

    return make


@pytest.mark.parametrize("broken", [NoFence, PositionFirst, ReadsOn, NeverCompares, Forgetful])
def test_what_is_broken_on_purpose_is_a_method_that_there_is(broken: type) -> None:
    own = {name for name, value in vars(broken).items() if callable(value)}
    assert own
    assert own <= set(dir(broken.__base__))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(remade(store=NoFence), id="no fence"),
        pytest.param(remade(store=PositionFirst), id="position before results"),
        pytest.param(remade(ReadsOn), id="no return to the stored position"),
        pytest.param(remade(NeverCompares), id="no look at the stored position"),
    ],
)
def test_a_loop_broken_on_purpose_is_found_out(make: Callable[..., Worker]) -> None:
    assert any(violation(seed, make) for seed in range(400))


def test_a_loop_without_memory_of_events_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marquee.consumer.batches.UnitOfWork", Forgetful)
    assert any(violation(seed) for seed in range(400))
