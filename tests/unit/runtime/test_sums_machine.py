"""Sums of movies equal a recount of the ratings, whatever is replaced, removed or restored."""

from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from content.consumer import HANDLERS
from marquee.bus.api import TopicPartition
from marquee.consumer.handlers.popularity import restore_sums
from marquee.consumer.unit_of_work import UnitOfWork
from marquee.domain.rating_sums import PERIOD_SECONDS, RatingSums
from marquee.domain.ratings import Ratings
from marquee.events import RATINGS, Event, RatingAdded, RatingRemoved, UserErased
from marquee.snapshots.partition import PartitionSnapshot, chunks
from marquee.store.keys import Keys, PartitionKeys
from marquee_testing.fakes.batches import BatchApplier

KEYS = Keys("machine", "content", 2)
USERS, MOVIES, HALVES = st.integers(1, 5), st.integers(1, 4), st.integers(1, 10)
TIMES = st.sampled_from([0, 1, PERIOD_SECONDS - 1]) | st.integers(0, 6 * PERIOD_SECONDS)

Rated = dict[int, tuple[int, int]]
"""Movie → half stars, seconds since 1970."""
Sums = dict[int, tuple[tuple[int, int, int], dict[int, tuple[int, int]]]]
"""Movie → (ratings, positive, half stars), ratings and positive ones by period."""


class Counting(RuleBasedStateMachine):
    """The deltas of `content` on one side; on the other all ratings, counted anew each time."""

    @initialize(snapshot=st.dictionaries(USERS, st.dictionaries(MOVIES, st.tuples(HALVES, TIMES))))
    def begin(self, snapshot: dict[int, Rated]) -> None:
        self.batches = BatchApplier(KEYS, HANDLERS)
        self.rated = {user: dict(rated) for user, rated in snapshot.items()}
        for number in range(KEYS.partitions):
            self.restore(TopicPartition(RATINGS, number), snapshot)

    def restore(self, partition: TopicPartition, snapshot: dict[int, Rated]) -> None:
        """Begin with a snapshot's users, as the loop does with an empty store."""
        keys = KEYS.of(partition)
        users: dict[int, Ratings] = {}
        for user, rated in snapshot.items():
            if KEYS.user(user) == keys:
                users[user] = Ratings()
                for movie, (half, at) in rated.items():
                    users[user].rate(movie, half, at)
        unit_of_work = UnitOfWork(keys, self.batches.store)
        for piece in chunks(PartitionSnapshot(partition, 0, users=users)):
            restore_sums(unit_of_work, piece)
        self.batches.store.write(keys, None, 0, unit_of_work.commands(0, 0))

    def send(self, *events: Event) -> None:
        """Send events that fall into one batch."""
        for event in events:
            self.batches.add(event)
        self.batches.write()

    @rule(user=USERS, ratings=st.lists(st.tuples(MOVIES, HALVES, TIMES), min_size=1))
    def rate(self, user: int, ratings: list[tuple[int, int, int]]) -> None:
        self.send(*(added(user, *rating) for rating in ratings))
        self.rated.setdefault(user, {}).update({m: (half, at) for m, half, at in ratings})

    @rule(user=USERS, movie=MOVIES)
    def withdraw(self, user: int, movie: int) -> None:
        data = {"user_id": user, "movie_id": movie}
        self.send(RatingRemoved.model_validate({"data": data}))
        self.rated.get(user, {}).pop(movie, None)

    @rule(user=USERS, movie=MOVIES, half=HALVES, at=TIMES)
    def erase_and_rate_again(self, user: int, movie: int, half: int, at: int) -> None:
        erased = UserErased.model_validate({"data": {"user_id": user}})
        self.send(erased, added(user, movie, half, at))
        self.rated[user] = {movie: (half, at)}

    @rule(user=USERS)
    def erase(self, user: int) -> None:
        self.send(UserErased.model_validate({"data": {"user_id": user}}))
        self.rated.pop(user, None)

    @invariant()
    def the_sums_are_those_of_a_recount(self) -> None:
        for keys in KEYS.all(RATINGS):
            users = [rated for user, rated in self.rated.items() if KEYS.user(user) == keys]
            assert self.stored(keys) == recount(users)

    def stored(self, keys: PartitionKeys) -> Sums:
        values = self.batches.store.scan(keys.sums)
        sums = {int(name): RatingSums.unpack(value) for name, value in values.items()}
        return {i: (of.totals, dict(of.periods)) for i, of in sums.items() if of != RatingSums()}


def added(user: int, movie: int, half: int, at: int) -> RatingAdded:
    data = {"user_id": user, "movie_id": movie, "rating": half / 2}
    return RatingAdded.model_validate({"data": data, "time": datetime.fromtimestamp(at, UTC)})


def recount(users: list[Rated]) -> Sums:
    sums: Sums = {}
    for rated in users:
        for movie, (half, at) in rated.items():
            (n, positive, halves), periods = sums.setdefault(movie, ((0, 0, 0), {}))
            liked, period = half > 7, at // PERIOD_SECONDS
            if period:
                ratings, likes = periods.get(period, (0, 0))
                periods[period] = (ratings + 1, likes + liked)
            sums[movie] = (n + 1, positive + liked, halves + half), periods
    return sums


TestCounting = Counting.TestCase
TestCounting.settings = settings(max_examples=80, stateful_step_count=30)
