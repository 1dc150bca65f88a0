"""Ids are whole numbers or strings outside, numbers inside, and go round through every form."""

import pickle
import string

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from marquee.domain.ids import (
    MAX_NUMBER,
    Id,
    IdText,
    as_given,
    id_text,
    number_of,
    pack_ids,
    parse_id,
    parse_id_text,
    string_of,
    unpack_ids,
)
from marquee.domain.ratings import Ratings
from marquee.events import RatingAdded, decode
from marquee.events.partitioning import partition_of, partition_of_bytes, partitions_of

WHOLE = st.integers(1, MAX_NUMBER)
TEXTS = st.text(string.ascii_letters + string.digits + "._:@-", min_size=1, max_size=64).filter(
    lambda text: (
        text.strip(".") and (not text.lstrip("-").isdigit() or (text[0] == "0" and len(text) > 1))
    )
)
"""Ids that are strings, `007` among them; none is of dots alone."""
IDS = WHOLE | TEXTS


class Document(BaseModel):
    given: Id
    text: IdText


@given(IDS)
def test_an_id_comes_back_as_it_was_given(value: int | str) -> None:
    document = Document.model_validate_json(orjson.dumps({"given": value, "text": str(value)}))
    assert orjson.loads(document.model_dump_json()) == {"given": value, "text": value}
    again = pickle.loads(pickle.dumps(document))  # noqa: S301 - of this test's own making
    assert as_given(again.given) == value
    assert id_text(again.given) == str(value)


@given(WHOLE)
def test_a_whole_number_and_its_text_are_one_id(number: int) -> None:
    as_text = parse_id(str(number))
    assert as_text == number == parse_id(number)
    assert as_given(as_text) == str(number)
    assert string_of(as_text) == ""
    assert type(parse_id_text(str(number))) is int


@given(TEXTS)
def test_a_string_has_a_negative_number_that_only_its_text_decides(text: str) -> None:
    number = parse_id(text)
    assert -(2**63) <= number < 0
    assert number == number_of(text) == parse_id_text(text)
    assert string_of(number) == text
    assert orjson.dumps(number) == str(int(number)).encode()


def test_the_number_of_a_string_is_the_same_for_ever() -> None:
    """What is stored would not be found again under another number."""
    assert number_of("tt0111161") == -8216747866225399690
    assert number_of("user:ab-12") == -4813078752410378130


@given(st.lists(IDS, min_size=1, max_size=20), st.integers(1, 64))
def test_the_partition_follows_from_the_number_as_from_the_key(
    values: list[int | str], partitions: int
) -> None:
    ids = [parse_id(value) for value in values]
    by_key = [partition_of_bytes(str(value).encode(), partitions) for value in values]
    assert [partition_of(number, partitions) for number in ids] == by_key
    assert partitions_of(np.array(ids, np.int64), partitions).tolist() == by_key


@pytest.mark.parametrize(
    "value",
    [0, -1, 2**63, True, False, 1.0, 9.007199254740993e15, None, [], {}, "", " ", "a b", "a/b", "é"]
    + ["+7", "٤٢", "²", "a\n", "0", "-5", str(2**63), "a" * 65, "a\x00", b"a"],  # noqa: RUF001 - digits of other scripts are no digits here
)
def test_what_is_no_id_is_refused_with_the_rule(value: object) -> None:
    with pytest.raises(ValueError, match="whole number from 1 to 9223372036854775807, or a string"):
        parse_id(value)
    with pytest.raises(ValidationError, match="must be a whole number"):
        Document.model_validate({"given": value, "text": "1"})


@pytest.mark.parametrize("text", ["007", "7_7", "7.0", "1e3", "0x10", "-0", "--1"])
def test_what_only_resembles_a_number_is_a_string(text: str) -> None:
    assert parse_id(text) < 0


@given(st.lists(IDS), st.lists(IDS), st.lists(IDS), st.lists(IDS), st.just("") | TEXTS)
def test_packed_ratings_keep_ids_of_every_form(
    rated: list[int | str],
    viewed: list[int | str],
    dismissed: list[int | str],
    watchlist: list[int | str],
    user: str,
) -> None:
    ratings = Ratings(user=user)
    for place, value in enumerate(rated):
        ratings.rate(parse_id(value), place % 10 + 1, place)
    for value in watchlist:
        ratings.list_for_later(parse_id(value))
    for value in viewed:
        ratings.view(parse_id(value))
    for value in dismissed:
        ratings.dismiss(parse_id(value))
    again = Ratings.unpack(ratings.pack())
    assert again == ratings
    assert list(again.rated) == list(ratings.rated)
    assert list(again.watchlist) == list(ratings.watchlist)


def test_profiles_of_whole_numbers_are_packed_as_before() -> None:
    ratings = Ratings({1: 8, 2**32 - 1: 3}, {7: None}, {9: None})
    assert ratings.pack() == bytes.fromhex(
        "01020000000100000001000000" + "01000000ffffffff" + "0803" + "07000000" + "09000000"
    )


def test_a_watchlist_stands_behind_the_times_where_earlier_releases_do_not_read() -> None:
    ratings = Ratings({1: 8}, watchlist={6: None, 5: None})
    before = bytes.fromhex("01010000000000000000000000" + "01000000" + "08")
    assert ratings.pack() == before + bytes(4) + bytes.fromhex("06000000" + "05000000")
    timed = Ratings({1: 8}, times={1: 9})
    assert timed.pack() == before + bytes.fromhex("09000000")
    assert Ratings.unpack(timed.pack()) == timed
    assert Ratings(watchlist={7: None}).pack()[13:] == bytes.fromhex("07000000")


@given(st.lists(IDS.map(parse_id)))
def test_packed_numbers_come_back(numbers: list[int]) -> None:
    assert unpack_ids(pack_ids(numbers)) == numbers


@given(IDS, IDS)
def test_an_event_keeps_ids_and_its_key_is_the_users(user: int | str, movie: int | str) -> None:
    data = {"user_id": user, "movie_id": movie, "rating": 4.5}
    event = RatingAdded.model_validate({"data": data})
    again = decode(event.encode())
    assert again == event
    assert orjson.loads(again.encode())["data"] == data | {"recommendation_id": None}
    assert again.key == str(user)
