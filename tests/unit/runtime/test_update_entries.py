"""What a step tells the apps: entries that Lua can pass on, together all that was changed."""

import pytest

from marquee.bus.api import TopicPartition
from marquee.consumer.unit_of_work import UnitOfWork
from marquee.consumer.unit_of_work.update_entries import ENTRY_VALUES
from marquee.domain.rating_sums import RatingSums
from marquee.store.api import ReadRequest, ReadResult
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore


class EmptyStore(RedisStore):
    """A store that holds nothing."""

    def __init__(self) -> None:
        """Connect to nothing."""

    def read(self, _: ReadRequest) -> ReadResult:
        return ReadResult({}, {}, {})


@pytest.mark.parametrize(("n", "entries"), [(0, 1), (1, 1), (ENTRY_VALUES, 1), (2500, 3)])
def test_a_step_with_many_changes_writes_several_entries_of_the_same_positions(
    n: int, entries: int
) -> None:
    keys = Keys("t", "content", 4).of(TopicPartition("ratings", 0))
    unit_of_work = UnitOfWork(keys, EmptyStore())
    for movie_id in range(n):
        unit_of_work.put_sums(movie_id, RatingSums(1, 1, 8))
    added = [command for command in unit_of_work.commands(4, 9) if command[0] == "XADD"]
    assert len(added) == entries
    assert all(c[6:12] == ("from", 4, "to", 9, "version", "") for c in added)
    assert max(map(len, added)) < 4000
    names = [name for command in added for name in command[12::2]]
    assert names == [f"sums:{movie_id}" for movie_id in range(n)]
