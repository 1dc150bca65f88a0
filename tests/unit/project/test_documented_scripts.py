"""Every script that a document starts runs in the shell that the document names."""

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
CALL = re.compile(r"^\s*(?:\$ )?(sh|bash) ([\w./-]+)", re.MULTILINE)
SHEBANG = re.compile(r"#!/(?:usr/)?bin/(?:env )?(\w+)\n")
LIST = {
    "route": "hybrid",
    "reason": "1 rating",
    "model_version": "v1",
    "degraded": False,
    "items": [{"movie_id": "tt1", "title": "Heat", "year": None}],
}


class Call(NamedTuple):
    """The shell and the script of a command of a document."""

    shell: str
    script: str


CALLS = sorted(
    {Call(*found) for document in DOCUMENTS for found in CALL.findall(document.read_text())}
)


class StandIn(BaseHTTPRequestHandler):
    """Answers each request with one and the same list."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers["content-length"] or 0))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(LIST).encode())

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), StandIn) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def run(call: Call, address: str) -> "subprocess.CompletedProcess[str]":
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    command = [call.shell, call.script, address]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_there_are_scripts_to_look_at() -> None:
    assert Call("sh", "docs/tutorial/routes.sh") in CALLS


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_a_script_is_written_for_the_shell_that_a_document_names(call: Call) -> None:
    text = (ROOT / call.script).read_text()
    shebang = SHEBANG.match(text)
    assert shebang is not None
    assert shebang[1] == call.shell
    if call.shell == "sh":  # the shell of this machine may be one that allows more
        assert not re.search(r"pipefail|\[\[|<<<|<\(|^\s*function |^\s*local ", text, re.MULTILINE)


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_the_usage_of_a_script_is_the_call_of_the_document(call: Call) -> None:
    assert f": {' '.join(call)} [" in (ROOT / call.script).read_text().splitlines()[1]


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_a_script_of_a_document_runs_to_its_end(call: Call, address: str) -> None:
    ended = run(call, address)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("Heat") == ended.stdout.count("# ") > 3


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_a_script_of_a_document_ends_with_the_failed_request(call: Call) -> None:
    ended = run(call, "http://127.0.0.1:1")
    assert ended.returncode == 7
    assert "Traceback" not in ended.stderr
