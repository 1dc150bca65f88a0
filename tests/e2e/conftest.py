"""One whole running system for the end-to-end tests: the demo, with a state folder of its own."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page

from marquee.settings import STATE_FILE
from marquee_local.servers import free_port
from marquee_testing.browser import arrive, blank_pages, running_chromium
from marquee_testing.waiting import PATIENCE, until

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 900.0
NEURAL_SECONDS = 1200.0
PARAMETERS = Path(__file__).with_name("params.yaml")
"""Of models that are as good as any to be asked, and trained in a fifth of the time."""


@dataclass
class Traces:
    """What the systems of a run must not leave in their logs, and where those are."""

    folders: list[Path] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    """Keys, tokens and ids that are told apart from other texts → what they are."""

    def saw(self, request: httpx.Request) -> None:
        """Remember whom a request is about, where the id is like nothing else, and its key."""
        _, _, path = request.url.path.partition("/v1/users/")
        viewer = path.partition("/")[0]
        if ":" in viewer or (viewer.isdecimal() and len(viewer) > 9):
            self.secrets[viewer] = "id of a viewer"
        if credential := request.headers.get("authorization", "").partition(" ")[2]:
            self.secrets[credential] = "key or token"


TRACES = Traces()


@dataclass
class System:
    """The running demo: its address, its folder, and its processes by name."""

    url: str
    state: Path
    process: "subprocess.Popen[bytes]"
    client: httpx.Client

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Return what a GET answers; any status but 200 fails the test."""
        answer = self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def send(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Return what a write answers; a status of 300 or more fails the test."""
        answer = self.client.request(method, path, json=body)
        assert answer.status_code < 300, answer.text
        return dict(answer.json())

    def rate(self, user_id: int, ratings: dict[int, float]) -> str:
        """Rate movies as a user; return the token of the last write."""
        token = ""
        for movie_id, stars in ratings.items():
            path = f"/v1/users/{user_id}/ratings/{movie_id}"
            token = self.send("PUT", path, {"rating": stars})["token"]
        return token

    def recommend(self, user_id: int, **query: Any) -> dict[str, Any]:
        """Return a user's recommendations."""
        return self.get(f"/v1/users/{user_id}/recommendations", **query)

    def pid(self, name: str) -> int | None:
        """Return the process whose command line names service and role, such as `content app`."""
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, ValueError):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == self.process.pid and name in command:
                    return int(folder.name)
        return None

    def running(self, name: str) -> int:
        """Return the pid of a process, waiting until it runs."""
        until(lambda: self.pid(name) is not None)
        pid = self.pid(name)
        assert pid is not None
        return pid

    @contextlib.contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """Stop a process by SIGSTOP for as long as the block runs."""
        pid = self.running(name)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def settings(self) -> dict[str, str]:
        """Return the settings that the demo left for commands."""
        lines = (self.state / STATE_FILE).read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def command(self, *arguments: str) -> str:
        """Return what the command `marquee` prints for this system."""
        environ = {**os.environ, "MARQUEE_STATE": str(self.state)}
        return subprocess.run(
            [str(Path(sys.executable).with_name("marquee")), *arguments],
            env=environ,
            check=True,
            capture_output=True,
            text=True,
            timeout=180,
        ).stdout


def client_of(url: str, timeout: float) -> httpx.Client:
    """Return a client whose requests leave traces to look for in the logs."""
    return httpx.Client(base_url=url, timeout=timeout, event_hooks={"request": [TRACES.saw]})


