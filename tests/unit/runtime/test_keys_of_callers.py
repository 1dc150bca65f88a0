"""Keys of callers: what is stored, what is valid, and how rates and durations are written."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from marquee.access.api_keys import ApiKey, create_key, parse_scopes, split_key
from marquee.access.rates import Rate, parse_duration
from marquee.access.scopes import GRANTED, Scope
from marquee.errors import InvalidInput, SettingsError
from marquee.settings import Settings, read, split_secrets


@given(st.sets(st.sampled_from(GRANTED), min_size=1))
def test_a_key_is_known_by_its_secret_and_the_secret_is_not_stored(scopes: set[Scope]) -> None:
    key, text = create_key("shop", scopes)
    parts = split_key(text)
    assert parts is not None
    key_id, secret = parts
    assert key_id == key.id
    stored = key.model_dump_json()
    assert secret not in stored
    again = ApiKey.model_validate_json(stored)
    assert again == key
    assert again.has_secret(secret)
    assert not again.has_secret(secret[:-1])
    assert not again.has_secret(secret + "x")
    assert set(again.scopes) == scopes


def test_no_two_keys_are_alike() -> None:
    texts = {create_key("shop", GRANTED)[1] for _ in range(100)}
    assert len(texts) == 100


@given(st.text(max_size=80))
def test_what_is_no_key_is_none(text: str) -> None:
    assert split_key(text) is None


def test_a_key_ends_at_its_time() -> None:
    key, _ = create_key("shop", GRANTED, timedelta(days=90), Rate(200, 1))
    assert key.expires is not None
    assert key.refusal(key.expires - timedelta(seconds=1)) is None
    assert key.refusal(key.expires) == "expired"
    revoked = key.model_copy(update={"revoked": datetime.now(UTC)})
    assert revoked.refusal(datetime.now(UTC)) == "revoked"
    assert create_key("shop", GRANTED)[0].refusal(datetime.max.replace(tzinfo=UTC)) is None


@pytest.mark.parametrize("name", ["", " shop", "a b", "-x", "x" * 65, "магазин", "a\n"])
def test_a_name_that_no_list_can_show_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="name: "):
        create_key(name, GRANTED)


@pytest.mark.parametrize("text", ["", "all", "read,admin", "open"])
def test_scopes_are_named_in_full(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"scope: .*read, write, curate, operate"):
        create_key("shop", parse_scopes(text))


@given(st.integers(1, 10**9 - 1), st.sampled_from("smhd"))
def test_rates_are_written_as_they_are_read(count: int, unit: str) -> None:
    assert str(Rate.parse(f"{count}/{unit}")) == f"{count}/{unit}"


@pytest.mark.parametrize("text", ["0/s", "5", "5/y", "-1/s", "1.5/s", "5 / s", "", "/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="write one as 200/s"):
        Rate.parse(text)


def test_durations() -> None:
    assert parse_duration("90d") == timedelta(days=90)
    assert parse_duration("30m") == timedelta(minutes=30)
    for text in ("90", "0d", "d", "1w", "-1d"):
        with pytest.raises(InvalidInput, match="write one as 90d"):
            parse_duration(text)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org"])
def test_open_access_beyond_this_machine_must_be_said(host: str) -> None:
    with pytest.raises(SettingsError, match=r"set MARQUEE_AUTH=keys, or MARQUEE_AUTH=open"):
        read({"MARQUEE_HOST": host})
    assert read({"MARQUEE_HOST": host, "MARQUEE_AUTH": "open"}).is_open
    assert not read({"MARQUEE_HOST": host, "MARQUEE_AUTH": "keys"}).is_open


def test_on_the_loopback_address_access_is_open_unless_keys_are_asked_for() -> None:
    assert read({}).is_open
    assert not read({"MARQUEE_AUTH": "keys"}).is_open
    with pytest.raises(SettingsError, match="MARQUEE_AUTH"):
        read({"MARQUEE_AUTH": "none"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MARQUEE_TOKEN_SECRETS", "x" * 31),
        ("MARQUEE_TOKEN_SECRETS", "x" * 32 + ",y"),
        ("MARQUEE_SERVICE_SECRET", "x" * 15),
        ("MARQUEE_VIEWER_RATE", "fast"),
    ],
)
def test_a_short_secret_or_a_wrong_rate_is_refused_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name) as refused:
        read({name: value})
    assert value not in str(refused.value)


def test_secrets_are_listed_newest_first_and_never_printed() -> None:
    settings = Settings(service_secret=SecretStr(" new-secret-new-secret , old-secret-old-secret,"))
    assert split_secrets(settings.service_secret) == (
        "new-secret-new-secret",
        "old-secret-old-secret",
    )
    assert split_secrets(None) == ()
    assert "old-secret" not in repr(settings)
