"""What browsers and proxies ask of a gateway process: all operations over real connections."""

import json
import secrets
import socket
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from marquee.settings import Settings
from marquee_local.servers import free_port
from marquee_testing.fakes.keyed_api import CALLS
from marquee_testing.servers.gateway_process import GatewayProcess, gateway_process
from marquee_testing.servers.ranked_films import known_films

PREFIX = "/films"
SHOP = "https://shop.example"
FILMS = 120
OPERATORS = {"metrics", "list_models", "list_trainings", "get_training"}


@pytest.fixture(scope="module")
def settings(redis_url: str) -> Settings:
    values = {"redis_url": redis_url, "namespace": f"test-{secrets.token_hex(4)}"}
    return Settings.model_validate(values)


@pytest.fixture(scope="module")
def gateway(settings: Settings) -> Iterator[GatewayProcess]:
    url = settings.redis_url.get_secret_value()
    values = {"root_path": PREFIX, "cors_origins": SHOP}
    films = (
        {"movie_id": i, "title": f"A film of many words, number {i}"} for i in range(1, FILMS + 1)
    )
    ports = free_port(), free_port()
    with (
        known_films(settings, films),
        gateway_process(url, settings.namespace, ports, **values) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def browser(gateway: GatewayProcess) -> Iterator[httpx.Client]:
    # One connection: an answer that is longer or shorter than it says would spoil the next.
    limits = httpx.Limits(max_connections=1)
    with httpx.Client(base_url=gateway.url, limits=limits, headers={"Origin": SHOP}) as client:
        yield client


def test_every_read_has_a_head_and_is_the_same_with_the_prefix(browser: httpx.Client) -> None:
    reads = [name for name, (method, _) in CALLS.items() if method == "GET"]
    for operation in reads:
        path = CALLS[operation][1]
        plain = browser.get(path)
        for prefixed in (browser.get(PREFIX + path), browser.head(PREFIX + path)):
            assert prefixed.status_code == plain.status_code, operation
            assert prefixed.headers["content-type"] == plain.headers["content-type"]
        if plain.headers["content-type"] == "application/problem+json":
            code = plain.json()["code"]
            assert plain.json()["type"] == f"{PREFIX}/problems/{code}"


def test_every_address_names_its_methods(browser: httpx.Client) -> None:
    for operation, (method, path) in CALLS.items():
        response = browser.options(PREFIX + path)
        if operation in OPERATORS:
            assert response.status_code == 404
        elif response.status_code == 204:
            assert method in response.headers["allow"].split(", ")
        else:
            # The operators' calls of an address are on their port alone.
            assert operation in {"rollback_model", "start_training"}


def test_a_large_answer_is_compressed_and_a_known_one_is_not_sent(browser: httpx.Client) -> None:
    path = f"{PREFIX}/v1/movies?limit=100"
    large = browser.get(path)
    assert (large.status_code, large.headers["content-encoding"]) == (200, "gzip")
    assert len(large.json()["items"]) == 100
    assert int(large.headers["content-length"]) < len(large.content) / 3
    assert {"Accept-Encoding", "Origin"} <= {v.strip() for v in large.headers["vary"].split(",")}
    plain = browser.get(path, headers={"Accept-Encoding": "identity"})
    assert plain.headers["etag"] == large.headers["etag"]
    known = browser.get(path, headers={"If-None-Match": large.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["access-control-allow-origin"] == SHOP
    assert "content-encoding" not in browser.get(f"{PREFIX}/v1/genres").headers


def test_a_draining_gateway_tells_it_with_the_prefix_too(gateway: GatewayProcess) -> None:
    for path in ("/health/ready", f"{PREFIX}/health/ready"):
        assert httpx.get(gateway.url + path).json() == {"ready": True}


REQUESTS = st.one_of(
    st.binary(min_size=1, max_size=300),
    st.builds(
        lambda method, path, version, name, value: (
            b"%s %s HTTP/%s\r\n%s: %s\r\n\r\n" % (method, path, version, name, value)
        ),
        st.sampled_from([b"GET", b"HEAD", b"OPTIONS", b"CONNECT", b"BREW", b"get", b"PRI"]),
        st.sampled_from([b"/", b"*", b"/v1/genres", b"x:1", b"http://x/v1/genres", b"//", b"/\xff"])
        | st.binary(min_size=1, max_size=20),
        st.sampled_from([b"1.1", b"1.0", b"2.0", b"0.9", b"x"]),
        st.sampled_from([b"Host", b"Content-Length", b"Transfer-Encoding", b"Upgrade", b"Expect"])
        | st.binary(max_size=10),
        st.sampled_from([b"x", b"-1", b"chunked", b"h2c", b"websocket", b"100-continue", b"1, 2"])
        | st.binary(max_size=10),
    ),
)


@hypothesis_settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(sent=REQUESTS)
def test_whatever_is_sent_is_answered_by_http_and_refused_by_a_problem(
    gateway: GatewayProcess, sent: bytes
) -> None:
    with gateway.connect() as connection:
        answer = b""
        with suppress(ConnectionError):
            connection.sendall(sent)
            with suppress(OSError):  # the server may have closed already
                connection.shutdown(socket.SHUT_WR)
            while data := connection.recv(65_536):
                answer += data
    if not answer:
        return  # a request that ended before its end
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    assert head.startswith(b"HTTP/1.1 ")
    assert status < 500 or status == 503
    if status >= 400:
        assert b"content-type: application/problem+json" in head.lower(), (sent, answer)
        if body:
            document, _ = json.JSONDecoder().raw_decode(body.decode("utf-8", "replace"))
            assert document["status"] == status
            assert document["type"] == f"{PREFIX}/problems/{document['code']}"


def test_the_page_of_the_api_is_complete_under_the_prefix(browser: httpx.Client) -> None:
    page = browser.get(f"{PREFIX}/docs")
    for link in ("docs/static/docs.js", "docs/static/swagger-ui-bundle.js", "openapi.json"):
        assert browser.get(str(page.url.join(link))).status_code == 200, link
    document = browser.get(f"{PREFIX}/openapi.json").json()
    [server] = document["servers"]
    assert browser.get(f"{server['url']}/v1/genres").status_code == 200
