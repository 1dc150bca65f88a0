"""The command `marquee`: results on stdout, one line on stderr for what is wrong, exit statuses."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from marquee.registry.bundle import seal
from marquee.registry.registry import Registry
from marquee.requirements.state_folder import place_fault
from trainer.cli.main import app
from trainer.runs.records import TrainingRecords

DATA = {
    "movies.csv": "movieId,title,genres\n1,Toy Story (1995),Comedy\n2,Heat (1995),Crime\n",
    "ratings.csv": "userId,movieId,rating,timestamp\n1,1,4.5,10\n1,2,3.0,20\n2,1,5.0,30\n",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small release."""
    folder = tmp_path / "release"
    folder.mkdir()
    for name, text in DATA.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder, and an address at which no Redis listens."""
    state = tmp_path / "state"
    monkeypatch.setenv("MARQUEE_STATE", str(state))
    monkeypatch.setenv("MARQUEE_REDIS_URL", "redis://127.0.0.1:1/0")
    return state


def marquee(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def add_version(state: Path, name: str, text: str) -> str:
    bundle = state / "made" / text
    bundle.mkdir(parents=True)
    (bundle / "model.txt").write_text(text)
    seal(bundle, name, "d" * 64, "c0de", {"size": 3}, {"ndcg": 0.25}, {"ratings:0": 12})
    return Registry(state / "registry").add(bundle).version


def test_an_import_makes_the_base_of_the_history_and_names_the_next_step(
    source: Path, state: Path
) -> None:
    result = marquee("data", "import", source)
    assert result.exit_code == 0, result.output
    assert "3 ratings of 2 films" in result.stdout
    assert "next: marquee train" in result.stderr
    assert list((state / "history").glob("snapshot-*"))


def test_ratings_that_tell_no_likes_are_named_with_the_remedy(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = "userId,movieId,rating,timestamp\n"
    (source / "ratings.csv").write_text(header + "1,1,2.5,10\n1,2,3.0,20\n")
    result = marquee("data", "import", source)
    assert "warning: none of 2 ratings is above 3.5 stars" in result.stdout
    assert "MARQUEE_LIKES=every-rating" in result.stdout
    (source / "ratings.csv").write_text(header + "1,1,1.0,10\n1,2,1.0,20\n")
    found = json.loads(marquee("data", "check", source, "--json").stdout)["warnings"]
    assert ["none of 2 ratings" in found[0], "all 2 ratings are 1 stars" in found[1]] == [
        True,
        True,
    ]
    monkeypatch.setenv("MARQUEE_LIKES", "every-rating")
    [equal] = json.loads(marquee("data", "check", source, "--json").stdout)["warnings"]
    assert "each predicted rating will be 1:" in equal
    assert "MARQUEE_LIKES" not in equal


def test_a_second_import_is_refused_in_one_line(source: Path) -> None:
    marquee("data", "import", source)
    result = marquee("data", "import", source)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "not empty" in result.stderr


def test_a_check_writes_nothing(source: Path, state: Path) -> None:
    result = marquee("data", "check", source, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["ratings"] == 3
    assert not state.exists()


def test_a_folder_without_data_files_ends_in_one_line(tmp_path: Path) -> None:
    result = marquee("data", "check", tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert "no data here; looked for" in result.stderr


def test_a_malformed_file_names_file_and_line(source: Path) -> None:
    wrong = "".join(f"1,1,9.{i},40\n" for i in range(4))
    (source / "ratings.csv").write_text(DATA["ratings.csv"] + "1,1,9.5,40\n")
    result = marquee("data", "check", source)
    assert (result.exit_code, "ratings.csv, line 5" in result.stdout) == (0, True)
    (source / "ratings.csv").write_text(DATA["ratings.csv"] + wrong.replace("9.", "x"))
    result = marquee("data", "check", source)
    assert result.exit_code == 2
    assert "ratings.csv, line 5" in result.stderr
    assert marquee("data", "check", source, "--max-loss", "60%").exit_code == 0


def test_generated_data_can_be_checked(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    sizes = ("--users", 30, "--movies", 60, "--ratings", 700, "--seed", 4)
    assert marquee("data", "generate", folder, *sizes).exit_code == 0
    assert "700 ratings of 60 films" in marquee("data", "check", folder).stdout


def test_models_are_listed_and_shown(state: Path) -> None:
    version = add_version(state, "content", "one")
    assert version in marquee("models", "list").stdout
    (content, *_) = json.loads(marquee("models", "list", "--json").stdout)
    assert (content["serving"], content["versions"][0]["metrics"]) == (None, {"ndcg": 0.25})
    shown = json.loads(marquee("models", "show", "content", "--json").stdout)
    assert (shown["version"], shown["cut"]) == (version, {"ratings:0": 12})


def test_an_unknown_version_is_named_with_those_that_there_are(state: Path) -> None:
    version = add_version(state, "content", "one")
    result = marquee("models", "show", "content", "20000101T000000-00000000")
    assert result.exit_code == 2
    assert version in result.stderr


def test_there_is_nothing_before_the_first_version(state: Path) -> None:
    add_version(state, "content", "one")
    result = marquee("models", "rollback", "content", "--yes")
    assert result.exit_code == 2
    assert "no version before" in result.stderr


def test_tidying_says_what_it_removed_and_leaves_a_training_alone(
    source: Path, state: Path
) -> None:
    marquee("data", "import", source)
    (left := state / "airflow" / "failed").mkdir(parents=True)
    os.utime(left, (0, 0))
    with TrainingRecords(state).locked("under-way"):
        result = marquee("tidy")
        assert (result.exit_code, result.stdout) == (0, "")
        assert "training under-way is under way" in result.stderr
    assert left.exists()
    result = marquee("tidy")
    assert (result.exit_code, result.stdout) == (0, "file      airflow/failed\n")
    assert marquee("tidy").stdout == "nothing to remove\n"


def test_a_check_of_artifacts_that_cannot_be_loaded_ends_in_one_line(state: Path) -> None:
    add_version(state, "content", "one")
    result = marquee("models", "check")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "films.npz" in result.stderr


def test_a_training_without_a_bus_stops_before_it_works(source: Path) -> None:
    marquee("data", "import", source)
    result = marquee("train", "--only", "content")
    assert result.exit_code == 2
    assert "Redis" in result.stderr.splitlines()[-1]


def test_a_flag_wins_over_the_environment(source: Path, state: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert marquee("--state", other, "data", "import", source).exit_code == 0
    assert (other / "history").exists()
    assert not state.exists()


def test_an_unknown_variable_names_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARQUEE_STAET", "x")
    result = marquee("models", "list")
    assert (result.exit_code, "MARQUEE_STATE" in result.stderr) == (2, True)


def test_a_misspelt_command_is_met_with_a_suggestion() -> None:
    result = marquee("modles")
    assert result.exit_code == 2
    assert "models" in result.stderr


def test_a_place_that_cannot_be_written_ends_in_one_line(source: Path, tmp_path: Path) -> None:
    (file := tmp_path / "file").touch()
    for command in (
        ("--state", "/sys/marquee", "data", "import", source),  # nobody may write there
        ("data", "generate", file / "made", "--users", 5, "--movies", 5, "--ratings", 9),
        ("--state", file, "models", "list"),
    ):
        result = marquee(*command)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.output
        assert "set MARQUEE_STATE" in result.stderr


def test_a_full_disk_is_told_with_the_remedy_and_a_broken_connection_is_not() -> None:
    with (
        Path("/dev/full").open("wb", buffering=0) as disk,
        pytest.raises(OSError, match="No space left") as full,
    ):
        disk.write(b"x")
    assert "No space left on device; make room, or set" in (place_fault(full.value) or "")
    assert place_fault(ConnectionResetError(errno.ECONNRESET, "reset")) is None


def test_the_doctor_says_what_to_do_about_a_redis_that_is_away() -> None:
    result = marquee("doctor", "--json")
    findings = {finding["subject"]: finding for finding in json.loads(result.stdout)}
    assert result.exit_code == 2
    assert findings["Redis"]["state"] == "bad"
    assert findings["Redis"]["remedy"]
    assert "bus (redis)" not in findings
    assert findings["data"]["remedy"] == "marquee data import SRC"


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from trainer.cli.main import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'pandas', 'sklearn', 'torch', 'mlflow', 'scipy', 'pyarrow'} & set(sys.modules)\n"
        "sys.exit(' '.join(heavy) if heavy else 0)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert "inspect" in found.stdout
