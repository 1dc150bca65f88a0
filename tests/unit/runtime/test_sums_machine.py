"""Sums of movies equal a recount of the ratings, whatever is replaced, removed or restored."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from content.consumer import HANDLERS
from marquee.bus.api import TopicPartition
from marquee.consumer.handlers.popularity import restore_sums
from marquee.consumer.unit_of_work import UnitOfWork
from marquee.domain.rating_sums import RatingSums
from marquee.domain.ratings import Ratings
from marquee.events import RATINGS, Event, RatingAdded, RatingRemoved, UserErased
from marquee.snapshots.partition import PartitionSnapshot, chunks
from marquee.store.keys import Keys
from marquee_testing.fakes.batches import BatchApplier

KEYS = Keys("machine", "content", 2)
USERS, MOVIES = st.integers(1, 5), st.integers(1, 4)

Sums = dict[int, tuple[int, int, int]]


class Counting(RuleBasedStateMachine):
    """The deltas of `content` on one side; on the other all ratings, counted anew each time."""

    @initialize(snapshot=st.dictionaries(USERS, st.dictionaries(MOVIES, st.integers(1, 10))))
    def begin(self, snapshot: dict[int, dict[int, int]]) -> None:
        self.batches = BatchApplier(KEYS, HANDLERS)
        self.rated = {user: dict(rated) for user, rated in snapshot.items()}
        for number in range(KEYS.partitions):
            self.restore(TopicPartition(RATINGS, number), snapshot)

    def restore(self, partition: TopicPartition, snapshot: dict[int, dict[int, int]]) -> None:
        """Begin with a snapshot's users, as the loop does with an empty store."""
        keys = KEYS.of(partition)
        users = {u: Ratings(dict(r)) for u, r in snapshot.items() if KEYS.user(u) == keys}
        unit_of_work = UnitOfWork(keys, self.batches.store)
        for piece in chunks(PartitionSnapshot(partition, 0, users=users)):
            restore_sums(unit_of_work, piece)
        self.batches.store.write(keys, None, 0, unit_of_work.commands(0, 0))

    def send(self, *events: Event) -> None:
        """Send events that fall into one batch."""
        for event in events:
            self.batches.add(event)
        self.batches.write()

    @rule(user=USERS, ratings=st.lists(st.tuples(MOVIES, st.integers(1, 10)), min_size=1))
    def rate(self, user: int, ratings: list[tuple[int, int]]) -> None:
        told = [{"user_id": user, "movie_id": movie, "rating": h / 2} for movie, h in ratings]
        self.send(*(RatingAdded.model_validate({"data": data}) for data in told))
        self.rated.setdefault(user, {}).update(ratings)

    @rule(user=USERS, movie=MOVIES)
    def withdraw(self, user: int, movie: int) -> None:
        data = {"user_id": user, "movie_id": movie}
        self.send(RatingRemoved.model_validate({"data": data}))
        self.rated.get(user, {}).pop(movie, None)

    @rule(user=USERS, movie=MOVIES, half=st.integers(1, 10))
    def erase_and_rate_again(self, user: int, movie: int, half: int) -> None:
        data = {"user_id": user, "movie_id": movie, "rating": half / 2}
        erased = UserErased.model_validate({"data": {"user_id": user}})
        self.send(erased, RatingAdded.model_validate({"data": data}))
        self.rated[user] = {movie: half}

    @rule(user=USERS)
    def erase(self, user: int) -> None:
        self.send(UserErased.model_validate({"data": {"user_id": user}}))
        self.rated.pop(user, None)

    @invariant()
    def the_sums_are_those_of_a_recount(self) -> None:
        assert self.stored() == self.recount()

    def stored(self) -> Sums:
        total: Sums = {}
        for keys in KEYS.all(RATINGS):
            for name, value in self.batches.store.scan(keys.sums).items():
                part, before = RatingSums.unpack(value).totals, total.get(int(name), (0, 0, 0))
                total[int(name)] = tuple(a + b for a, b in zip(part, before, strict=True))  # type: ignore[assignment]
        return {movie: sums for movie, sums in total.items() if any(sums)}

    def recount(self) -> Sums:
        total: Sums = {}
        for rated in self.rated.values():
            for movie, half in rated.items():
                n, positive, halves = total.get(movie, (0, 0, 0))
                total[movie] = (n + 1, positive + (half > 7), halves + half)
        return total


TestCounting = Counting.TestCase
TestCounting.settings = settings(max_examples=80, stateful_step_count=30)
