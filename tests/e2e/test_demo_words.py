"""What `make demo` says: each step before it is done, the open page before the training."""

import re
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(1500)

STEPS = (
    "[1/4] Environment",
    "[2/4] Import",
    "[3/4] Start",
    "The page can be opened",
    "You can ask for lists",
    "[4/4] Training",
    "Marquee is ready",
)


def test_each_step_is_named_in_order_and_the_page_is_open_before_the_training(system: Any) -> None:
    text = (system.state / "demo.txt").read_text()
    places = [text.find(step) for step in STEPS]
    assert -1 not in places, text
    assert places == sorted(places)


def test_no_step_tells_to_run_what_the_demo_runs_itself(system: Any) -> None:
    assert "next:" not in (system.state / "demo.txt").read_text()


def test_the_command_to_ask_by_is_answered(system: Any) -> None:
    text = (system.state / "demo.txt").read_text()
    commands = set(re.findall(r"curl '(\S+)'", text))
    [address] = commands
    assert system.get(address.removeprefix(system.url))["items"]
