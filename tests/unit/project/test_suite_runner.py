"""The runner of the suite: it counts right, and cannot call a broken run a good one."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

RUNNER = Path(__file__).resolve().parents[2] / "run.py"


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The runner as a module, in a repository of its own with this interpreter as .venv."""
    spec = importlib.util.spec_from_file_location("suite_runner", RUNNER)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "suite_runner", module)
    spec.loader.exec_module(module)
    for environment in (".venv", ".venv-trainer"):
        (tmp_path / environment).symlink_to(sys.prefix)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = trainer: in the other environment\n")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "REPORTS", tmp_path / "reports")
    (tmp_path / "tests" / "unit").mkdir(parents=True)
    require(tmp_path, unit=1)
    return module


def require(root: Path, **executed: int) -> None:
    kinds = {"unit": 0, "contract": 0, "integration": 0, "e2e": 0, "quality": 0} | executed
    lines = [f"{kind} = {count}" for kind, count in kinds.items()]
    (root / "tests" / "minimum.toml").write_text("\n".join(["[executed]", *lines]))


def write(runner: ModuleType, name: str, text: str) -> None:
    (runner.ROOT / "tests" / "unit" / name).write_text("import pytest\n" + text)


def closing_line(capfd: pytest.CaptureFixture[str]) -> str:
    return capfd.readouterr().out.splitlines()[-1]


def test_a_good_run_ends_with_its_counts(
    runner: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    write(runner, "test_a.py", "def test_a(): pass\n@pytest.mark.skip\ndef test_b(): pass\n")
    assert runner.main(["unit"]) == 0
    assert closing_line(capfd) == "1 passed, 0 failed, 1 skipped"


def test_a_failure_and_a_broken_fixture_both_count_as_failed(
    runner: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = "@pytest.fixture\ndef f(): raise OSError\ndef test_b(f): pass\n"
    write(runner, "test_a.py", "def test_a(): assert 0\n" + broken)
    assert runner.main(["unit"]) == 1
    assert closing_line(capfd) == "0 passed, 2 failed, 0 skipped"


def test_a_file_that_cannot_be_read_fails_the_run_but_hides_no_other(
    runner: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    write(runner, "test_a.py", "import nowhere_to_be_found\n")
    write(runner, "test_b.py", "def test_b(): pass\n")
    assert runner.main(["unit"]) == 1
    assert closing_line(capfd) == "1 passed, 1 failed, 0 skipped"


def test_a_file_for_the_trainer_is_read_in_its_environment_alone(
    runner: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    text = "def test_here(): pass\n@pytest.mark.trainer\ndef test_there(): pass\n"
    write(runner, "test_a.py", text)
    write(runner, "test_b.py", "pytestmark = pytest.mark.trainer\ndef test_b(): pass\n")
    assert runner.main(["unit"]) == 0
    assert closing_line(capfd) == "3 passed, 0 failed, 0 skipped"


def test_a_suite_that_shrinks_fails_in_ci(
    runner: ModuleType, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(runner, "test_a.py", "def test_a(): pass\n")
    require(runner.ROOT, unit=2)
    monkeypatch.setattr(runner, "missing_programs", list)
    monkeypatch.setenv("CI", "false")
    assert runner.main(["unit"]) == 0
    monkeypatch.setenv("CI", "true")
    assert runner.main(["unit"]) == 1
    assert closing_line(capfd) == "1 passed, 1 failed, 0 skipped"
