"""Measures of several workers: one document of all, which outlives each of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.multiprocess import mark_process_dead
from prometheus_client.parser import text_string_to_metric_families

from marquee.app_worker import AppWorker

SHOW = """
from marquee import telemetry
from marquee.health import metrics_response
{code}
print(bytes(metrics_response().body).decode())
"""


class Workers:
    """Processes that are workers for the time of a statement."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, number: int, code: str) -> dict[tuple[str, ...], float]:
        """Run a statement as a worker; return its document: name and labels → value."""
        worker = AppWorker(number, os.getpid(), (), str(self.folder), True, 0.0)
        text = subprocess.check_output(
            [sys.executable, "-W", "error", "-c", SHOW.format(code=code)],
            env={**os.environ, **worker.environment()},
            text=True,
        )
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@pytest.fixture
def workers(tmp_path: Path) -> Workers:
    return Workers(tmp_path)


def test_counts_add_up_and_a_successor_counts_on(workers: Workers) -> None:
    assert workers.run(1, "telemetry.OVERLOADED.inc(3)")["marquee_overloaded_total",] == 3
    assert workers.run(2, "telemetry.OVERLOADED.inc(4)")["marquee_overloaded_total",] == 7
    mark_process_dead(1, str(workers.folder))
    files = {file.name for file in workers.folder.glob("counter_*")}
    for _ in range(3):
        seen = workers.run(1, "telemetry.OVERLOADED.inc()")
    assert seen["marquee_overloaded_total",] == 10
    assert {file.name for file in workers.folder.glob("counter_*")} == files


def test_gauges_are_those_of_the_workers_that_live(workers: Workers) -> None:
    workers.run(1, "telemetry.FOLLOWERS.set(5)")
    assert workers.run(2, "telemetry.FOLLOWERS.set(2)")["marquee_followers",] == 7
    mark_process_dead(1, str(workers.folder))
    assert workers.run(2, "pass")["marquee_followers",] == 2
    assert workers.run(1, "telemetry.FOLLOWERS.set(1)")["marquee_followers",] == 3


def test_a_version_is_exported_as_long_as_a_worker_serves_it(workers: Workers) -> None:
    def versions(number: int, former: str | None, version: str) -> dict[str, float]:
        code = "" if former is None else f"telemetry.show_model('neural', None, {former!r})\n"
        code += f"telemetry.show_model('neural', {former!r}, {version!r})"
        seen = workers.run(number, code)
        return {name[2]: value for name, value in seen.items() if name[0] == "marquee_model_info"}

    assert versions(1, None, "v1") == {"v1": 1}
    assert versions(2, "v1", "v2") == {"v1": 1, "v2": 1}
    assert versions(1, "v1", "v2") == {"v1": 0, "v2": 1}


def test_memory_is_that_of_the_supervisor_and_all_its_processes(workers: Workers) -> None:
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("reads /proc of Linux")
    own = int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    assert workers.run(1, "pass")["process_resident_memory_bytes",] > own
