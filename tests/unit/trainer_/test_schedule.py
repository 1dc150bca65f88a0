"""When a training is due."""

from datetime import UTC, datetime, timedelta

import pytest

from trainer.runs.records import Status, TrainingRecord
from trainer.runs.schedule import TrainingSchedule, due, keep_schedule, new_ratings

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
PLAN = TrainingSchedule(every_s=3600, after_ratings=100)


def trained(minutes_ago: float, status: Status = "succeeded", ratings: int = 0) -> TrainingRecord:
    started = NOW - timedelta(minutes=minutes_ago)
    cut = {"ratings:0": ratings, "movies:0": 5}
    return TrainingRecord(training_id="t", status=status, reason="", started=started, cut=cut)


def test_the_first_training_is_due_at_once() -> None:
    assert due(PLAN, NOW, {}, None, None) == "first training"


def test_nothing_is_due_soon_after_a_training() -> None:
    last = trained(10)
    assert due(PLAN, NOW, {"ratings:0": 99}, last, last) is None


def test_a_training_is_due_after_the_interval() -> None:
    last = trained(60)
    assert due(PLAN, NOW, {}, last, last) == "3600 s have passed"


def test_a_training_is_due_after_so_many_new_ratings_in_all_partitions() -> None:
    last = trained(1, ratings=40)
    positions = {"ratings:0": 90, "ratings:1": 50, "movies:0": 1000}
    assert due(PLAN, NOW, positions, last, last) == "100 new ratings"


def test_movies_and_a_history_made_anew_count_for_nothing() -> None:
    assert new_ratings({"ratings:0": 3, "movies:0": 9}, {"ratings:0": 7}) == 0


def test_nothing_is_due_while_a_training_runs() -> None:
    assert due(PLAN, NOW, {}, trained(90, "running"), trained(100)) is None
    assert due(PLAN, NOW, {}, trained(90, "starting"), None) is None


@pytest.mark.parametrize(("minutes", "reason"), [(9, None), (11, "3600 s have passed")])
def test_a_failed_training_is_tried_again_after_a_while(minutes: float, reason: str | None) -> None:
    assert due(PLAN, NOW, {}, trained(minutes, "failed"), trained(100)) == reason


def test_a_plan_of_zeros_never_trains() -> None:
    never = TrainingSchedule(0, 0)
    assert due(never, NOW, {"ratings:0": 10**6}, trained(10**5), trained(10**5)) is None
    assert due(never, NOW, {}, None, None) is None


async def test_the_schedule_starts_what_is_due_and_outlives_a_conflict() -> None:
    from marquee.errors import Conflict

    reasons = iter(["first", None, "second"])
    started: list[str] = []

    class EnoughError(Exception):
        pass

    async def start(reason: str) -> TrainingRecord:
        started.append(reason)
        if reason == "first":
            raise Conflict("another runs")
        raise EnoughError

    with pytest.raises(EnoughError):
        await keep_schedule(lambda: next(reasons), start, seconds=0)
    assert started == ["first", "second"]
