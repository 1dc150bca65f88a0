"""A user's profile is what dicts would hold, in any order of events and any cut into batches."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.consumer import HANDLERS
from marquee.domain.ratings import Ratings
from marquee.events import (
    MovieDismissed,
    MovieRestored,
    MovieViewed,
    RatingAdded,
    RatingEvent,
    RatingRemoved,
    UserErased,
    WatchlistAdded,
    WatchlistRemoved,
)
from marquee.store.keys import Keys
from marquee_testing.fakes.batches import BatchApplier

KEYS = Keys("machine", "gateway", 2)
USERS, MOVIES = st.integers(1, 3), st.integers(1, 5)


class Profiles(RuleBasedStateMachine):
    """Real handlers, steps and packing on one side; four dicts a user on the other."""

    @initialize()
    def begin(self) -> None:
        self.batches = BatchApplier(KEYS, HANDLERS)
        self.rated: dict[int, dict[int, int]] = {}
        self.viewed: dict[int, list[int]] = {}
        self.dismissed: dict[int, list[int]] = {}
        self.watchlists: dict[int, list[int]] = {}
        self.heard_of: set[int] = set()
        self.waiting = 0

    def send(self, kind: type[RatingEvent], user: int, **data: Any) -> None:
        self.batches.add(kind.model_validate({"data": {"user_id": user} | data}))
        self.heard_of.add(user)
        self.waiting += 1

    @rule(user=USERS, movie=MOVIES, half=st.integers(1, 10))
    def rate(self, user: int, movie: int, half: int) -> None:
        self.send(RatingAdded, user, movie_id=movie, rating=half / 2)
        rated = self.rated.setdefault(user, {})
        rated.pop(movie, None)
        rated[movie] = half

    @rule(user=USERS, movie=MOVIES)
    def withdraw(self, user: int, movie: int) -> None:
        self.send(RatingRemoved, user, movie_id=movie)
        self.rated.get(user, {}).pop(movie, None)

    @rule(user=USERS, movie=MOVIES)
    def view(self, user: int, movie: int) -> None:
        self.send(MovieViewed, user, movie_id=movie)
        viewed = self.viewed.get(user, [])
        self.viewed[user] = [*(other for other in viewed if other != movie), movie]

    @rule(user=USERS, movie=MOVIES)
    def dismiss(self, user: int, movie: int) -> None:
        self.send(MovieDismissed, user, movie_id=movie)
        dismissed = self.dismissed.setdefault(user, [])
        if movie not in dismissed:
            dismissed.append(movie)

    @rule(user=USERS, movie=MOVIES)
    def restore(self, user: int, movie: int) -> None:
        self.send(MovieRestored, user, movie_id=movie)
        self.dismissed[user] = [other for other in self.dismissed.get(user, []) if other != movie]

    @rule(user=USERS, movie=MOVIES)
    def list_for_later(self, user: int, movie: int) -> None:
        self.send(WatchlistAdded, user, movie_id=movie)
        watchlist = self.watchlists.get(user, [])
        self.watchlists[user] = [*(other for other in watchlist if other != movie), movie]

    @rule(user=USERS, movie=MOVIES)
    def unlist(self, user: int, movie: int) -> None:
        self.send(WatchlistRemoved, user, movie_id=movie)
        self.watchlists[user] = [other for other in self.watchlists.get(user, []) if other != movie]

    @rule(user=USERS)
    def erase(self, user: int) -> None:
        self.send(UserErased, user)
        for facts in (self.rated, self.viewed, self.dismissed, self.watchlists):
            facts.pop(user, None)
        self.heard_of.discard(user)

    @precondition(lambda self: self.waiting)
    @rule()
    def write(self) -> None:
        self.batches.write()
        self.waiting = 0

    @invariant()
    def what_is_written_is_what_dicts_hold(self) -> None:
        if self.waiting:
            return
        for user in (1, 2, 3):
            profile = Ratings.unpack(self.batches.store.get(KEYS.user(user).user(user)))
            assert list(profile.rated.items()) == list(self.rated.get(user, {}).items())
            assert list(profile.viewed) == self.viewed.get(user, [])
            assert list(profile.dismissed) == self.dismissed.get(user, [])
            assert list(profile.watchlist) == self.watchlists.get(user, [])

    @invariant()
    def an_erased_user_leaves_no_key(self) -> None:
        if not self.waiting:
            stored = {u for u in (1, 2, 3) if KEYS.user(u).user(u) in self.batches.store.values}
            assert stored == self.heard_of


TestProfiles = Profiles.TestCase
TestProfiles.settings = settings(max_examples=80, stateful_step_count=40)
