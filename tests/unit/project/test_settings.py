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


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"FEW_RATINGS": "30"}, ("MARQUEE_FEW_RATINGS=30", "MARQUEE_MANY_RATINGS=20")),
        ({"GATEWAY_PORT": "8101"}, ("MARQUEE_GATEWAY_PORT", "MARQUEE_CONTENT_PORT")),
        ({"OPERATE_PORT": "8080"}, ("MARQUEE_GATEWAY_PORT", "MARQUEE_OPERATE_PORT")),
        (
            {"HOST": "0.0.0.0", "AUTH": "open", "OPERATE_PORT": "8080"},
            ("MARQUEE_GATEWAY_PORT", "MARQUEE_OPERATE_PORT"),
        ),
        ({"VIEWER_EVENTS": "many"}, ("MARQUEE_VIEWER_EVENTS", "2000/h")),
        ({"CONSUMER_PORT": "8105"}, ("MARQUEE_TRAINER_PORT", "MARQUEE_CONSUMER_PORT")),
        ({"BUS": "kafka", "KAFKA_SERVERS": ""}, ("MARQUEE_BUS=kafka", "MARQUEE_KAFKA_SERVERS")),
        ({"REDIS_URL": "127.0.0.1:6379"}, ("MARQUEE_REDIS_URL", "redis://")),
        ({"CONTENT_URL": "content:8101"}, ("MARQUEE_CONTENT_URL", "http://")),
        ({"CONTENT_URL": "http://a:1, b:2"}, ("MARQUEE_CONTENT_URL", "'b:2'", "http://")),
        ({"CONTENT_URL": "http://a:1,"}, ("MARQUEE_CONTENT_URL", "http://")),
        ({"DRAIN_S": "-1"}, ("MARQUEE_DRAIN_S",)),
        ({"NEURAL_PORT": "70000"}, ("MARQUEE_NEURAL_PORT",)),
        ({"KAFKA_REPLICATION": "0"}, ("MARQUEE_KAFKA_REPLICATION",)),
        ({"NAMESPACE": "Shop.A"}, ("MARQUEE_NAMESPACE", "only a to z in lower case")),
    ],
)
def test_settings_that_cannot_hold_are_refused_by_name(
    environ: dict[str, str], named: tuple[str, ...]
) -> None:
    with pytest.raises(SettingsError) as refused:
        read({f"MARQUEE_{name}": value for name, value in environ.items()})
    line = str(refused.value)
    assert [name for name in named if name not in line] == []
    assert "\n" not in line


@pytest.mark.parametrize(
    "environ",
    [
        # Each process in a container of its own.
        {"HOST": "0.0.0.0", "AUTH": "open", "GATEWAY_PORT": "8101"},
        {"GATEWAY_PORT": "8101", "CONTENT_URL": "http://content.example:8101"},
        {"GATEWAY_PORT": "0", "CONTENT_PORT": "0"},  # free ones
        {"FEW_RATINGS": "20"},
        {"BUS": "redis", "KAFKA_SERVERS": ""},
    ],
)
def test_settings_that_only_look_contradictory_are_taken(environ: dict[str, str]) -> None:
    settings = read({f"MARQUEE_{name}": value for name, value in environ.items()})
    assert {name: str(getattr(settings, name.lower())) for name in environ} == environ


def test_an_address_may_name_several_replicas() -> None:
    urls = "http://a:8101, http://b:8101"
    settings = read({"MARQUEE_CONTENT_URL": urls, "MARQUEE_GATEWAY_PORT": "8101"})
    assert settings.urls_of("content") == ("http://a:8101", "http://b:8101")
    assert settings.urls_of("hybrid") == ("http://127.0.0.1:8102",)
