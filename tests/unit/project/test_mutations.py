"""The list of breaks fits the code: each place is there once, and so is its test."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "mutations"))
from break_code import broken  # noqa: E402
from breaks import BREAKS, Break  # noqa: E402


@pytest.mark.parametrize("one", BREAKS, ids=lambda one: one.name)
def test_a_break_is_one_that_can_be_made_and_still_is_python(one: Break) -> None:
    text = broken((ROOT / one.file).read_text(), one)
    compile(text, one.file, "exec")
    path, _, name = one.test.partition("::")
    assert f"def {name}" in (ROOT / path).read_text()


def test_a_break_whose_place_is_gone_is_refused() -> None:
    gone = Break("gone", "a.py", "no such text", "", "tests/a.py")
    with pytest.raises(ValueError, match="gone: a.py holds its text 0 times"):
        broken("x = 1", gone)
