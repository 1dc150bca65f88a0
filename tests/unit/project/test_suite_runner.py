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
    # The runs within these tests load what the runner uses, and nothing else: it is quicker.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "pytest_timeout,xdist.plugin,pytest_cov.plugin")
    monkeypatch.setattr(module, "KINDS", {"unit": module.Kind(60)})
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "REPORTS", tmp_path / "reports")
    (tmp_path / "tests" / "unit").mkdir(parents=True)
    require(tmp_path, unit=1)
    return module


def require(root: Path, **executed: int) -> None:
    lines = [f"{kind} = {count}" for kind, count in executed.items()]
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


def test_files_spread_over_processes_are_counted_as_one_run(
    runner: ModuleType, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "KINDS", {"unit": runner.Kind(60, workers=2)})
    write(runner, "test_a.py", "def test_a(worker_id): assert worker_id != 'master'\n")
    write(runner, "test_b.py", "def test_b(): assert 0\ndef test_c(): pass\n")
    assert runner.main(["unit"]) == 1
    assert closing_line(capfd) == "2 passed, 1 failed, 0 skipped"


def test_kinds_that_run_side_by_side_print_their_output_as_a_whole(
    runner: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    text = "def test_here(): pass\n@pytest.mark.trainer\ndef test_there(): assert 0, 'odd'\n"
    write(runner, "test_a.py", text)
    assert runner.main(["--lanes", "2", "unit"]) == 1
    printed = capfd.readouterr().out
    there = printed[printed.index("\n== unit (.venv-trainer)\n") :]
    assert "AssertionError: odd" in there
    assert printed.splitlines()[-1] == "1 passed, 1 failed, 0 skipped"


def test_coverage_below_its_floor_fails_the_run(
    runner: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    (runner.ROOT / ".coveragerc").write_text(
        "[run]\nsource = code\n[report]\nfail_under = 90\n[paths]\n"
    )
    (runner.ROOT / "code").mkdir()
    (runner.ROOT / "code" / "half.py").write_text(
        "def f():\n    return 1\n\n\ndef g():\n    return 2\n"
    )
    write(
        runner,
        "test_a.py",
        "import sys; sys.path.insert(0, 'code')\nimport half\ndef test_a(): half.f()\n",
    )
    assert runner.main(["--coverage", "unit"]) == 1
    assert closing_line(capfd) == "1 passed, 1 failed, 0 skipped"
