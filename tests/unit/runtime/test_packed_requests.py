"""Facts as they are stored say the same, decoded or not, as those that travel as JSON."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.user_request import UserRequest
from marquee.domain.packed_ratings import StoredRatings
from marquee.domain.ratings import PackedLayout, Ratings
from marquee.domain.recommendation import (
    PackedRecommendRequest,
    RecommendRequest,
    Route,
    packed_request,
)
from marquee.errors import StoreUnavailable

IDS = st.integers(1, 2**32 - 1) | st.integers(-(2**63), 2**63 - 1).filter(bool)


@st.composite
def facts(draw: st.DrawFn) -> Ratings:
    made = Ratings(user=draw(st.sampled_from(["", "anna@example.org"])))
    for movie_id in draw(st.lists(IDS, max_size=8)):
        made.rate(movie_id, draw(st.integers(1, 10)), draw(st.sampled_from([0, 1, 2_000_000_000])))
    for movie_id in draw(st.lists(IDS, max_size=4)):
        made.view(movie_id)
    for movie_id in draw(st.lists(IDS, max_size=4)):
        made.dismiss(movie_id)
    for movie_id in draw(st.lists(IDS, max_size=3)):
        made.list_for_later(movie_id)
    return made


@given(facts())
def test_stored_facts_are_those_that_were_packed(made: Ratings) -> None:
    stored = StoredRatings(made.pack())
    assert stored == Ratings.unpack(made.pack()) == made
    assert [*stored.rated.items(), *stored.times.items()] == [
        *made.rated.items(),
        *made.times.items(),
    ]
    assert (stored.seen, stored.positive, bool(stored)) == (made.seen, made.positive, bool(made))
    assert stored.packed == stored.pack() == made.packed


@given(facts(), st.booleans(), st.lists(IDS, max_size=3))
def test_both_forms_of_a_request_say_the_same(
    made: Ratings, is_stored: bool, exclude: list[int]
) -> None:
    options = {"route": Route.HYBRID, "user_id": 7, "k": 12, "exclude": exclude, "diversity": 0.1}
    request = UserRequest(options, StoredRatings(made.pack()) if is_stored else made)
    packed = PackedRecommendRequest.parse(request.packed())
    as_json = RecommendRequest.model_validate_json(request.json())
    common = set(PackedRecommendRequest.model_fields)
    assert packed.model_dump() == as_json.model_dump(include=common)
    assert packed.seen == as_json.seen
    one, other = packed.history, as_json.history
    for name in ("movie_ids", "stars", "times"):
        left, right = getattr(one.rated, name), getattr(other.rated, name)
        assert (left is None) == (right is None), name
        if left is not None:
            np.testing.assert_array_equal(left, right)
            assert left.dtype == right.dtype, name
    np.testing.assert_array_equal(one.viewed, other.viewed)
    assert one.viewed.dtype == other.viewed.dtype


@given(facts(), st.data())
def test_a_body_that_ends_early_is_no_request(made: Ratings, data: st.DataObject) -> None:
    body = packed_request(b'{"route":"hybrid"}', made.pack())
    # Whoever does not know times, or the watchlist, ends before them.
    layout = PackedLayout.of(made.pack())
    optional = len(made.pack()) - layout.times_at
    cut = data.draw(st.integers(0, len(body) - optional - 1))
    with pytest.raises((ValueError, StoreUnavailable)):
        PackedRecommendRequest.parse(body[:cut])


def test_a_wrong_option_is_refused() -> None:
    with pytest.raises(ValueError, match="surprise"):
        PackedRecommendRequest.parse(
            packed_request(b'{"route":"hybrid","surprise":1}', Ratings().pack())
        )
