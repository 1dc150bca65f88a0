"""A model service over HTTP without a model: it ranks films by number, and serves a version."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from marquee.domain.recommendation import Reason
from marquee.health import READY
from marquee.settings import APPS


class RankingService(ThreadingHTTPServer):
    """Recommends the films with the highest numbers that the viewer has not seen.

    Attributes:
        films: Their ids.
        version: The model version that it serves.
        asked: Recommendations that were asked for.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, films: int) -> None:
        super().__init__(("127.0.0.1", 0), _Calls)
        self.films, self.version, self.asked = range(films, 0, -1), "1", 0

    @property
    def urls(self) -> dict[str, str]:
        """The settings of a gateway whose model services it shall be, all of them."""
        address = f"http://127.0.0.1:{self.server_address[1]}"
        return {f"{app}_url": address for app in APPS[1:]}


class _Calls(BaseHTTPRequestHandler):
    server: RankingService
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        known = self.path == READY
        self._answer({"ready": True, "model_version": self.server.version} if known else {}, known)

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked += 1
        ids = ("viewed", "dismissed", "exclude")
        seen = {i for i, _ in request["ratings"]}.union(*(request[name] for name in ids))
        films = [i for i in self.server.films if i not in seen][: request["k"]]
        items = [{"movie_id": i, "score": float(i), "reason": Reason.POPULAR} for i in films]
        self._answer({"items": items, "model_version": self.server.version, "fresh": True}, True)

    def _answer(self, document: Any, known: bool) -> None:
        body = json.dumps(document).encode()
        self.send_response(200 if known else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def ranking_service(films: int) -> Iterator[RankingService]:
    """Run a service until the block ends."""
    with RankingService(films) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
