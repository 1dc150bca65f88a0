"""The token of a write."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.state import consistency_token
from marquee.bus.api import Published, TopicPartition
from marquee.errors import InvalidInput

names = st.builds("{}:{}".format, st.sampled_from(["movies", "ratings"]), st.integers(0, 1023))
vectors = st.dictionaries(names, st.integers(0, 2**53), max_size=20)


@settings(deadline=None)
@given(vectors)
def test_a_token_holds_its_vector_and_may_stand_in_a_url(vector):
    text = consistency_token.encode(vector)
    assert consistency_token.decode(text) == vector
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_positions_are_the_next_offsets_of_each_partition():
    zero, one = TopicPartition("ratings", 0), TopicPartition("ratings", 1)
    places = [Published(zero, 4), Published(one, 9), Published(zero, 3)]
    assert consistency_token.positions_of(places) == {"ratings:0": 5, "ratings:1": 10}


def test_a_vector_can_be_cut_to_topics():
    vector = {"movies:0": 1, "ratings:0": 2}
    assert consistency_token.select_topics(vector, "movies") == {"movies:0": 1}


def _sealed(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not a token",
        "%%%%",
        _sealed(b"{"),
        _sealed(b"[1]"),
        _sealed(b'{"ratings:0": -1}'),
        _sealed(b'{"ratings:0": true}'),
        _sealed(b'{"ratings:0": 1.5}'),
        _sealed(b'{"ratings:x": 1}'),
        _sealed(b'{"secrets:0": 1}'),
        "A" * (consistency_token.MAX_LENGTH + 1),
    ],
)
def test_what_no_write_has_given_is_an_error_that_names_the_parameter(text):
    with pytest.raises(InvalidInput, match="token") as caught:
        consistency_token.decode(text)
    assert caught.value.field == "after"