@pytest.fixture(scope="session")
def traces() -> Traces:
    """What the logs of this run must not have."""
    return TRACES


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Look at the logs when all other tests have left their traces."""
    items.sort(key=lambda item: item.get_closest_marker("after_all") is not None)


@pytest.fixture(scope="module")
def gateways(system: System) -> Iterator[list[httpx.Client]]:
    """Two gateways that ask for keys, beside the demo on its servers."""
    with contextlib.ExitStack() as stack:
        yield [keyed_gateway(system, stack, number) for number in range(2)]


def keyed_gateway(system: System, stack: contextlib.ExitStack, number: int) -> httpx.Client:
    """Start a gateway that asks for keys; it ends with the stack."""
    port = free_port()
    changed = {"MARQUEE_AUTH": "keys", "MARQUEE_GATEWAY_PORT": str(port)}
    environ = {**os.environ, **system.settings(), **changed}
    log = stack.enter_context((system.state / "log" / f"keyed-gateway-{number}.log").open("ab"))
    program = Path(sys.executable).with_name("gateway")
    process = stack.enter_context(
        subprocess.Popen([program, "app"], env=environ, stdout=log, stderr=subprocess.STDOUT)
    )
    stack.callback(process.terminate)
    client = stack.enter_context(client_of(f"http://127.0.0.1:{port}", 30))
    until(lambda: films_of(client) > 0)
    return client


def films_of(client: httpx.Client) -> int:
    """Return how many films a gateway has; it is open to everyone."""
    try:
        return int(client.get("/health/ready").json()["films"])
    except httpx.TransportError:
        return 0


@pytest.fixture
def create(system: System) -> Iterator[Callable[..., dict[str, str]]]:
    """Yield a function that creates a key and returns the header to send; all end with the test."""
    names: list[str] = []

    def make(*options: str) -> dict[str, str]:
        text = system.command("keys", "create", *options).strip()
        names.append(options[options.index("--name") + 1])
        TRACES.secrets[text] = "key"
        return {"Authorization": f"Bearer {text}"}

    yield make
    ended = system.command("keys", "list", "--json")
    for name in names:
        if any(key["name"] == name and not key["revoked"] for key in json.loads(ended)):
            system.command("keys", "revoke", name)


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., float]:
    """`until`, for tests: they import nothing from here."""
    return until


@contextlib.contextmanager
def started(state: Path, **options: str) -> Iterator[System]:
    """Run the demo in a state folder, with variables of its own; it is ready to answer."""
    port = free_port()
    output = state / "demo.txt"
    TRACES.folders.append(state)
    environ = {
        **os.environ,
        "PORT": str(port),
        "STATE": str(state),
        "DATA": "",
        "MARQUEE_PARAMS": str(PARAMETERS),
        "BUS": "",
        # On a busy machine a service must not count as missing for being slow.
        "MARQUEE_DEADLINE_MS": str(1000 * PATIENCE),
        **options,
    }
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "deploy" / "demo.py")],
            env=environ,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: "is ready" in said(process, output), READY_SECONDS)
        with client_of(url, 60) as client:
            yield System(url, state, process, client)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@pytest.fixture(scope="session")
def start_system() -> Callable[..., contextlib.AbstractContextManager[System]]:
    """`started`, for tests that need a system of their own."""
    return started


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The demo, ready to answer; the neural route may join later."""
    with started(tmp_path_factory.mktemp("state")) as running:
        shutil.copytree(running.state / "history", running.state.with_suffix(".history"))
        yield running


@pytest.fixture(scope="session")
def full_system(system: System) -> System:
    """The demo once the neural route has joined."""
    joined = "The neural route has joined"
    until(lambda: joined in said(system.process, system.state / "demo.txt"), NEURAL_SECONDS)
    return system


@pytest.fixture(scope="session")
def marquee_url(full_system: System) -> str:
    """The address of the running system."""
    return full_system.url


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for the tests of a file."""
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def blank(chromium: Browser, marquee_url: str) -> Iterator[Callable[..., Page]]:
    """Opens a blank page that knows the address, with the given settings of the browser."""
    with blank_pages(chromium, reduced_motion="reduce", base_url=marquee_url) as opened:
        yield opened


@pytest.fixture
def visit(blank: Callable[..., Page]) -> Callable[..., Page]:
    """Opens the page as an unknown viewer, with the given settings of the browser."""
    return lambda **settings: arrive(blank(**settings))


@pytest.fixture
def new_user() -> int:
    """Return the id of an unknown user."""
    return int.from_bytes(os.urandom(6), "big") | 1 << 40


def said(process: "subprocess.Popen[bytes]", output: Path) -> str:
    """Return what the demo has printed; its end fails the test with its last words."""
    text = output.read_text(errors="replace")
    assert process.poll() is None, f"the demo ended with {process.returncode}: {text[-2000:]}"
    return text
