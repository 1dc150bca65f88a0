"""The filter stage while curators, users and the clock do what they like, against plain rules."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from gateway.catalogue.catalogue import Catalogue, MovieFilter, Row
from gateway.consumer import HANDLERS
from gateway.recommend.filter_stage import FilteredList, FilterStage, ListRequest, UserContext
from gateway.state.rules import MovieRules, Rules
from marquee.domain.movies import Movie
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import Reason, Scored
from marquee.events import (
    MOVIES,
    Event,
    MovieBlocked,
    MovieDismissed,
    MoviePromoted,
    MovieRestored,
    MovieUnblocked,
    MovieUnpromoted,
    MovieViewed,
    RatingAdded,
    RatingRemoved,
    UserErased,
)
from marquee.store.keys import Keys
from marquee_testing.fakes.batches import BatchApplier

KEYS = Keys("machine", "gateway", 2)
START = datetime(2026, 1, 1, tzinfo=UTC)
GENRES = ("Crime", "Drama", "Western")
MOVIE_IDS, HOURS = st.integers(1, 12), st.none() | st.integers(-3, 3)
SOME_GENRES = st.lists(st.sampled_from(GENRES), max_size=2, unique=True)
CATALOGUE = Catalogue(
    Row.of(Movie(movie_id=i, title=f"Film {i}", genres=(GENRES[i % 3],))) for i in range(1, 11)
)
ROUTES = [reason for reason in Reason if reason is not Reason.PROMOTED]
Rule = dict[str, Any]


class Filtering(RuleBasedStateMachine):
    """Rules travel as events into rows and are parsed; the plain side keeps what was decided."""

    @initialize()
    def begin(self) -> None:
        self.batches = BatchApplier(KEYS, HANDLERS)
        self.now = START
        self.blocks: dict[int, Rule] = {}
        self.promotions: dict[int, Rule] = {}
        self.seen: dict[str, set[int]] = {"rated": set(), "viewed": set(), "dismissed": set()}
        self.segments: frozenset[int] = frozenset()

    def send(self, kind: type[Event], data: Rule) -> None:
        self.batches.add(kind.model_validate({"data": data}))
        self.batches.write()

    def moment(self, hours: int | None) -> datetime | None:
        return None if hours is None else self.now + timedelta(hours=hours)

    # --- what curators do

    @rule(movie=MOVIE_IDS, until=HOURS)
    def block(self, movie: int, until: int | None) -> None:
        self.blocks[movie] = {"movie_id": movie, "until": self.moment(until)}
        self.send(MovieBlocked, self.blocks[movie])

    @rule(movie=MOVIE_IDS)
    def unblock(self, movie: int) -> None:
        self.send(MovieUnblocked, {"movie_id": movie})
        self.blocks.pop(movie, None)

    @rule(
        movie=MOVIE_IDS, weight=st.integers(1, 3), slots=st.lists(st.integers(1, 6), max_size=2),
        genres=SOME_GENRES, segments=st.lists(st.integers(1, 2), max_size=1),
        starts=HOURS, until=HOURS,
    )  # fmt: skip
    def promote(
        self, movie: int, weight: int, slots: list[int], genres: list[str], segments: list[int],
        starts: int | None, until: int | None,
    ) -> None:  # fmt: skip
        times = {"from": self.moment(starts), "until": self.moment(until)}
        promotion = {"movie_id": movie, "weight": weight, "slots": slots} | times
        self.promotions[movie] = promotion | {"genres": genres, "segments": segments}
        self.send(MoviePromoted, self.promotions[movie])

    @rule(movie=MOVIE_IDS)
    def unpromote(self, movie: int) -> None:
        self.send(MovieUnpromoted, {"movie_id": movie})
        self.promotions.pop(movie, None)

    @rule(hours=st.integers(-2, 2))
    def let_the_clock_jump(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    # --- what the user does

    @rule(movie=MOVIE_IDS, half=st.integers(1, 10))
    def rate(self, movie: int, half: int) -> None:
        self.send(RatingAdded, {"user_id": 1, "movie_id": movie, "rating": half / 2})
        self.seen["rated"].add(movie)

    @rule(movie=MOVIE_IDS)
    def withdraw(self, movie: int) -> None:
        self.send(RatingRemoved, {"user_id": 1, "movie_id": movie})
        self.seen["rated"].discard(movie)

    @rule(movie=MOVIE_IDS)
    def view(self, movie: int) -> None:
        self.send(MovieViewed, {"user_id": 1, "movie_id": movie})
        self.seen["viewed"].add(movie)

    @rule(movie=MOVIE_IDS)
    def dismiss(self, movie: int) -> None:
        self.send(MovieDismissed, {"user_id": 1, "movie_id": movie})
        self.seen["dismissed"].add(movie)

    @rule(movie=MOVIE_IDS)
    def restore(self, movie: int) -> None:
        self.send(MovieRestored, {"user_id": 1, "movie_id": movie})
        self.seen["dismissed"].discard(movie)

    @rule()
    def erase(self) -> None:
        self.send(UserErased, {"user_id": 1})
        for movies in self.seen.values():
            movies.clear()

    @rule(segments=st.frozensets(st.integers(1, 2)))
    def move_to_segments(self, segments: frozenset[int]) -> None:
        self.segments = segments

    # --- what is shown

    @rule(
        ranked=st.lists(MOVIE_IDS, max_size=14), route=st.sampled_from(ROUTES), k=st.integers(1, 8),
        genres=SOME_GENRES, exclude=st.frozensets(MOVIE_IDS, max_size=2),
    )  # fmt: skip
    def ask(
        self, ranked: list[int], route: Reason, k: int, genres: list[str], exclude: frozenset[int]
    ) -> None:
        list_request = ListRequest(k, MovieFilter(tuple(genres)), exclude)
        items = [Scored(movie, 1.0 / (n + 1), route) for n, movie in enumerate(ranked)]
        filtered = self.stage().apply(items, self.user(), list_request)
        allowed = [i for i in range(1, 13) if self.may_be_shown(i, list_request)]
        places = self.places(list_request, allowed)
        natural = [m for m in dict.fromkeys(ranked) if m in allowed and m not in places.values()]
        assert [item.movie_id for item in filtered.items] == _merged(places, natural, k)
        assert self.reasons(filtered) <= {route, Reason.PROMOTED}
        assert {i.movie_id for i in filtered.items if i.reason is Reason.PROMOTED} == set(
            places.values()
        )

    def stage(self) -> FilterStage:
        """Return the stage as the gateway makes it from what is stored."""
        rows = [self.batches.store.scan(keys.rules) for keys in KEYS.all(MOVIES)]
        rules = [{int(i): MovieRules.parse(text) for i, text in row.items()} for row in rows]
        return FilterStage(Rules.of(rules), CATALOGUE, self.now)

    def user(self) -> UserContext:
        facts = Ratings.unpack(self.batches.store.get(KEYS.user(1).user(1)))
        return UserContext(facts, self.segments)

    def reasons(self, filtered: FilteredList) -> set[Reason]:
        return {item.reason for item in filtered.items}

    def holds(self, promotion: Rule) -> bool:
        starts, until = promotion.get("from"), promotion.get("until")
        return (starts is None or starts <= self.now) and (until is None or self.now < until)

    def may_be_shown(self, movie: int, list_request: ListRequest) -> bool:
        """Nothing overrules a block; a promotion overrules neither what was seen nor the wish."""
        blocked = movie in self.blocks and self.holds(self.blocks[movie])
        seen = any(movie in movies for movies in self.seen.values())
        wanted = not list_request.filter.genres or GENRES[movie % 3] in list_request.filter.genres
        return (
            not blocked
            and not seen
            and movie not in list_request.exclude
            and movie <= 10
            and wanted
        )

    def places(self, list_request: ListRequest, allowed: list[int]) -> dict[int, int]:
        """Return rank → movie of the promotions that are in force for this user and wish."""
        taken: dict[int, int] = {}
        for promotion in sorted(
            self.promotions.values(), key=lambda t: (-t["weight"], t["movie_id"])
        ):
            meant = not promotion["segments"] or self.segments & set(promotion["segments"])
            wanted_genres = list_request.filter.genres
            fits = (
                not promotion["genres"]
                or not wanted_genres
                or set(wanted_genres) & set(promotion["genres"])
            )
            if self.holds(promotion) and meant and fits and promotion["movie_id"] in allowed:
                ranks = promotion["slots"] or range(1, list_request.k + 1, 4)
                free = [rank for rank in ranks if rank <= list_request.k and rank not in taken]
                if free:
                    taken[free[0]] = promotion["movie_id"]
        return taken


def _merged(places: dict[int, int], natural: list[int], k: int) -> list[int]:
    """Return the list: promoted movies at their ranks, the others in their order between them."""
    remaining, merged = list(natural), []
    for rank in range(1, k + 1):
        if rank in places:
            merged.append(places[rank])
        elif remaining:
            merged.append(remaining.pop(0))
    return merged


TestFiltering = Filtering.TestCase
TestFiltering.settings = settings(max_examples=600, stateful_step_count=30)
