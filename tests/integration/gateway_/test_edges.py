"""The edges of a gateway process: slow senders, many connections, callers who leave, two ports."""

import asyncio
import json
import secrets
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from gateway.http.scopes import SCOPES
from gateway.state import consistency_token
from marquee.access.scopes import Scope
from marquee.bus.log import closing_log, open_log
from marquee.events import MOVIES, RATINGS
from marquee.limits import (
    MAX_ADDRESS_BYTES,
    MAX_BODY_BYTES,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_PARAMETERS,
    READ_S,
)
from marquee.settings import Settings
from marquee.store.keys import Keys
from marquee_local.servers import free_port
from marquee_testing.servers.gateway_process import GatewayProcess, gateway_process
from marquee_testing.servers.ranked_films import known_films
from marquee_testing.waiting import PATIENCE, until

PARTITIONS = 4
CONNECTIONS = 40
FAR = consistency_token.encode({f"{RATINGS}:{i}": 10**9 for i in range(PARTITIONS)})
"""A token that no consumer reaches."""
WAITING = f"/v1/users/1/recommendations?after={FAR}&wait_ms=10000"
GOOD = b"GET /v1/movies HTTP/1.1\r\nHost: x\r\n\r\n"


class Upstream(socketserver.ThreadingTCPServer):
    """A model service that fails at once or, while it holds, never answers; it counts who waits."""

    daemon_threads = True
    holds = False
    asked = waiting = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Held)
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Held(socketserver.StreamRequestHandler):
    server: Upstream

    def handle(self) -> None:
        with suppress(OSError):
            while self.rfile.readline().strip():
                pass
            if not self.server.holds:
                self.wfile.write(
                    b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                )
                return
            self._hold()

    def _hold(self) -> None:
        with self.server.lock:
            self.server.asked += 1
            self.server.waiting += 1
        with suppress(OSError):
            while self.connection.recv(65_536):
                pass
        with self.server.lock:
            self.server.waiting -= 1


@pytest.fixture(scope="module")
def settings(redis_url: str) -> Settings:
    values = {"redis_url": redis_url, "namespace": f"test-{secrets.token_hex(4)}"}
    return Settings.model_validate(values)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def gateway(settings: Settings, upstream: Upstream) -> Iterator[GatewayProcess]:
    values = {
        "max_connections": str(CONNECTIONS),
        "write_ms": "10000",
        "viewer_events": "200/h",
        "content_url": upstream.url,
        "deadline_ms": "60000",
    }
    url = settings.redis_url.get_secret_value()
    ports = free_port(), free_port()
    films = [{"movie_id": 2, "title": "F"}]
    with (
        known_films(settings, films),
        gateway_process(url, settings.namespace, ports, **values) as made,
    ):
        yield made


