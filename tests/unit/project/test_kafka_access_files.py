"""The files for a Kafka with users say what the one definition of rights says."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from marquee.bus.kafka.access.rights import (
    KAFKA_RIGHTS,
    Operation,
    access_rules,
    rights_of,
    rights_table,
    rules_script,
    user_of,
)
from marquee.bus.kafka.connection.security import KafkaSecurity
from marquee.settings import Settings, read

ROOT = Path(__file__).resolve().parents[3]
SECURE = ROOT / "deploy" / "kafka" / "secure"
COMPOSE: dict[str, Any] = yaml.safe_load((SECURE / "compose.yml").read_text())
PROCESSES = [kind for kind in KAFKA_RIGHTS if kind.endswith(("-app", "-consumer"))]


def writers(topic: str) -> set[str]:
    rights = KAFKA_RIGHTS.items()
    return {kind for kind, right in rights if Operation.WRITE in right.topics.get(topic, ())}


def test_who_may_write_what_is_as_few_as_can_be() -> None:
    assert writers("models") == {"trainer-app", "operator"}
    assert writers("movies") == {"gateway-app", "operator", "producer"}
    assert writers("ratings") == {"gateway-app", "trainer-app", "operator", "producer"}
    deleters = {rule.user for rule in access_rules("n") if rule.operation is Operation.DELETE}
    assert deleters == {"n-operator"}


def test_a_namespace_leads_users_topics_and_groups() -> None:
    for rule in access_rules("shop"):
        assert rule.user.startswith("shop-")
        assert rule.name.startswith("shop.")
    assert {rule.user for rule in access_rules("")} == set(KAFKA_RIGHTS)
    assert rights_of("shop-producer", "shop").keys() == {"shop.movies", "shop.ratings"}
    assert rights_of("somebody", "shop") == {}


def test_the_script_has_every_rule_once() -> None:
    script = (SECURE / "acls.sh").read_text()
    assert script == rules_script("marquee"), "marquee kafka acls --script > acls.sh"
    found = set()
    for call in script.replace("\\\n", "").splitlines():
        for user in re.findall(r"User:(\S+)", call):
            for kind, name in re.findall(r"--(topic|group) (\S+)", call):
                for operation in re.findall(r"--operation (\S+)", call):
                    assert (user, kind, name, operation) not in found
                    found.add((user, kind, name, operation))
    rules = {
        (rule.user, rule.resource, rule.name, rule.operation) for rule in access_rules("marquee")
    }
    assert found == rules


def test_the_table_in_the_documents_is_that_of_the_definition() -> None:
    page = (ROOT / "docs" / "how-to" / "deploy.md").read_text()
    shown = re.search(r"<!-- rights: .*? -->\n(.*?)<!-- /rights -->", page, re.DOTALL)
    assert shown is not None
    assert shown[1] == rights_table()


@pytest.mark.parametrize("kind", PROCESSES)
def test_compose_gives_a_process_its_user_and_its_password_alone(kind: str) -> None:
    entry = COMPOSE["services"][kind]
    environ = {
        name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
        for name, value in entry["environment"].items()
    }
    assert environ.pop("MARQUEE_KAFKA_PASSWORD_FILE") == f"/run/secrets/kafka-{kind}"
    assert entry["secrets"] == ["kafka-ca", f"kafka-{kind}"]
    settings = read(environ | {"MARQUEE_BUS": "kafka", "MARQUEE_KAFKA_PASSWORD": "x"})
    security = KafkaSecurity.of(settings)
    assert (security.user, security.protocol) == (user_of(kind, "marquee"), "SASL_SSL")
    assert str(security.ca) == "/run/secrets/kafka-ca"


def test_compose_knows_a_password_of_every_kind_and_changes_no_other_process() -> None:
    assert set(COMPOSE["services"]) == {*PROCESSES, "kafka", "kafka-access"}
    files = {name: entry["file"] for name, entry in COMPOSE["secrets"].items()}
    for kind in ("admin", *KAFKA_RIGHTS):
        assert files[f"kafka-{kind}"] == f"./var/kafka/{kind}.password"
    granted = COMPOSE["services"]["kafka-access"]["secrets"]
    targets = {one["target"]: one["source"] for one in granted if isinstance(one, dict)}
    assert targets == {f"{kind}.password": f"kafka-{kind}" for kind in KAFKA_RIGHTS}


def test_the_broker_refuses_whatever_no_rule_allows() -> None:
    lines = (SECURE / "server.properties").read_text().splitlines()
    properties = dict(line.split("=", 1) for line in lines if line and line[0] != "#")
    assert properties["allow.everyone.if.no.acl.found"] == "false"
    assert properties["authorizer.class.name"].endswith("StandardAuthorizer")
    protocols = properties["listener.security.protocol.map"]
    assert "PLAINTEXT" not in protocols
    users = {user_of(kind, Settings().namespace) for kind in KAFKA_RIGHTS}
    assert not users & set(properties["super.users"].replace("User:", "").split(";"))


def test_compose_itself_accepts_the_override() -> None:
    command = shutil.which("docker-compose")
    if command is None:
        pytest.skip("docker-compose is not installed")
    files = ["-f", "docker-compose.yml", "-f", "deploy/kafka/secure/compose.yml"]
    outcome = subprocess.run(
        [command, *files, "config", "-q"], cwd=ROOT, capture_output=True, text=True
    )
    assert outcome.returncode == 0, outcome.stderr
