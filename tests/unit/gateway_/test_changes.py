"""The source of changes: who is woken by what, and how many may follow."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.state.changes import ERASED, MAX_OF_ONE_VIEWER, STOPPING, Changes, Follower
from gateway.state.profiles import Profile
from gateway.state.rules import MovieRules, Rules
from gateway.state.unannounced import Unannounced
from gateway.upstream.models import Reply
from marquee.bus.api import TopicPartition
from marquee.errors import TooManyFollowers
from marquee.events import MOVIES, RATINGS, Block, Promotion
from marquee.events.erasure import digest_of_user
from marquee.events.user_buckets import BUCKETS, bucket_of_user, pack_buckets, unpack_buckets
from marquee.serving.update_stream import Update
from marquee.store.keys import PartitionKeys
from marquee_testing.fakes.gateway_api import FakeModels, FakeProfiles

USERS = st.integers(1, 2**62)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def keys(topic: str = RATINGS, partition: int = 1) -> PartitionKeys:
    return PartitionKeys("test:gateway", TopicPartition(topic, partition))


def update(values: Mapping[str, bytes], start: int = 3, end: int = 5) -> Update:
    return Update(start, end, "", dict(values))


async def is_woken(follower: Follower) -> bool:
    return await follower.changed(0) is not None


async def woken(followers: Sequence[Follower]) -> list[bool]:
    return [await is_woken(follower) for follower in followers]


@given(users=st.lists(USERS, max_size=300))
def test_buckets_come_back_as_they_were(users: list[int]) -> None:
    packed = pack_buckets(users)
    assert set(unpack_buckets(packed)) == set(map(bucket_of_user, users))
    assert len(packed) == 2 * len(set(map(bucket_of_user, users)))


@given(followed=st.lists(USERS, max_size=10, unique=True), changed=st.lists(USERS, max_size=10))
def test_a_viewers_change_wakes_its_followers_and_none_of_other_buckets(
    followed: list[int], changed: list[int]
) -> None:
    async def run() -> None:
        changes = Changes(100)
        followers = [changes.follow(user) for user in followed]
        buckets = set(map(bucket_of_user, [*changed, *followed[:2]]))
        packed = pack_buckets([*changed, *followed[:2]])
        changes.apply(keys(), update({BUCKETS: packed}))
        assert await woken(followers) == [bucket_of_user(user) in buckets for user in followed]
        assert await woken(followers) == [False] * len(followers)

    asyncio.run(run())


async def test_a_change_tells_the_positions_that_the_next_list_has_to_follow() -> None:
    changes = Changes(10)
    follower = changes.follow(7)
    changes.apply(keys(), update({BUCKETS: pack_buckets([7])}))
    changes.apply(keys(MOVIES, 0), update({"film:1": b"{}"}, 8, 9))
    changes.apply(keys(), update({BUCKETS: pack_buckets([7])}, 5, 6))
    change = await follower.changed(0)
    assert change is not None
    assert (change.after, change.is_own, change.is_erased) == (
        {"ratings:1": 6, "movies:0": 9},
        True,
        False,
    )


async def test_what_is_everybodys_and_what_says_not_whose_it_is_wakes_all() -> None:
    changes = Changes(10)
    followers = [changes.follow(user) for user in (1, 2, 3)]
    for wake, own in (
        (lambda: changes.apply(keys(MOVIES), update({"rules:1": b""})), False),
        (lambda: changes.apply(keys(), update({})), True),
        (changes.wake_all, False),
        (changes.missed, True),
    ):
        wake()
        found = [await follower.changed(0) for follower in followers]
        assert [change and change.is_own for change in found] == [own] * 3
    changes.apply(keys(), update({}, 5, 5))  # only rows were derived
    assert await woken(followers) == [False] * 3


async def test_an_erasure_ends_the_followers_of_its_viewer_alone() -> None:
    changes = Changes(10)
    erased, other = changes.follow(1), changes.follow(2)
    values = {BUCKETS: pack_buckets([1]), f"erased:{digest_of_user(1).hex()}": b"4"}
    changes.apply(keys(), update(values))
    assert (await woken([erased, other]), erased.ended, other.ended) == ([False] * 2, ERASED, "")


async def test_followers_of_all_and_of_one_viewer_are_bounded() -> None:
    changes = Changes(MAX_OF_ONE_VIEWER + 1)
    followers = [changes.follow(1) for _ in range(MAX_OF_ONE_VIEWER)]
    with pytest.raises(TooManyFollowers, match="this viewer"):
        changes.follow(1)
    other = changes.follow(2)
    with pytest.raises(TooManyFollowers, match="MARQUEE_MAX_FOLLOWERS"):
        changes.follow(3)
    for follower in (followers[0], other, other):  # who has left leaves once
        changes.leave(follower)
    assert len(changes) == MAX_OF_ONE_VIEWER - 1
    changes.leave(changes.follow(1))
    for follower in followers:
        changes.leave(follower)
    assert len(changes) == 0


async def test_a_stop_ends_all_and_nobody_follows_any_more() -> None:
    changes = Changes(10)
    follower = changes.follow(1)
    waiting = asyncio.create_task(follower.changed(60))
    await asyncio.sleep(0)
    changes.stop()
    assert await waiting is None
    assert follower.ended == STOPPING
    with pytest.raises(TooManyFollowers, match="about to end"):
        changes.follow(2)


class Woken:
    """Counts how often all are woken."""

    def __init__(self) -> None:
        self.times = 0

    def __len__(self) -> int:
        return 1

    def wake_all(self) -> None:
        self.times += 1


class Clock:
    """A clock that is set."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


def served(version: str) -> Reply:
    return Reply(200, {"ready": True, "model_version": version})


async def test_another_version_and_the_edges_of_a_rules_period_wake_all_once_each() -> None:
    models, woken_all, clock = FakeModels(), Woken(), Clock()
    rules: dict[str, Any] = {
        "promotion": Promotion.model_validate(
            {"movie_id": 1, "from": NOW + timedelta(hours=1), "until": NOW + timedelta(hours=2)}
        ),
        "block": Block(movie_id=1, until=NOW + timedelta(hours=3)),
    }
    profiles = FakeProfiles(rules=Rules({1: MovieRules(**rules)}))
    looking = Unannounced(models, profiles, woken_all, clock)
    models.replies["hybrid"] = served("1")
    assert [await looking.look(), await looking.look()] == [True, False]
    models.replies["hybrid"] = served("2")
    assert [await looking.look(), await looking.look()] == [True, False]
    del models.replies["hybrid"]  # does not answer: as new as it was
    assert not await looking.look()
    for hours in (1, 2, 3):
        clock.now = NOW + timedelta(hours=hours)
        assert [await looking.look(), await looking.look()] == [True, False]
    profiles.known = False
    assert not await looking.look()
    assert woken_all.times == 5
    assert isinstance(await profiles.read(None), Profile)
