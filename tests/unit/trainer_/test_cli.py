"""The command `marquee`: results on stdout, one line on stderr for what is wrong, exit statuses."""

import errno
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from marquee.bus.api import Message
from marquee.domain.ids import parse_id_text
from marquee.errors import NotFound
from marquee.registry.bundle import seal
from marquee.registry.registry import Registry
from marquee.requirements.state_folder import place_fault
from trainer.cli.inspect import check_known
from trainer.cli.main import app
from trainer.cli.terminal import print_table
from trainer.operations.erasure import kept_until
from trainer.runs.records import TrainingRecords

DATA = {
    "movies.csv": "movieId,title,genres\n1,Toy Story (1995),Comedy\n2,Heat (1995),Crime\n",
    "ratings.csv": "userId,movieId,rating,timestamp\n1,1,4.5,10\n1,2,3.0,20\n2,1,5.0,30\n",
}

HOLDER = """
import sys, tempfile, time
from trainer.cli.main import app, main

@app.command()
def hold() -> None:
    with tempfile.TemporaryDirectory():
        print("holds", flush=True)
        time.sleep(600)

sys.argv[1:] = ["hold"]
main()
"""


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


def test_a_program_that_calls_it_can_do_without_the_next_step(source: Path) -> None:
    result = marquee("--no-hints", "data", "import", source)
    assert "imported into" in result.stderr
    assert "next:" not in result.stderr


def test_a_command_that_is_asked_to_end_leaves_no_temporary_file(tmp_path: Path) -> None:
    (temporary := tmp_path / "temporary").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        stdout=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(temporary)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"holds\n"
        assert len(list(temporary.iterdir())) == 1
        process.terminate()
        assert process.wait() == 128 + signal.SIGTERM
    assert list(temporary.iterdir()) == []


