"""Two gateways behind a proxy, two content apps and two consumers of each, restarted in turn.

They run on the demo's servers, whose consumers are one of the two, under a steady load; `make
bench-rolling` is the whole.
"""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from marquee.settings import STATE_FILE, read
from marquee_testing.load.open_loop import Plan, Result
from marquee_testing.load.writes import AcceptedWrites
from marquee_testing.servers.replicas import replicas

KINDS = {"content consumer": 1, "gateway consumer": 1, "content app": 2, "gateway app": 2}
RATE = 8.0
"""Requests a second: few enough that a busy machine refuses none as too many."""
FIRST_WRITER = 1 << 46


@pytest.mark.timeout(1200)
def test_no_request_fails_and_no_event_is_lost_or_doubled_while_each_process_is_restarted(
    system: Any, tmp_path: Path
) -> None:
    lines = (system.state / STATE_FILE).read_text().splitlines()
    environ = dict(line.split("=", 1) for line in lines) | {"MARQUEE_DRAIN_S": "1"}
    writes = AcceptedWrites(read(environ), tmp_path / "journal.jsonl", FIRST_WRITER)
    movies = [item["movie_id"] for item in system.get("/v1/movies", limit=50)["items"]]
    with replicas(tmp_path / "log", environ, KINDS) as several:
        plan = Plan(
            several.url, RATE, 3600, list(range(1, 200)), movies, 0.3,
            journal=str(writes.journal), first_writer=FIRST_WRITER,
        )  # fmt: skip
        command = [sys.executable, "-m", "marquee_testing.load.open_loop"]
        load = subprocess.Popen([*command, json.dumps(asdict(plan))], stdout=subprocess.PIPE)
        try:
            for process in several.processes:
                several.restart(process)
        finally:
            load.terminate()
            output, _ = load.communicate()
        result = Result(**json.loads(output))
        assert writes.faults(("gateway", "content")) == []
    assert result.failures == {}
    assert result.sent > len(several.processes) * RATE
    assert result.outcomes.get("good", 0) + result.outcomes.get("degraded", 0) == result.sent
    assert len(writes.entries()) > 0.1 * result.sent
