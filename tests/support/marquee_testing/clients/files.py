"""Files of the client libraries that are made: their paths and texts."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from gateway.api.docs import openapi_document
from gateway.app import build
from marquee.settings import Settings
from marquee_testing.clients.models import answers_module, requests_module
from marquee_testing.clients.operations import described, operations_module
from marquee_testing.clients.synchronous import synchronous

ROOT = Path(__file__).resolve().parents[4]
PYTHON = ROOT / "clients/python/marquee_client"
NOWHERE = {"redis_url": "redis://127.0.0.1:1"}
OPERATIONS: Final = frozenset(
    {
        "add_movie",
        "add_view",
        "delete_dismissed",
        "delete_rating",
        "delete_watchlist",
        "erase_user",
        "export_user",
        "follow_user",
        "get_movie",
        "get_user",
        "issue_token",
        "list_genres",
        "list_movies",
        "list_ratings",
        "list_segments",
        "list_shelves",
        "list_similar_movies",
        "list_watchlist",
        "predict",
        "publish_events",
        "put_dismissed",
        "put_rating",
        "put_watchlist",
        "recommend_batch",
        "recommend_segment",
        "recommend_session",
        "recommend_together",
        "recommend_user",
        "remove_movie",
        "update_movie",
    }
)
"""What a shop calls: neither curation nor operation."""
_BODIES = ("MovieBody", "MoviePatch")


def python_files() -> dict[Path, str]:
    """Return the made modules of the Python client by path, as they must be."""
    document = openapi_document(build(Settings.model_validate(NOWHERE)))
    schemas = document["components"]["schemas"]
    chosen = [operation for operation in described(document) if operation.name in OPERATIONS]
    sources = {
        "answers.py": answers_module({operation.answer for operation in chosen}, schemas),
        "requests.py": requests_module(_BODIES, schemas),
        "operations.py": operations_module(chosen),
    }
    for path in sorted((PYTHON / "aio").glob("*.py")):
        sources[f"sync/{path.name}"] = synchronous(path.read_text())
    return {PYTHON / name: _formatted(text, PYTHON / name) for name, text in sources.items()}


def _formatted(source: str, path: Path) -> str:
    """Return a source as `make format` leaves it."""
    for command in (("check", "--fix", "-q"), ("format", "-q")):
        source = subprocess.run(
            [Path(sys.executable).with_name("ruff"), *command, "--stdin-filename", path, "-"],
            input=source,
            capture_output=True,
            text=True,
            cwd=ROOT,
        ).stdout
    return source
