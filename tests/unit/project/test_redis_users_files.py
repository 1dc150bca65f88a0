"""The files about users of Redis are what the rights in the code are, and fit compose."""

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from marquee.bus.api import TopicPartition
from marquee.domain.models import MODEL_NAMES
from marquee.errors import SettingsError
from marquee.events import MODELS, MOVIES, RATINGS
from marquee.settings import Settings, read
from marquee.store.acl_file import ADMIN, acl_file, acl_users, read_passwords
from marquee.store.keys import Keys, PartitionKeys
from marquee.store.rights import APPS, CONSUMERS, KINDS, rights_of, user_of
from marquee_testing.forbidden_calls import files
from trainer.cli.main import app

ROOT = Path(__file__).resolve().parents[3]
USERS: Any = yaml.safe_load((ROOT / "deploy/redis/compose.yml").read_text())
COMPOSE: Any = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.mark.parametrize("name", sorted(files()))
def test_a_generated_file_is_what_the_rights_are(name: str) -> None:
    assert (ROOT / name).read_text() == files()[name], "run: make redis-users"


def test_a_kind_is_a_process_of_the_procfile_or_a_person() -> None:
    names = {line.partition(":")[0] for line in (ROOT / "Procfile").read_text().splitlines()}
    assert names == {*APPS, *CONSUMERS}
    assert {*KINDS} == names | {"operator", "health"}


def test_compose_gives_each_process_the_user_of_its_kind() -> None:
    services = {name: entry for name, entry in USERS["services"].items() if name != "redis"}
    assert set(services) == {*APPS, *CONSUMERS, "operator"} <= set(COMPOSE["services"])
    for kind, entry in services.items():
        user = "${MARQUEE_NAMESPACE:-marquee}-" + kind
        assert entry["environment"]["MARQUEE_REDIS_USER"] == user
        assert entry["environment"]["MARQUEE_REDIS_PASSWORD_FILE"] == "/run/secrets/redis"
        assert entry["secrets"] == [{"source": f"redis-{kind}", "target": "redis"}]
        assert USERS["secrets"][f"redis-{kind}"]["file"] == f"./deploy/redis/secrets/{user}"
    assert set(USERS["secrets"]) == {
        "redis-users",
        "redis-health",
        *map("redis-{}".format, services),
    }


def test_compose_starts_redis_as_before_but_for_its_users() -> None:
    options = USERS["services"]["redis"]["command"].split(" --")
    assert options.pop() == "aclfile /run/secrets/users.acl"
    assert options == COMPOSE["services"]["redis"]["command"].split(" --")


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_the_command_prints_the_file_of_the_namespace_and_the_bus() -> None:
    assert printed("--bus", "redis", "acl") == acl_file("marquee", "redis")
    shop = printed("--namespace", "shop", "--bus", "kafka", "acl")
    assert shop == acl_file("shop", "kafka")
    assert "marquee" not in shop


def test_passwords_are_made_once_and_only_their_digests_are_printed(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "marquee-operator").write_text("chosen\n")
    first = printed("acl", "--passwords", str(folder))
    assert first == printed("acl", "--passwords", str(folder))
    passwords = {path.name: path.read_text().strip() for path in folder.iterdir()}
    assert set(passwords) == {ADMIN, *(user_of(kind, "marquee") for kind in KINDS)}
    assert len(set(passwords.values())) == len(passwords)
    assert passwords["marquee-operator"] == "chosen"
    assert first == acl_file("marquee", "redis", passwords)
    assert [word for word in passwords.values() if word in first] == []


def test_a_folder_of_passwords_is_for_its_owner_and_an_empty_file_is_refused(
    tmp_path: Path,
) -> None:
    read_passwords(tmp_path / "made", acl_users("marquee"))
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o700
    (tmp_path / "made" / "marquee-health").write_text("")
    with pytest.raises(SettingsError, match="marquee-health is empty"):
        read_passwords(tmp_path / "made", acl_users("marquee"))


def all_keys(service: str) -> list[str]:
    """Return a key of each kind of a service's store."""
    keys = Keys("marquee", service, 4)
    found = []
    for topic in (MOVIES, RATINGS, *([MODELS] if service in MODEL_NAMES else [])):
        partition = keys.of(TopicPartition(topic, 0))
        names = [name for name, value in vars(PartitionKeys).items() if isinstance(value, property)]
        found += [getattr(partition, name) for name in names]
        found += [partition.user(-7), partition.rows("v1")]
    return found


@pytest.mark.parametrize("service", ["gateway", *MODEL_NAMES])
def test_a_consumer_may_write_every_key_of_its_service_and_no_other(service: str) -> None:
    """Patterns of Redis and of `fnmatch` agree: * is the only special character in use."""
    for bus in ("redis", "kafka"):
        grants = rights_of(f"{service}-consumer", "marquee", bus).grants
        patterns = [key for grant in grants if "hset" in grant.commands for key in grant.keys]
        assert not re.search(r"[\[?\\]", "".join(patterns))
        writable = {
            key
            for other in ("gateway", *MODEL_NAMES)
            for key in all_keys(other)
            if any(fnmatchcase(key, pattern) for pattern in patterns)
        }
        assert writable == set(all_keys(service))


def test_no_app_of_a_model_may_write() -> None:
    for name in MODEL_NAMES:
        for bus in ("redis", "kafka"):
            assert {grant.access for grant in rights_of(f"{name}-app", "marquee", bus).grants} == {
                "R"
            }


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"REDIS_USER": "marquee-operator"}, ("MARQUEE_REDIS_USER", "MARQUEE_REDIS_PASSWORD_FILE")),
        (
            {"REDIS_URL": "redis://:a@host", "REDIS_PASSWORD": "b"},
            ("MARQUEE_REDIS_PASSWORD", "leave USER:PASSWORD@ out"),
        ),
        ({"REDIS_CA": "ca.pem"}, ("MARQUEE_REDIS_CA", "write rediss://")),
        (
            {"REDIS_URL": "rediss://host", "REDIS_CA": "nowhere.pem"},
            ("MARQUEE_REDIS_CA", "nowhere.pem: No such file"),
        ),
        (
            {"REDIS_URL": "rediss://host", "REDIS_KEY": "key.pem"},
            ("MARQUEE_REDIS_KEY", "MARQUEE_REDIS_CERTIFICATE"),
        ),
        ({"REDIS_KEY_FILE": "key.pem"}, ("MARQUEE_REDIS_KEY_FILE", "set MARQUEE_REDIS_KEY")),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    environ: dict[str, str], named: tuple[str, ...]
) -> None:
    with pytest.raises(SettingsError) as refused:
        read({f"MARQUEE_{name}": value for name, value in environ.items()})
    assert [words for words in named if words not in str(refused.value)] == []


def test_user_password_and_files_become_parts_of_one_address(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("a/b@c\n")
    (pem := tmp_path / "ca&1.pem").touch()
    settings = read(
        {
            "MARQUEE_REDIS_URL": "rediss://[::1]:7000/2?socket_keepalive=1",
            "MARQUEE_REDIS_USER": "shop-operator",
            "MARQUEE_REDIS_PASSWORD_FILE": str(tmp_path / "password"),
            "MARQUEE_REDIS_CA": str(pem),
        }
    )
    begin, _, options = settings.redis_address.partition("?")
    assert begin == "rediss://shop-operator:a%2Fb%40c@[::1]:7000/2"
    assert options.startswith("socket_keepalive=1&ssl_ca_certs=")
    assert options.endswith("ca%261.pem")
    assert "a/b" not in repr(settings)
    assert Settings().redis_address == "redis://127.0.0.1:6379/0"
