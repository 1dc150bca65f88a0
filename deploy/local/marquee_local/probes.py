"""Probes of the demo's processes: whether each is ready."""

import contextlib
import json
import socket
import urllib.request


def is_ready(port: int) -> bool:
    with contextlib.suppress(OSError):
        address = f"http://127.0.0.1:{port}/health/ready"
        with urllib.request.urlopen(address, timeout=2) as answer:
            return bool(answer.status == 200)
    return False


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def holds_movies(port: int) -> bool:
    """Return whether the gateway, which is ready without them too, has the movies of the store."""
    with contextlib.suppress(OSError):
        address = f"http://127.0.0.1:{port}/health/ready"
        with urllib.request.urlopen(address, timeout=2) as answer:
            state = json.load(answer)
            return bool(state["redis"] and state["films"])
    return False
