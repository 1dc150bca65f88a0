"""What `make demo` goes on with: what is given, else what the state was begun with."""

import json
from pathlib import Path
from typing import Any

import pytest

from marquee_local.narration import other_state
from marquee_testing.scripts import load_script

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def demo() -> Any:
    return load_script(ROOT / "deploy" / "demo.py")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder that was begun with a shop's data on Kafka."""
    (tmp_path / "demo.json").write_text(json.dumps({"data": "/shop", "bus": "kafka"}))
    return tmp_path


def test_a_state_goes_on_with_the_data_and_the_bus_that_it_was_begun_with(
    demo: Any, state: Path
) -> None:
    wanted = demo.chosen({"STATE": str(state), "DATA": "", "BUS": ""})
    assert (wanted["DATA"], wanted["BUS"], wanted["PORT"]) == ("/shop", "kafka", "8080")


def test_what_is_given_wins(demo: Any, state: Path) -> None:
    wanted = demo.chosen({"STATE": str(state), "DATA": "/other", "BUS": "redis"})
    assert (wanted["DATA"], wanted["BUS"]) == ("/other", "redis")


def test_a_new_state_begins_with_the_bundled_data(demo: Any, tmp_path: Path) -> None:
    wanted = demo.chosen({"STATE": str(tmp_path / "new")})
    assert (wanted["DATA"], wanted["BUS"]) == (demo.DEFAULTS["DATA"], "redis")


def test_a_broken_note_of_the_state_is_named(
    demo: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "demo.json").write_text("{")
    with pytest.raises(SystemExit) as ended:
        demo.chosen({"STATE": str(tmp_path)})
    assert ended.value.code == 2
    assert "demo.json cannot be read" in capsys.readouterr().err


def test_a_state_on_other_data_names_the_data_to_give_again() -> None:
    line = other_state(Path("/shopstate"), "data", "/shop")
    assert "is on data /shop: start it again with DATA=/shop" in line
    assert "choose another folder with STATE=" in line
