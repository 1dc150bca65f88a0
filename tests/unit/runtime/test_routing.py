"""The routing rule at each of its boundaries, and the chain of fallbacks."""

import pytest

from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import Route
from marquee.domain.routing import Evidence, Thresholds, chain, decide

THRESHOLDS = Thresholds(few=5, many=20, positive=3)


@pytest.mark.parametrize(
    ("ratings", "positive", "viewed", "route", "reason"),
    [
        (0, 0, 0, "popular", "no rating, no viewed film"),
        (0, 0, 1, "similar", "1 viewed film, no rating"),
        (0, 0, 3, "similar", "3 viewed films, no rating"),
        (1, 0, 0, "hybrid", "1 rating, 0 positive: fewer than 5 ratings"),
        (1, 1, 9, "hybrid", "1 rating, 1 positive: fewer than 5 ratings"),
        (4, 4, 0, "hybrid", "4 ratings, 4 positive: fewer than 5 ratings"),
        (5, 3, 0, "user-cluster", "5 ratings, 3 positive: 5 or more ratings, 3 or more positive"),
        (5, 2, 0, "hybrid", "5 ratings, 2 positive: fewer than 3 positive ratings"),
        (6, 2, 0, "hybrid", "6 ratings, 2 positive: fewer than 3 positive ratings"),
        (
            19,
            19,
            0,
            "user-cluster",
            "19 ratings, 19 positive: 5 or more ratings, 3 or more positive",
        ),
        (20, 3, 0, "neural", "20 ratings, 3 positive: 20 or more ratings, 3 or more positive"),
        (20, 2, 0, "hybrid", "20 ratings, 2 positive: fewer than 3 positive ratings"),
        (300, 0, 0, "hybrid", "300 ratings, 0 positive: fewer than 3 positive ratings"),
    ],
)
def test_the_evidence_decides_the_route_and_says_why(ratings, positive, viewed, route, reason):
    evidence = Evidence(ratings, positive, viewed)
    decision = decide(evidence, THRESHOLDS)
    assert (decision.route, decision.reason) == (route, reason)
    assert decision.evidence == evidence


def test_thresholds_are_settings():
    few = Thresholds(few=2, many=3, positive=1)
    assert decide(Evidence(2, 1), few).route is Route.USER_CLUSTER
    assert decide(Evidence(3, 1), few).route is Route.NEURAL


def test_evidence_counts_ratings_above_three_and_a_half_stars_as_positive():
    facts = Ratings({1: 7, 2: 8, 3: 10}, {9: None}, {4: None})
    catalogue = range(100)
    assert Evidence.of(facts, catalogue) == Evidence(ratings=3, positive=2, viewed=1)


def test_evidence_counts_films_of_the_catalogue_alone():
    facts = Ratings({1: 8, 200: 8, 201: 2}, {9: None, 300: None})
    evidence = Evidence.of(facts, range(100))
    assert evidence == Evidence(ratings=1, positive=1, viewed=1, unknown=3)
    assert decide(evidence, THRESHOLDS).reason == (
        "1 rating, 1 positive, 3 films not in the catalogue: fewer than 5 ratings"
    )


@pytest.mark.usefixtures("every_rating")
def test_every_rating_counts_as_a_like_where_the_setting_says_so():
    facts = Ratings({1: 1, 2: 8}, {9: None}, {4: None})
    assert Evidence.of(facts, range(100)) == Evidence(ratings=2, positive=2, viewed=1)


def test_the_chain_ends_with_popular():
    assert chain(Route.NEURAL, Evidence(20, 3)) == [
        Route.NEURAL,
        Route.USER_CLUSTER,
        Route.HYBRID,
        Route.SIMILAR,
        Route.POPULAR,
    ]
    assert chain(Route.POPULAR, Evidence()) == [Route.POPULAR]


@pytest.mark.parametrize(
    ("evidence", "has_similar"),
    [(Evidence(4, 0, 0), False), (Evidence(4, 1, 0), True), (Evidence(4, 0, 1), True)],
)
def test_similar_is_in_the_chain_only_with_a_movie_to_start_from(evidence, has_similar):
    assert (Route.SIMILAR in chain(Route.HYBRID, evidence)) is has_similar
