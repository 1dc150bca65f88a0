"""A faulty server: it answers every connection in one wrong way, or in none."""

import contextlib
import socketserver
import threading
from collections.abc import Iterator, Mapping


def _http(status: str, body: bytes, kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


ANSWERS: Mapping[str, bytes | None] = {
    "silent": None,
    "http": _http("400 Bad Request", b"<html>no</html>", "text/html"),
    "500": _http("500 Internal Server Error", b"Internal Server Error", "text/plain"),
    "garbage": b"\x00\xff\x17garbage\r\n\r\n" * 8,
    "no JSON": _http("200 OK", b"<html>hello</html>", "text/html"),
    "a list": _http("200 OK", b"[1, 2, 3]"),
    "other fields": _http(
        "200 OK",
        b'{"items": [{"id": "x", "movie_id": "x", "score": null, "typical": 7}], "segment": [],'
        b' "names": 3, "cluster": {}}',
    ),
    "other release": _http("404 Not Found", b'{"detail": "Not Found"}'),
    "wrong secret": _http(
        "401 Unauthorized", b'{"code": "unauthorized", "detail": "this call needs a secret"}'
    ),
    "cut off": _http("200 OK", b"{" + b" " * 500)[:-400],
}
"""Way → bytes that each request is answered with; None: none ever."""
_DROPS = "drop by drop"
_ENDING = frozenset({"garbage", "cut off", "http"})
"""Ways after which the server ends the connection."""
WAYS: Mapping[str, str] = {
    "refused": "nobody listens",
    "silent": "the process stands; connections stay",
    _DROPS: "an answer comes one byte in 100 ms",
    "500": "status 500 and a text",
    "garbage": "bytes that are no HTTP",
    "cut off": "the connection ends within the answer",
    "no JSON": "a web page",
    "a list": "JSON of another form",
    "other fields": "JSON whose fields have other types",
    "other release": "404 for each call",
    "wrong secret": "401: the services have another secret",
}
"""Way → what it is, for services."""


class _Handler(socketserver.BaseRequestHandler):
    """Answers each piece that arrives, until the client or the server ends."""

    way = ""
    stopped: threading.Event

    def handle(self) -> None:
        """Serve one connection."""
        answer = ANSWERS["a list" if self.way == _DROPS else self.way]
        with contextlib.suppress(OSError):
            while self._received():
                if answer is None:
                    continue
                step = 1 if self.way == _DROPS else len(answer)
                for at in range(0, len(answer), step):
                    self.request.sendall(answer[at : at + step])
                    if self.way == _DROPS and self.stopped.wait(0.1):
                        return
                if self.way in _ENDING:
                    return

    def _received(self) -> bool:
        """Wait for a piece of a request; False at the end."""
        self.request.settimeout(0.05)
        while not self.stopped.is_set():
            with contextlib.suppress(TimeoutError):
                return bool(self.request.recv(1 << 16))
        return False


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 128


@contextlib.contextmanager
def impostor(port: int, way: str) -> Iterator[None]:
    """Run a server at a port of loopback that answers in one way of `ANSWERS`."""
    stopped = threading.Event()
    handler = type("Handler", (_Handler,), {"way": way, "stopped": stopped})
    with _Server(("127.0.0.1", port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            server.shutdown()
            thread.join()
