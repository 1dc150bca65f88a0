"""A short look at the whole system in trouble, on each bus; `make chaos` is the long one."""

import subprocess
import sys
from pathlib import Path

import pytest

from marquee_local.servers import kafka_lacks

CHAOS = Path(__file__).with_name("chaos.py")
SEED = "1"
MINUTES = "0.5"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose models are trained by the first run."""
    return tmp_path_factory.mktemp("chaos")


@pytest.mark.parametrize("bus", ["redis", pytest.param("kafka", marks=pytest.mark.kafka)])
def test_nothing_is_lost_or_applied_twice_and_no_read_fails_whatever_is_killed_stopped_or_cut(
    state: Path, bus: str
) -> None:
    if bus == "kafka" and (lacks := kafka_lacks()):
        pytest.skip(lacks)
    asked = ["--short", "--bus", bus, "--minutes", MINUTES, "--seed", SEED, "--state", str(state)]
    done = subprocess.run(
        [sys.executable, str(CHAOS), *asked], capture_output=True, text=True, timeout=850
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-8000:]
