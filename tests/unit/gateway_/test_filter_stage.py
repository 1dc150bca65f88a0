"""The filter stage: rules for one movie each, and what holds for any rules at all."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.catalogue.catalogue import Catalogue, MovieFilter, Row
from gateway.recommend.filter_stage import FilterStage, ListRequest, UserContext
from gateway.state.rules import MovieRules, Rules
from marquee.domain.movies import Movie
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import Reason, Scored
from marquee.events import Block, Promotion

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
GENRES = ("Crime", "Drama", "Western")


def movie(movie_id: int) -> Movie:
    genres = (GENRES[movie_id % 3],)
    return Movie(movie_id=movie_id, title=f"Film {movie_id}", year=1990 + movie_id, genres=genres)


CATALOGUE = Catalogue(Row.of(movie(i)) for i in range(1, 41))


def scored(*movie_ids: int) -> list[Scored]:
    return [Scored(i, 1.0 / (n + 1), Reason.POPULAR) for n, i in enumerate(movie_ids)]


def stage(**rules: MovieRules) -> FilterStage:
    return FilterStage(Rules({int(k[1:]): r for k, r in rules.items()}), CATALOGUE, NOW)


def promote(movie_id: int, **rule: object) -> MovieRules:
    return MovieRules(promotion=Promotion(movie_id=movie_id, **rule))


def ids(filtered) -> list[int]:
    return [item.movie_id for item in filtered.items]


def why(filtered) -> dict[int, str]:
    return {r.movie_id: r.rule for r in filtered.removed}


def test_without_rules_the_first_k_pass_in_their_order():
    filtered = stage().apply(scored(5, 3, 9, 1), UserContext(), ListRequest(3))
    assert ids(filtered) == [5, 3, 9]
    assert filtered.removed == ()
    assert filtered.placed == ()


def test_a_blocked_movie_stays_out_and_the_block_is_named():
    rules = MovieRules(block=Block(movie_id=3, reason="withdrawn", actor="ann"))
    filtered = stage(_3=rules).apply(scored(3, 4), UserContext(), ListRequest(2))
    assert ids(filtered) == [4]
    assert why(filtered) == {3: "blocked"}
    assert filtered.removed[0].detail["reason"] == "withdrawn"
    assert filtered.removed[0].detail["actor"] == "ann"


def test_a_block_ends():
    over = MovieRules(block=Block(movie_id=3, until=NOW))
    holds = MovieRules(block=Block(movie_id=3, until=NOW + HOUR))
    assert ids(stage(_3=over).apply(scored(3), UserContext(), ListRequest(2))) == [3]
    assert ids(stage(_3=holds).apply(scored(3), UserContext(), ListRequest(2))) == []


def test_a_block_wins_over_a_promotion():
    rules = MovieRules(Promotion(movie_id=3), Block(movie_id=3))
    filtered = stage(_3=rules).apply(scored(4), UserContext(), ListRequest(2))
    assert ids(filtered) == [4]
    assert why(filtered) == {3: "blocked"}


def test_seen_dismissed_and_excluded_movies_stay_out_each_by_its_rule():
    user = UserContext(Ratings({1: 8}, {2: None}, {3: None}))
    list_request = ListRequest(9, exclude=frozenset({4}))
    filtered = stage().apply(scored(1, 2, 3, 4, 5), user, list_request)
    assert ids(filtered) == [5]
    assert why(filtered) == {1: "rated", 2: "viewed", 3: "dismissed", 4: "excluded"}


def test_movies_outside_the_filter_or_the_catalogue_stay_out():
    list_request = ListRequest(9, MovieFilter(("Crime",), 1994, 1997))
    filtered = stage().apply(scored(3, 4, 6, 9, 99), UserContext(), list_request)
    assert ids(filtered) == [6]
    assert why(filtered) == {
        3: "outside_filter",
        4: "outside_filter",
        9: "outside_filter",
        99: "not_in_catalogue",
    }


def test_without_a_catalogue_the_services_filters_are_trusted():
    bare = FilterStage(Rules(), Catalogue(), NOW)
    assert ids(bare.apply(scored(7), UserContext(), ListRequest(1, MovieFilter(("Crime",))))) == [7]


def test_a_promotion_takes_its_slot_and_keeps_what_the_route_said_of_the_movie():
    items = [*scored(1, 2), Scored(3, 0.3, Reason.BECAUSE_YOU_LIKED, ((9, 1.0),)), *scored(4)]
    filtered = stage(_3=promote(3, slots=(2,))).apply(items, UserContext(), ListRequest(4))
    assert ids(filtered) == [1, 3, 2, 4]
    assert filtered.items[1] == Scored(3, 0.3, Reason.PROMOTED, ((9, 1.0),))
    assert [(p.movie_id, p.rank) for p in filtered.placed] == [(3, 2)]


def test_heavier_promotions_choose_first_and_a_movie_without_a_free_slot_is_not_placed():
    rules = {
        "_1": promote(1, weight=1, slots=(1,)),
        "_2": promote(2, weight=3, slots=(1, 2)),
        "_3": promote(3, weight=2, slots=(1, 2)),
    }
    filtered = stage(**rules).apply(scored(10, 11), UserContext(), ListRequest(4))
    assert ids(filtered) == [2, 3, 10, 11]


def test_a_slot_beyond_the_list_places_nothing():
    filtered = stage(_3=promote(3, slots=(6,))).apply(scored(1, 2), UserContext(), ListRequest(5))
    assert ids(filtered) == [1, 2]


def test_promotions_without_slots_are_spread_over_every_fourth_rank():
    rules = {f"_{i}": promote(i, weight=100 - i) for i in range(1, 6)}
    filtered = stage(**rules).apply(scored(*range(11, 31)), UserContext(), ListRequest(10))
    assert [(p.rank, p.movie_id) for p in filtered.placed] == [(1, 1), (5, 2), (9, 3)]


def test_promoted_movies_fill_a_list_that_has_nothing_else():
    filtered = stage(_3=promote(3, slots=(4,))).apply([], UserContext(), ListRequest(5))
    assert ids(filtered) == [3]
    assert filtered.placed[0].rank == 1


@pytest.mark.parametrize(
    ("rule", "placed"),
    [
        ({}, True),
        ({"genres": ("Drama",)}, True),
        ({"genres": ("Western",)}, False),
        ({"segments": (4, 5)}, True),
        ({"segments": (6,)}, False),
        ({"from": NOW}, True),
        ({"from": NOW + HOUR}, False),
        ({"until": NOW + HOUR}, True),
        ({"until": NOW}, False),
    ],
)
def test_a_promotion_holds_for_its_genres_segments_and_time(rule, placed):
    user = UserContext(segments=frozenset({5}))
    list_request = ListRequest(2, MovieFilter(("Crime", "Drama")))
    filtered = stage(_3=promote(3, **rule)).apply(scored(4), user, list_request)
    assert bool(filtered.placed) is placed


def test_a_promotion_for_genres_holds_when_none_is_asked_for():
    filtered = stage(_3=promote(3, genres=("Western",))).apply([], UserContext(), ListRequest(2))
    assert ids(filtered) == [3]


def test_a_promoted_movie_outside_the_requests_genres_is_not_placed():
    list_request = ListRequest(2, MovieFilter(("Western",)))
    filtered = stage(_3=promote(3)).apply(scored(2), UserContext(), list_request)
    assert ids(filtered) == [2]
    assert why(filtered) == {3: "outside_filter"}


def test_promotions_can_be_left_out():
    filtered = stage(_3=promote(3)).apply(scored(4), UserContext(), ListRequest(2), promote=False)
    assert ids(filtered) == [4]


def test_no_more_movies_are_taken_than_are_needed():
    source = iter(scored(1, 2, 3, 4))
    stage().apply(source, UserContext(), ListRequest(2))
    assert next(source).movie_id == 3


movie_ids = st.integers(1, 45)
movies = st.sets(movie_ids, max_size=15)
times = st.none() | st.sampled_from([NOW - HOUR, NOW, NOW + HOUR])
promotions = st.builds(
    lambda i, w, slots, genres, t: Promotion(
        movie_id=i, weight=w, slots=tuple(slots), genres=genres, until=t
    ),
    movie_ids,
    st.floats(0.1, 10),
    st.lists(st.integers(1, 20), max_size=4),
    st.sampled_from([(), ("Crime",), ("Drama", "Western")]),
    times,
)
blocks = st.builds(lambda i, t: Block(movie_id=i, until=t), movie_ids, times)
wishes = st.builds(
    lambda k, genres, exclude: ListRequest(k, MovieFilter(genres), frozenset(exclude)),
    st.integers(1, 12),
    st.sampled_from([(), ("Crime",), ("Crime", "Drama")]),
    movies,
)


@settings(deadline=None)
@given(
    st.lists(movie_ids, max_size=60),
    st.lists(promotions, max_size=8),
    st.lists(blocks, max_size=8),
    st.tuples(movies, movies, movies),
    wishes,
)
def test_any_outcome_keeps_the_promises_of_the_stage(items, promoted, blocked, seen, list_request):
    rules = {p.movie_id: MovieRules(promotion=p) for p in promoted}
    for b in blocked:
        rules[b.movie_id] = MovieRules(getattr(rules.get(b.movie_id), "promotion", None), b)
    rated, viewed, dismissed = seen
    facts = Ratings(dict.fromkeys(rated, 8), dict.fromkeys(viewed), dict.fromkeys(dismissed))
    filtered = FilterStage(Rules(rules), CATALOGUE, NOW).apply(
        scored(*items), UserContext(facts), list_request
    )

    shown_ids = ids(filtered)
    in_force = {
        i for i, r in rules.items() if r.block and (r.block.until is None or r.block.until > NOW)
    }
    allowed = (
        {row.movie_id for row in CATALOGUE if list_request.filter.allows(row)}
        - in_force
        - rated
        - viewed
        - dismissed
        - list_request.exclude
    )
    natural = [i for i in dict.fromkeys(items) if i in allowed]
    placed = {p.movie_id for p in filtered.placed}

    assert len(shown_ids) == len(set(shown_ids)) <= list_request.k
    assert set(shown_ids) <= allowed
    assert len(shown_ids) == min(list_request.k, len(placed | set(natural)))
    assert placed <= set(shown_ids) & set(rules)
    assert [i for i in shown_ids if i not in placed] == [i for i in natural if i not in placed][
        : list_request.k - len(placed)
    ]
    assert all(shown_ids[p.rank - 1] == p.movie_id for p in filtered.placed)
    assert not set(why(filtered)) & set(shown_ids)
