"""What a process writes to its log: one JSON object a line, with the stack of an exception."""

import json
import subprocess
import sys
from typing import Any

import pytest

SETUP = """
import logging
from marquee import telemetry
telemetry.configure_logging("test app", "info")

def fail(password):
    raise ValueError("what went wrong")

try:
    fail("secret")
except ValueError as error:
    caught = error
"""


def logged(statement: str) -> dict[str, Any]:
    """Return the one line that a new process logs by a statement, read as JSON."""
    code = f"{SETUP}\n{statement}"
    [line] = subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()
    record: dict[str, Any] = json.loads(line)
    return record


@pytest.mark.parametrize(
    "statement",
    [
        "telemetry.log.error('it failed', exc_info=caught)",
        "logging.getLogger('library').error('it %s', 'failed', exc_info=caught)",
    ],
)
def test_an_exception_is_logged_with_a_stack_to_read_and_no_local_variables(statement: str) -> None:
    record = logged(statement)
    assert (record["event"], record["level"], record["process"]) == (
        "it failed",
        "error",
        "test app",
    )
    assert "exc_info" not in record
    stack = record["exception"].splitlines()
    assert stack[0] == "Traceback (most recent call last):"
    assert any(line.endswith("in fail") for line in stack)
    assert stack[-1] == "ValueError: what went wrong"
    assert "secret" not in json.dumps(record)


@pytest.mark.parametrize(
    "logger", ["telemetry.log.warning", "logging.getLogger('library').warning"]
)
def test_a_stack_that_is_asked_for_is_logged_as_text(logger: str) -> None:
    record = logged(f"{logger}('here', stack_info=True)")
    assert record["stack"].startswith("Stack (most recent call last):")
    assert "stack_info" not in record


def test_a_record_of_no_exception_has_none() -> None:
    record = logged("logging.getLogger('library').warning('all is well')")
    assert set(record) == {"event", "level", "process", "timestamp"}
