"""Certificates of an authority of the tests, and a port with TLS before one without."""

import contextlib
import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """A certificate with its private key, as files in PEM."""

    certificate: Path
    key: Path


class Authority:
    """An authority that signs certificates with openssl.

    Args:
        folder: Where its files are.
        name: Leads the names of the files.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self.certificate, self._key = folder / f"{name}.pem", folder / f"{name}.key"
        _openssl("req", "-x509", *_NEW_KEY, "-subj", f"/CN={name}", "-days", "2",
                 "-keyout", self._key, "-out", self.certificate)  # fmt: skip

    def sign(self, name: str, subject: str = "") -> Certificate:
        """Return a new certificate; `subject` is its other name, as `IP:127.0.0.1`."""
        base = self._folder / f"{self._name}-{name}"
        made = Certificate(base.with_suffix(".pem"), base.with_suffix(".key"))
        other = ["-addext", f"subjectAltName={subject}"] if subject else []
        _openssl("req", "-x509", *_NEW_KEY, "-subj", f"/CN={name}", "-days", "2",
                 "-addext", "basicConstraints=critical,CA:FALSE", *other,
                 "-CA", self.certificate, "-CAkey", self._key,
                 "-keyout", made.key, "-out", made.certificate)  # fmt: skip
        return made


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@contextlib.contextmanager
def tls_before(port: int, own: Certificate, clients: Path) -> Iterator[int]:
    """Yield a port that speaks TLS and passes all on to another one.

    Args:
        port: The port of the loopback address that speaks no TLS.
        own: The certificate that is shown.
        clients: Certificate of the authority of clients, who have to show one of it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.key)
    context.load_verify_locations(clients)
    context.verify_mode = ssl.CERT_REQUIRED
    connections: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            connections.append(raw)
            threading.Thread(target=serve, args=(raw,), daemon=True).start()

    def serve(raw: socket.socket) -> None:
        # Blocking, so that a client that is refused is told so by an alert.
        with (
            contextlib.suppress(OSError),
            raw,
            context.wrap_socket(raw, server_side=True) as outer,
            socket.create_connection(("127.0.0.1", port)) as inner,
        ):
            connections.extend((outer, inner))
            _pass_on(outer, inner)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(60)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _pass_on(outer: ssl.SSLSocket, inner: socket.socket) -> None:
    """Pass on what comes from either side, until one hangs up."""
    other = {outer: inner, inner: outer}
    while True:
        ready = [outer] if outer.pending() else select.select([outer, inner], [], [])[0]
        for side in ready:
            piece = side.recv(65_536)
            if not piece:
                return
            other[side].sendall(piece)