def test_ratings_that_tell_no_likes_are_named_with_the_remedy(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = "userId,movieId,rating,timestamp\n"
    (source / "ratings.csv").write_text(header + "1,1,2.5,10\n1,2,3.0,20\n")
    result = marquee("data", "import", source)
    assert "warning: none of 2 ratings is above 3.5 stars" in result.stdout
    assert "MARQUEE_LIKES=every-rating" in result.stdout
    assert "--likes" in result.stdout
    (source / "ratings.csv").write_text(header + "1,1,1.0,1000000010\n1,2,1.0,1000000020\n")
    found = json.loads(marquee("data", "check", source, "--json").stdout)["warnings"]
    assert ["none of 2 ratings" in found[0], "all 2 ratings are 1 stars" in found[1]] == [
        True,
        True,
    ]
    assert "import them with --likes if each row is a like" in found[1]
    [taken] = json.loads(marquee("data", "check", source, "--likes", "--json").stdout)["warnings"]
    assert "they count as likes, as rows do with --likes" in taken
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


def test_ratings_alone_are_appended_to_the_films_that_are_there(
    source: Path, tmp_path: Path
) -> None:
    marquee("data", "import", source)
    newer = tmp_path / "newer.csv"
    newer.write_text("userId,movieId,rating,timestamp\n1,1,1.0,99\n7,2,4.0,5\n")
    refused = marquee("data", "check", newer)
    assert refused.exit_code == 2
    result = marquee("data", "import", newer, "--append")
    assert result.exit_code == 0, result.output
    assert "2 ratings of 2 films" in result.stdout
    assert "has 4 ratings of 2 films; next: marquee rebuild --replace if" in result.stderr
    newer.write_text("userId,movieId,rating,timestamp\n1,1,2.0,1000000000\n")
    result = marquee("data", "import", newer, "--append")
    assert "1 rating of 1 film\n" in result.stdout
    assert "warning" not in result.stdout  # of all ratings, one is a like
    assert "all equal" not in result.stdout
    newer.write_text("userId,movieId,rating,timestamp\n1,99,1.0,99\n")
    result = marquee("data", "import", newer, "--append")
    assert (result.exit_code, "film 99" in result.stderr) == (2, True)


def test_a_data_set_is_replaced_if_that_is_said(source: Path) -> None:
    marquee("data", "import", source)
    (source / "movies.csv").write_text("movieId,title,genres\n1,Other,Comedy\n2,Heat,Crime\n")
    result = marquee("data", "import", source, "--replace")
    assert result.exit_code == 0, result.output
    assert "snapshot-000001 has 3 ratings of 2 films; next: marquee rebuild" in result.stderr
    assert marquee("data", "import", source, "--replace", "--append").exit_code == 2
    assert marquee("data", "import", source, "--append", "--lose-events").exit_code == 2


def test_an_export_is_imported_as_the_same_data_set(source: Path, tmp_path: Path) -> None:
    marquee("data", "import", source)
    version = json.loads(marquee("data", "check", source, "--json").stdout)["data_version"]
    for form in ("csv", "parquet"):
        out = tmp_path / form
        result = marquee("data", "export", out, "--format", form)
        assert result.exit_code == 0, result.output
        assert f"ratings.{form}: 3 ratings of 2 users" in result.stdout
        found = json.loads(marquee("data", "check", out, "--json").stdout)
        assert found["data_version"] == version
    assert marquee("data", "export", out).exit_code == 2


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


@pytest.mark.parametrize("words", ["inspect movie", "inspect user", "erasure"])
def test_an_id_is_a_whole_number_or_a_string(words: str) -> None:
    for wrong in ("0", "maria/x"):
        refused = marquee(*words.split(), wrong)
        assert refused.exit_code == 2
        assert "whole number from 1" in " ".join(refused.stderr.split())
    found = marquee(*words.split(), "maria@example.org")
    assert found.exit_code == 2
    assert found.stderr.startswith("marquee: ")  # the id is one, and nothing runs that could answer


@pytest.mark.parametrize("words", ["inspect movie 1", "erasure 1"])
def test_a_stopped_server_is_told_with_its_remedy(words: str) -> None:
    refused = marquee(*words.split())
    assert refused.exit_code == 2
    assert refused.stderr.count("\n") == 1
    assert "MARQUEE_REDIS_URL cannot be reached: start it, or correct" in refused.stderr
    assert refused.stderr.count("start it") == 1


def test_a_stopped_kafka_is_told_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARQUEE_KAFKA_SERVERS", "127.0.0.1:1")
    (file := tmp_path / "events.jsonl").write_text(
        '{"id": "1", "source": "shop", "type": "rating.added",'
        ' "data": {"user_id": 1, "movie_id": 2, "rating": 4.5}}\n'
    )
    refused = marquee("--bus", "kafka", "publish", file)
    assert refused.exit_code == 2
    assert refused.stderr.count("\n") == 1
    assert "start a broker, or correct MARQUEE_KAFKA_SERVERS" in refused.stderr
    assert refused.stderr.count("start a broker") == 1


def test_an_id_that_no_service_knows_is_told() -> None:
    nothing: dict[str, Any] = {"facts": None, "vector": None}
    with pytest.raises(NotFound, match="no service holds anything of movie nope"):
        check_known("movie", parse_id_text("nope"), [nothing, nothing])
    check_known("movie", 1, [nothing, nothing | {"facts": {"film": {}}}])
    check_known("movie", 1, [nothing, nothing | {"vector": [0.5]}])


def test_an_id_is_no_whole_number_in_the_help() -> None:
    for words in ("inspect movie", "inspect user", "erasure"):
        assert "<int>" not in marquee(*words.split(), "--help").stdout
    assert "ID" in marquee("erasure", "--help").stdout


def test_a_table_is_wrapped_where_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("store", "what is left"), [("log", "until it is over " * 20)], 100)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


def test_a_message_is_kept_for_the_days_after_its_event() -> None:
    told = [Message(0, b"1", b'{"time": "2024-01-31T10:00:00Z"}', {})]
    told.append(Message(1, b"1", b'{"time": "2024-01-01T10:00:00+00:00"}', {}))
    assert kept_until(told, 30).endswith("retention of 30 days is over, about 2024-03-01")
    unreadable = Message(2, b"1", b"no event", {})
    wanted = datetime.now(UTC) + timedelta(days=30)
    assert kept_until([*told, unreadable], 30).endswith(f"{wanted:%Y-%m-%d}")
