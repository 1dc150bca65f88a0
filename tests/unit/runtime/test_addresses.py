"""An address is read as it was meant, or refused in words that give nothing of a password away."""

import re
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from redis.connection import parse_url

from marquee.addresses import http_url_fault, is_loopback, kafka_servers_fault, redis_url_fault

MARK = "Zq7"
"""Stands around each drawn password, and in no text of ours."""
PASSWORDS = st.text(
    st.one_of(st.sampled_from("@/#%?[]:&=+ 0aF"), st.characters(codec="utf-8")), max_size=12
).map(lambda drawn: f"{MARK}{drawn}{MARK}")


@given(PASSWORDS)
def test_an_encoded_password_of_any_characters_reaches_the_client(password: str) -> None:
    url = f"redis://user:{quote(password, safe='')}@host.example:6379/3"
    assert redis_url_fault(url) is None
    assert parse_url(url) | {"port": 6379} == {
        "username": "user", "password": password, "host": "host.example", "port": 6379, "db": 3,
    }  # fmt: skip


@given(PASSWORDS)
@example(f"{MARK}p@ss/w{MARK}")
@example(f"{MARK}#{MARK}")
@example(f"{MARK}?a=b{MARK}")
@example(f"{MARK}1/{MARK}")
def test_a_password_as_it_is_reaches_the_client_unchanged_or_is_refused(password: str) -> None:
    assume(not re.search("%[0-9A-Fa-f]{2}", password))  # nobody can tell this from an encoded one
    url = f"redis://user:{password}@host.example:6379/3"
    fault = redis_url_fault(url)
    if fault is None:
        read = parse_url(url)
        assert (read["password"], read["host"], read["db"]) == (password, "host.example", 3)
    else:
        assert MARK not in fault
        assert "%2F" in fault or "%20" in fault, "the remedy is not told"


@pytest.mark.parametrize("special", ["/", "#", "?", "["])
def test_a_special_character_that_breaks_the_address_is_refused_with_its_encoding(
    special: str,
) -> None:
    fault = redis_url_fault(f"redis://:pa{special}ss@127.0.0.1:6379/0")
    assert fault is not None
    assert quote(special, safe="") in fault
    assert special == "[" or "the password has" in fault
    assert "ss" not in fault.replace("password", "")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("127.0.0.1:6379", "has no scheme"),
        ("", "has no scheme"),
        ("http://127.0.0.1:6379", "neither redis:// nor rediss://"),
        ("unix:///run/redis.sock", "neither redis:// nor rediss://"),
        ("redis://host:port", "no host and port"),
        ("redis://host:70000", "no host and port"),
        ("redis://host:0", "port is 0"),
        ("redis://host/first", "number of a database"),
        ("redis://host/0#x", "has a #"),
        ("redis://host /0", "a space"),
    ],
)
def test_an_address_that_cannot_be_one_is_refused(url: str, words: str) -> None:
    assert words in (redis_url_fault(url) or "")


@pytest.mark.parametrize(
    "url", ["redis://h", "rediss://h:6380/1?ssl_ca_certs=ca.pem", "redis://:p@h", "redis://[::1]:1"]
)
def test_usual_addresses_are_right(url: str) -> None:
    assert redis_url_fault(url) is None


@pytest.mark.parametrize("servers", ["", "kafka", "kafka:", "a:1,", "PLAINTEXT://a:9092", "a:0"])
def test_brokers_without_host_and_port_are_refused(servers: str) -> None:
    assert "HOST:PORT" in (kafka_servers_fault(servers) or "")


def test_brokers_and_apps_by_host_and_port_are_right() -> None:
    assert kafka_servers_fault("a:9092,b.example:9093,[::1]:9092") is None
    assert http_url_fault("https://content.example/base") is None
    assert "http://HOST:PORT" in (http_url_fault("content:8101") or "")


def test_loopback_is_known_by_name_and_by_address() -> None:
    assert [is_loopback(host) for host in ("localhost", "127.0.0.9", "::1")] == [True] * 3
    assert [is_loopback(host) for host in ("0.0.0.0", "content", "", None)] == [False] * 4