def problem(answer: bytes) -> tuple[int, str]:
    """Return the status and code of a raw answer that is a problem document and the last one."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower(), answer
    assert b"connection: close" in head.lower()
    document = json.loads(body)
    assert int(head.split()[1]) == document["status"]
    return document["status"], document["code"]


async def drip(gateway: GatewayProcess, begin: bytes, more: bytes) -> tuple[bytes, float]:
    """Send the beginning, then a little at a time; return the answer and the seconds to the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    began, answer = time.monotonic(), b""
    writer.write(begin)
    with suppress(ConnectionError):
        while not reader.at_eof():
            writer.write(more)
            with suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    answer += await reader.read(65_536)
    writer.close()
    return answer, time.monotonic() - began


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a good request over a kept connection, and read its whole answer."""
    writer.write(GOOD)
    async with asyncio.timeout(20 * PATIENCE):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        [length] = [line for line in head.lower().split(b"\r\n") if b"content-length" in line]
        await reader.readexactly(int(length.partition(b":")[2]))


POST = b"POST /v1/recommendations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
SLOW = {
    "head": (b"GET /v1/movies HTTP/1.1\r\nHost: x\r\nx-a: ", b"a", (408, "too_slow")),
    "line": (b"GE", b"", (408, "too_slow")),
    "body": (POST + b"Content-Length: 900\r\n\r\n{", b" ", (408, "too_slow")),
    "chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", (408, "too_slow")),
    "nothing": (b"", b"", None),
    "blank lines": (b"", b"\r\n", None),
    "after a refusal": (POST + b"Content-Length: 9000000\r\n\r\n", b" ", None),
}


async def test_slow_senders_end_and_others_are_served_meanwhile(gateway: GatewayProcess) -> None:
    slow = {name: asyncio.create_task(drip(gateway, *how[:2])) for name, how in SLOW.items()}
    kept = await asyncio.open_connection("127.0.0.1", gateway.port)
    await ask(*kept)
    times = []
    while not all(task.done() for task in slow.values()):
        began = time.monotonic()
        async with httpx.AsyncClient(base_url=gateway.url) as client:
            assert (await client.get("/v1/movies")).status_code == 200
        times.append(time.monotonic() - began)
        await asyncio.sleep(0.1)
    # Whoever waited for a slow sender would wait for all of its time.
    assert max(times) < READ_S / 2 * PATIENCE
    # A kept connection may idle longer: a proxy's would be closed under its next request.
    await ask(*kept)
    kept[1].close()
    for name, (_, _, expected) in SLOW.items():
        answer, seconds = await slow[name]
        assert seconds < (READ_S + 8) * PATIENCE, name
        if expected is None:
            assert answer.count(b"HTTP/1.1 ") == (name == "after a refusal"), name
        else:
            assert problem(answer) == expected, name
            assert seconds > READ_S - 0.5, name


def test_connections_without_work_give_way_to_new_ones(gateway: GatewayProcess) -> None:
    slow = [gateway.connect() for _ in range(3 * CONNECTIONS)]
    bodies = [gateway.connect() for _ in range(CONNECTIONS // 2)]
    for one in slow:
        with suppress(OSError):
            one.sendall(b"GET /v1/movies HTTP/1.1\r\nx: ")
    for one in bodies:
        one.sendall(POST + b"Content-Length: 900\r\n\r\n{")
    for _ in range(20):
        assert httpx.get(f"{gateway.url}/v1/movies").status_code == 200
    open_ones = [one for one in (*slow, *bodies) if _is_open(one)]
    assert len(open_ones) <= CONNECTIONS
    assert gateway.measure("marquee_connections_closed_total", why="place needed") > CONNECTIONS
    for one in (*slow, *bodies):
        one.close()


def test_work_does_not_give_way(gateway: GatewayProcess) -> None:
    busy = [gateway.connect() for _ in range(CONNECTIONS)]
    for one in busy:
        one.sendall(f"GET {WAITING} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    refused = b""

    def is_refused() -> bool:
        nonlocal refused
        with gateway.connect() as one, suppress(ConnectionError):
            one.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            refused = one.recv(65_536)
        return b" 503 " in refused

    until(is_refused, 8)
    assert problem(refused) == (503, "overloaded")
    assert b"retry-after: 1" in refused.lower()
    assert all(_is_open(one) for one in busy)
    for one in busy:
        one.close()
    until(lambda: httpx.get(f"{gateway.url}/v1/movies").status_code == 200, 5)


def _is_open(one: socket.socket) -> bool:
    """Return whether a server has not closed a connection, on which no answer came."""
    one.setblocking(False)
    try:
        while data := one.recv(65_536):
            if b"HTTP/1.1 408" in data:
                return False
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _get(path: str, *headers: str) -> bytes:
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: x", *headers, "", "")).encode()


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (_get("/v1/movies?query=" + "a" * MAX_ADDRESS_BYTES), (414, "address_too_long")),
        (_get("/v1/movies", *["a: b"] * MAX_HEADERS), (431, "headers_too_large")),
        (_get("/v1/movies", "a: " + "b" * MAX_HEADER_BYTES), (431, "headers_too_large")),
        (b"GET / HTTP/1.1\r\nx: " + b"a" * 1_000_000, (431, "headers_too_large")),
        (b"G\x00T / HTTP/1.1\r\n\r\n", (400, "unreadable_request")),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n" + b"t: u\r\n" * 200 + b"\r\n",
         (431, "headers_too_large")),
    ],
    ids=["address", "headers", "header", "endless header", "not HTTP", "trailers"],
)  # fmt: skip
def test_a_head_beyond_its_limits_is_refused(
    gateway: GatewayProcess, request_bytes: bytes, expected: tuple[int, str]
) -> None:
    with gateway.connect() as one:
        with suppress(ConnectionError):
            one.sendall(request_bytes)
        answer = b""
        with suppress(ConnectionError):
            while data := one.recv(65_536):
                answer += data
    assert problem(answer) == expected


def test_what_is_within_the_limits_of_a_head_is_taken(gateway: GatewayProcess) -> None:
    ids = "&".join(f"viewed={i:060}" for i in range(1, 900))
    assert httpx.get(f"{gateway.url}/v1/recommendations?{ids}").status_code == 200
    response = httpx.get(f"{gateway.url}/v1/recommendations?" + "k=1&" * (MAX_PARAMETERS + 1))
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "query")


def test_a_body_beyond_its_limit_is_refused_however_it_comes(gateway: GatewayProcess) -> None:
    headers = {"content-type": "application/json"}
    for content in (b" " * (MAX_BODY_BYTES + 1), iter([b" " * 100_000] * 11)):
        response = httpx.post(f"{gateway.url}/v1/events", content=content, headers=headers)
        assert (response.status_code, response.json()["code"]) == (413, "too_large")


LEFT = [
    ("/v1/recommendations", _get("/v1/recommendations")),
    ("/v1/recommendations", POST + b'Content-Length: 15\r\n\r\n{"viewed": [2]}'),
    ("/v1/movies/{movie_id}/similar", _get("/v1/movies/2/similar")),
]


@pytest.mark.parametrize(("path", "request_bytes"), LEFT)
def test_a_caller_who_leaves_stops_the_call_of_a_service(
    gateway: GatewayProcess, upstream: Upstream, path: str, request_bytes: bytes
) -> None:
    before, asked, upstream.holds = given_up(gateway, path), upstream.asked, True
    callers = [gateway.connect() for _ in range(5)]
    for one in callers:
        one.sendall(request_bytes)
    until(lambda: upstream.asked == asked + 5)
    assert upstream.waiting == 5
    for one in callers:
        one.close()
    until(lambda: upstream.waiting == 0, 5)
    until(lambda: given_up(gateway, path) == before + 5, 5)
    upstream.holds = False


def test_a_caller_who_leaves_stops_the_wait_for_a_write(gateway: GatewayProcess) -> None:
    path = "/v1/users/{user_id}/recommendations"
    before = given_up(gateway, path)
    for _ in range(5):
        with gateway.connect() as one:
            one.sendall(_get(WAITING))
    until(lambda: given_up(gateway, path) == before + 5, 5)


def given_up(gateway: GatewayProcess, path: str) -> float:
    return gateway.measure("marquee_requests_total", path=path, status="499")


def test_a_write_whose_caller_leaves_takes_effect_once(
    gateway: GatewayProcess, settings: Settings
) -> None:
    def n_written() -> int:
        with closing_log(open_log(settings)) as log:
            keys = Keys(settings.namespace, "gateway", PARTITIONS)
            return sum(log.range(k.partition)[1] for t in (MOVIES, RATINGS) for k in keys.all(t))

    before = n_written()
    body = b'{"rating": 4}'
    for number in range(20):
        head = (
            f"PUT /v1/users/{number + 100}/ratings/2 HTTP/1.1\r\nHost: x\r\n"
            f"Idempotency-Key: k{number}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        with gateway.connect() as one:
            one.sendall(head.encode() + body)
    until(lambda: n_written() == before + 20, 10)
    for number in range(20):
        again = httpx.put(
            f"{gateway.url}/v1/users/{number + 100}/ratings/2",
            content=body,
            headers={"Idempotency-Key": f"k{number}", "Content-Type": "application/json"},
        )
        assert again.status_code == 202
        assert again.headers["Idempotency-Replayed"] == "true"
    assert n_written() == before + 20


def test_one_viewer_is_not_flooded_and_others_are_not_hindered(gateway: GatewayProcess) -> None:
    def events(user_id: int, n: int) -> list[dict[str, Any]]:
        data = [{"user_id": user_id, "movie_id": 100 + i, "rating": 3} for i in range(n)]
        return [{"type": "rating.added", "source": "s", "data": one} for one in data]

    def send(*sent: dict[str, Any]) -> httpx.Response:
        return httpx.post(f"{gateway.url}/v1/events", json={"events": sent}, timeout=60)

    first = send(*events(1, 900), *events(2, 50)).json()
    # The rule, the replica's own share of it, and what time brings back.
    assert 200 + 10 <= first["accepted"] - 50 <= 200 + 10 + 2
    rejected = [item for item in first["items"] if item["status"] == "rejected"]
    assert {error["field"] for item in rejected for error in item["errors"]} == {"data.user_id"}
    assert "viewer 1 has more than 200/h events" in rejected[0]["detail"]
    refused = send(*events(1, 5))
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_events")
    assert int(refused.headers["retry-after"]) >= 1
    single = httpx.put(f"{gateway.url}/v1/users/1/ratings/2", json={"rating": 3})
    assert (single.status_code, single.json()["code"]) == (429, "too_many_events")
    assert httpx.put(f"{gateway.url}/v1/users/3/ratings/2", json={"rating": 3}).is_success
    assert httpx.delete(f"{gateway.url}/v1/users/1").is_success


def _described(url: str) -> set[str]:
    document = httpx.get(f"{url}/openapi.json").json()
    return {op["operationId"] for path in document["paths"].values() for op in path.values()}


def test_each_port_answers_and_describes_its_own_calls_alone(gateway: GatewayProcess) -> None:
    operators = {name for name, scope in SCOPES.items() if scope is Scope.OPERATE}
    public, operate = _described(gateway.url), _described(gateway.operate_url)
    assert operators <= operate
    assert not operators & public
    assert public & operate == {"live", "ready"}
    assert "recommend_user" in public
    for path in ("/v1/models", "/v1/trainings", "/v1/trainings/a", "/metrics"):
        for answer in (httpx.get(gateway.url + path), httpx.post(gateway.url + path)):
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
        assert httpx.get(gateway.operate_url + path).status_code in (200, 503)
    for path in ("/v1/movies", "/", "/static/app.js"):
        assert httpx.get(gateway.operate_url + path).status_code == 404
    # No header of a request leads to the other port.
    spoof = {"Host": f"127.0.0.1:{gateway.operate_port}", "X-Forwarded-Port": "1"}
    assert httpx.get(f"{gateway.url}/metrics", headers=spoof).status_code == 404
    assert httpx.get(f"{gateway.url}/health/ready").json() == {"ready": True}
    assert httpx.get(f"{gateway.operate_url}/health/ready").json()["films"] == 1
    for url in (gateway.url, gateway.operate_url):
        assert httpx.get(f"{url}/health/live").json() == {"live": True}
        assert httpx.get(f"{url}/docs").status_code == 200
