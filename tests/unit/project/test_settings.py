"""Settings come from flags, the environment and a state folder, and an unknown one is refused."""

from pathlib import Path

import pytest

from marquee.errors import SettingsError
from marquee.settings import Settings, read, with_state_file


def test_everything_has_a_default() -> None:
    assert read({}) == Settings()


def test_a_flag_wins_over_the_environment() -> None:
    environ = {"MARQUEE_PARTITIONS": "8", "MARQUEE_BUS": "kafka"}
    settings = read(environ, partitions=2, bus=None)
    assert (settings.partitions, settings.bus) == (2, "kafka")


def test_an_unknown_variable_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(SettingsError, match="MARQUEE_REDIS_URL"):
        read({"MARQUEE_REDIS_ULR": "redis://localhost"})


def test_a_wrong_value_names_the_variable() -> None:
    with pytest.raises(SettingsError, match="MARQUEE_PARTITIONS"):
        read({"MARQUEE_PARTITIONS": "many"})


def test_a_secret_may_stand_in_a_file_and_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("redis://:hidden@host/0\n")
    settings = read({"MARQUEE_REDIS_URL_FILE": str(tmp_path / "url")})
    assert settings.redis_url.get_secret_value() == "redis://:hidden@host/0"
    assert "hidden" not in repr(settings)


def test_a_secret_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere"):
        read({"MARQUEE_REDIS_URL_FILE": str(tmp_path / "nowhere")})


def test_a_command_finds_what_the_running_system_left_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "marquee.env").write_text("MARQUEE_GATEWAY_PORT=8090\nMARQUEE_BUS=kafka\n")
    environ = with_state_file({"MARQUEE_STATE": str(tmp_path), "MARQUEE_BUS": "redis"})
    settings = read(environ)
    assert (settings.gateway_port, settings.bus) == (8090, "redis")
    assert with_state_file({"A": "b"}, tmp_path / "none") == {"A": "b"}
