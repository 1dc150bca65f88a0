"""HTTP between services over kept connections, against a server that misbehaves as told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import uvloop

from gateway.upstream.http_client import ConnectionLost, HttpClient, RawReply

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


def reply(body: bytes = b"{}", status: str = "200 OK", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


class Server:
    """Counts connections and requests, and answers each request by the next of its answers."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self.answers: list[bytes] = []
        self.close_after = False
        self.hang = False
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/base"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0] or 0)
            self.requests.append(head + await reader.readexactly(length))
            if self.hang:
                continue
            writer.write(self.answers.pop(0) if self.answers else reply())
            if self.close_after:
                writer.close()
                return

    async def drop(self) -> None:
        """Close all connections, as a service that restarts."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    async def stop(self) -> None:
        await self.drop()
        self._server.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    yield made
    await made.stop()


@pytest.fixture
async def host(server: Server) -> AsyncIterator[HttpClient]:
    made = HttpClient(await server.start())
    yield made
    await made.close()


async def test_a_call_is_sent_whole_and_its_reply_read_whole(
    server: Server, host: HttpClient
) -> None:
    big = b"x" * 300_000
    server.answers = [reply(big, "404 Not Found")]
    assert await host.send("POST", "/a?b=1", b'{"c":2}') == RawReply(404, big)
    [request] = server.requests
    assert request.startswith(b"POST /base/a?b=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nContent-Type: application/json\r\n" in request
    assert request.endswith(b'\r\n\r\n{"c":2}')


async def test_chunked_replies_are_read(server: Server, host: HttpClient) -> None:
    server.answers = [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    ]
    assert await host.send("GET", "/") == RawReply(200, b"abc")


async def test_a_connection_is_kept_and_each_call_under_way_has_its_own(
    server: Server, host: HttpClient
) -> None:
    for _ in range(3):
        await host.send("GET", "/")
    assert server.connections == 1
    await asyncio.gather(*(host.send("GET", "/") for _ in range(3)))
    assert server.connections == 3
    await asyncio.gather(*(host.send("GET", "/") for _ in range(3)))
    assert server.connections == 3


async def test_a_connection_that_the_service_does_not_keep_is_not_used_again(
    server: Server, host: HttpClient
) -> None:
    server.answers = [reply(more="connection: close\r\n")]
    await host.send("GET", "/")
    await host.send("GET", "/")
    assert server.connections == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_kept_connection_that_the_service_has_closed_is_replaced(
    server: Server, host: HttpClient, method: str
) -> None:
    server.close_after = True
    assert (await host.send(method, "/", b"{}")).status == 200
    server.close_after = False
    assert (await host.send(method, "/", b"{}")).status == 200
    assert server.connections == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_kept_connection_that_is_closed_instead_of_an_answer_is_replaced_once(
    server: Server, host: HttpClient, method: str
) -> None:
    await host.send(method, "/", b"{}")
    server.answers, server.close_after = [b""], True
    assert (await host.send(method, "/", b"{}")).status == 200
    assert (len(server.requests), server.connections) == (3, 2)
    server.close_after = False
    await host.send(method, "/", b"{}")
    server.answers, server.close_after = [b"", b""], True
    with pytest.raises(ConnectionLost):
        await host.send(method, "/", b"{}")
    assert len(server.requests) == 6


async def test_a_new_connection_that_is_closed_instead_of_an_answer_gets_no_post_again(
    server: Server, host: HttpClient
) -> None:
    server.answers, server.close_after = [b""], True
    with pytest.raises(ConnectionLost):
        await host.send("POST", "/", b"{}")
    assert len(server.requests) == 1


@pytest.mark.parametrize("length", [20, -2])
async def test_an_answer_that_breaks_off_is_lost_and_not_asked_for_again(
    server: Server, host: HttpClient, length: int
) -> None:
    await host.send("POST", "/", b"{}")
    server.answers = [reply(b"whole")[:length]]
    server.close_after = True
    with pytest.raises(ConnectionLost):
        await host.send("POST", "/", b"{}")
    assert len(server.requests) == 2


async def test_what_is_not_http_is_no_answer(server: Server, host: HttpClient) -> None:
    server.answers = [b"hello\r\n\r\n"]
    with pytest.raises(ConnectionLost):
        await host.send("GET", "/")


async def test_a_call_that_is_given_up_does_not_spoil_the_next_one(
    server: Server, host: HttpClient
) -> None:
    server.hang = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await host.send("GET", "/first")
    server.hang = False
    server.answers = [reply(b"second")]
    assert (await host.send("GET", "/second")).body == b"second"


def test_it_works_on_the_event_loop_that_serves() -> None:
    async def ask() -> RawReply:
        server = Server()
        host = HttpClient(await server.start())
        answer = await host.send("GET", "/")
        await host.close()
        await server.stop()
        return answer

    assert uvloop.run(ask()).status == 200


async def test_an_address_where_nobody_listens_is_an_error(server: Server) -> None:
    url = await server.start()
    await server.stop()
    host = HttpClient(url)
    with pytest.raises(OSError, match=r".+"):
        await host.send("GET", "/")
    await host.close()


async def test_every_call_carries_the_headers_of_the_client(server: Server) -> None:
    client = HttpClient(await server.start(), {"marquee-service-secret": "s" * 16})
    await client.send("GET", "/a")
    await client.send("POST", "/b", b"{}")
    assert len(server.requests) == 2
    for request in server.requests:
        assert b"marquee-service-secret: " + b"s" * 16 in request
    await client.close()
