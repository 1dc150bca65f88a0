"""A few generated requests and events at a real system; `make fuzz` sends as many as wanted."""

import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).with_name("fuzz.py")
SCHEMATHESIS = Path(__file__).resolve().parents[2] / ".venv-fuzz" / "bin" / "schemathesis"
SEED, REQUESTS, EVENTS = "1", "250", "400"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_odd_requests_and_events_are_refused_by_name_and_break_nothing(tmp_path: Path) -> None:
    if not SCHEMATHESIS.exists():
        pytest.fail("Schemathesis is missing: make .venv-fuzz/READY")
    asked = ["--seed", SEED, "--requests", REQUESTS, "--events", EVENTS, "--state", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, str(FUZZ), "--short", "--bus", "redis", *asked],
        capture_output=True,
        text=True,
        timeout=550,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-8000:]
