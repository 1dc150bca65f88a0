"""The web server of a shop: pages of another origin than the gateway's, and tokens of viewers."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import httpx

from marquee_testing.servers.shop import Shop


@dataclass
class ShopSite:
    """What a shop's own server has.

    Attributes:
        shop: The system that its pages call.
        port: Its port.
        files: Texts by path; a page is one whose path has no ending.
        tokens: Tokens to hand out before those of the gateway.
        asked: How many tokens were asked for.
        policy: Content-Security-Policy of all that it answers.
    """

    shop: Shop
    port: int
    files: dict[str, str] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    asked: int = 0
    policy: str = ""

    @property
    def origin(self) -> str:
        """The origin of its pages."""
        return f"http://127.0.0.1:{self.port}"

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Return what the gateway answers to the shop itself; a refusal is an error."""
        head = {"Authorization": f"Bearer {self.shop.key}"}
        answer = httpx.request(method, self.shop.url + path, json=body, headers=head)
        return dict(answer.raise_for_status().json())

    def answer(self, path: str) -> tuple[str, str] | None:
        """Return media type and text of a path, None where there is nothing."""
        if path.startswith("/viewer-token/"):
            self.asked += 1
            if self.tokens:
                return "text/plain", self.tokens.pop(0)
            user = path.rpartition("/")[2]
            made = self.call("POST", f"/v1/users/{user}/tokens", {})
            return "application/json", json.dumps(made)
        kind = "text/javascript" if path.endswith(".js") else "text/html; charset=utf-8"
        return (kind, self.files[path]) if path in self.files else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, site: ShopSite) -> None:
        super().__init__(("127.0.0.1", site.port), _Calls)
        self.site = site


class _Calls(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Answer a page's request."""
        site = self.server.site
        found = site.answer(urlsplit(self.path).path)
        kind, text = found or ("text/plain", "")
        body = text.encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if site.policy:
            self.send_header("Content-Security-Policy", site.policy)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def running_site(site: ShopSite) -> Iterator[None]:
    """Run the server until the block ends."""
    with _Server(site) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
