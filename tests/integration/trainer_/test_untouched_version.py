"""A training that fails, or is killed at any stage, changes nothing of what serves; going back."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from marquee.audit.entries import decode_member
from marquee.audit.operations import operations_key
from marquee.bus.api import TopicPartition
from marquee.bus.redis.bus import RedisBus
from marquee.events import MODELS
from marquee.registry.registry import Registry
from marquee_local.servers import free_port
from marquee_testing import until
from marquee_testing.small_fits import QUICK_PARAMS
from trainer.datasets.reader import read_dataset
from trainer.datasets.synthetic import generate
from trainer.history.history import History

STAGES = ("data", "content", "evaluate", "publish")

TRAINING = """
    import os, signal, sys
    from dataclasses import replace
    from marquee.errors import DataError
    from marquee.settings import read
    from trainer.runs.options import TrainingOptions
    from trainer.runs.run import run
    from trainer.runs.stages import STAGES

    how, when, at = sys.argv[1:]

    def fall(_training=None):
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise DataError("a stage fails")

    def falling(stage):
        def work(training):
            if when == "before":
                fall()
            words = stage.run(training)
            if when == "after":
                fall()
            return words
        return replace(stage, run=work) if stage.name == at else stage

    options = TrainingOptions(("content", "evaluate"))
    run([falling(stage) for stage in STAGES], read(os.environ), options)
"""


@dataclass
class Running:
    """The app and the consumer of the content service on a history of generated ratings."""

    environ: dict[str, str]
    client: httpx.Client
    bus: RedisBus

    @property
    def registry(self) -> Registry:
        return Registry(Path(self.environ["MARQUEE_STATE"]) / "registry")

    def marquee(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "trainer.cli", *arguments]
        return subprocess.check_output(command, env=os.environ | self.environ, text=True)

    def last_operation(self) -> dict[str, Any]:
        """Return the newest entry of the audit of operations."""
        with redis.Redis.from_url(self.environ["MARQUEE_REDIS_URL"]) as client:
            [member] = client.zrange(operations_key(self.environ["MARQUEE_NAMESPACE"]), -1, -1)
        return decode_member(member)[1]

    def training(self, how: str, when: str, at: str) -> int:
        """Run a training that falls; return its exit status."""
        command = [sys.executable, "-c", textwrap.dedent(TRAINING), how, when, at]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.run(command, env=os.environ | self.environ, **quiet).returncode

    def events(self) -> int:
        found = self.bus.streams.read({TopicPartition(MODELS, 0): 0}, 1000, 0)
        return sum(len(messages) for messages in found.values())

    def answer(self) -> dict[str, Any]:
        """Return what the app answers to a user, {} while it has no model.

        Without what it has read of its update streams: that grows, whatever serves.
        """
        body = {"route": "similar", "viewed": [1, 2, 3], "k": 10}
        answered = self.client.post("/internal/recommend", json=body)
        if answered.status_code != 200:
            return {}
        return {name: value for name, value in answered.json().items() if name != "state"}

    def wait_for(self, version: str) -> None:
        until(lambda: self.answer().get("model_version") == version)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[Running]:
    folder, port = tmp_path_factory.mktemp("state"), free_port()
    generate(60, 120, 3000, 5, folder / "release")
    dataset, _ = read_dataset(folder / "release")
    History(folder / "history", 4).import_dataset(dataset)
    environ = {
        "MARQUEE_PARAMS": str(QUICK_PARAMS),
        "MARQUEE_STATE": str(folder),
        "MARQUEE_REDIS_URL": redis_url,
        "MARQUEE_NAMESPACE": "untouched",
        "MARQUEE_CONTENT_PORT": str(port),
    }
    with ExitStack() as stack:
        bus = RedisBus(redis_url, "untouched")
        stack.callback(bus.close)
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
        system = Running(environ, stack.enter_context(client), bus)
        system.marquee("train", "--only", "content")
        for role in ("consumer", "app"):
            child = subprocess.Popen(
                [sys.executable, "-m", "content", role],
                env=os.environ | environ,
                stdout=subprocess.DEVNULL,
            )
            stack.callback(child.wait, 10)
            stack.callback(child.terminate)
        until(lambda: ready(client))
        (version,) = system.registry.versions("content")
        system.wait_for(version)
        yield system


def ready(client: httpx.Client) -> bool:
    try:
        return client.get("/health/ready").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    ("how", "when", "at"),
    [
        *(("killed", "before", stage) for stage in STAGES),
        *(("killed", "after", stage) for stage in STAGES[:-1]),
        *(("failed", "before", stage) for stage in STAGES),
    ],
)
def test_what_serves_stays_when_a_training_falls(
    running: Running, how: str, when: str, at: str
) -> None:
    versions, events, answer = (
        running.registry.versions("content"),
        running.events(),
        running.answer(),
    )
    status = running.training(how, when, at)
    assert status == (-signal.SIGKILL if how == "killed" else 1)
    assert running.registry.versions("content") == versions
    assert running.events() == events
    assert running.answer() == answer


def test_after_a_killed_training_another_serves_and_one_can_go_back(running: Running) -> None:
    before = running.registry.versions("content")[-1]
    old = running.answer()
    running.wait_for(before)
    assert running.training("killed", "after", "content") == -signal.SIGKILL
    running.marquee("train", "--only", "content")
    after = running.registry.versions("content")[-1]
    assert after != before
    running.wait_for(after)

    running.marquee("models", "rollback", "content", "--yes")
    running.wait_for(before)
    assert running.answer()["items"] == old["items"]
    listed = json.loads(running.marquee("models", "list", "--json"))
    assert next(one["serving"] for one in listed if one["name"] == "content") == before

    found = json.loads(running.marquee("models", "diff", before, after, "--json"))
    assert {change["key"] for change in found} <= {"code_version"}  # equal data, equal model


def test_one_can_go_back_after_old_versions_have_expired(running: Running) -> None:
    running.environ["MARQUEE_KEEP_VERSIONS"] = "1"
    for seed in (11, 12, 13):
        parameters = running.registry.root.parent / "params.yaml"
        parameters.write_text(QUICK_PARAMS.read_text().replace("seed: 1", f"seed: {seed}"))
        running.marquee("train", "--only", "content", "--params", str(parameters))
        running.wait_for(running.registry.versions("content")[-1])
    before, after = running.registry.versions("content")[-2:]
    running.marquee("tidy")
    assert running.registry.versions("content") == [before, after]
    running.marquee("models", "rollback", "content", "--yes", "--reason", "bad lists")
    running.wait_for(before)
    entry = running.last_operation()
    assert (entry["action"], entry["subject"], entry["reason"]) == (
        "model.rolled_back", "content", "bad lists",
    )  # fmt: skip
    assert (entry["before"], entry["after"]) == ({"version": after}, {"version": before})
    assert (entry["outcome"], entry["authtype"]) == ("done", "system")
    assert "nothing to remove" in running.marquee("tidy")
    (listed,) = (
        one for one in json.loads(running.marquee("models", "list", "--json"))
        if one["name"] == "content"
    )  # fmt: skip
    assert listed["serving"] == before
    assert [version["version"] for version in listed["versions"]] == [after, before]
    refused = subprocess.run(
        [sys.executable, "-m", "trainer.cli", "models", "rollback", "content", "--yes"],
        env=os.environ | running.environ, capture_output=True, text=True,
    )  # fmt: skip
    assert (refused.returncode, "no version before" in refused.stderr) == (2, True)
