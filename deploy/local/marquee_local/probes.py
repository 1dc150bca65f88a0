"""Probes of the demo's processes: whether each is ready."""

import contextlib
import json
import socket
import urllib.request
from pathlib import Path


def is_ready(port: int) -> bool:
    with contextlib.suppress(OSError):
        address = f"http://127.0.0.1:{port}/health/ready"
        with urllib.request.urlopen(address, timeout=2) as answer:  # nosec B310  # http, as above
            return bool(answer.status == 200)
    return False


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def holds_movies(port: int) -> bool:
    """Return whether the gateway has the movies of the store as they are now."""
    with contextlib.suppress(OSError):
        address = f"http://127.0.0.1:{port}/health/ready"
        with urllib.request.urlopen(address, timeout=2) as answer:  # nosec B310  # http, as above
            state = json.load(answer)
            return bool(state["redis"] and state["films"])
    return False


def largest_genre(port: int) -> str | None:
    """Return the genre of most movies in the gateway's catalogue, None if there is none."""
    with contextlib.suppress(OSError):
        address = f"http://127.0.0.1:{port}/v1/genres"
        with urllib.request.urlopen(address, timeout=2) as answer:  # nosec B310  # http, as above
            genres = json.load(answer)["items"]
        return max(genres, key=lambda genre: genre["films"], default={"name": None})["name"]
    return None


def last_error(logs: Path, service: str) -> str:
    """Return what the newest error in the logs of a service says, "" if there is none."""
    newest = {"timestamp": "", "detail": ""}
    for log in logs.glob(f"{service}-*.log"):
        for line in log.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError, TypeError, KeyError):
                entry = json.loads(line)
                if entry["level"] == "error" and entry["timestamp"] > newest["timestamp"]:
                    newest = entry
    return str(newest.get("detail") or newest.get("event", ""))
