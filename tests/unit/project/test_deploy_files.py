"""The files that start, build and lock the services agree with each other and with the settings."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY

from marquee import telemetry
from marquee.settings import PREFIX, Settings, read

ROOT = Path(__file__).resolve().parents[3]
SERVICES = ["gateway", "content", "hybrid", "user-model", "neural", "trainer"]
PROCESSES = [f"{service}-{role}" for service in SERVICES for role in ("app", "consumer")]
ONCE = {"data-import", "operator"}
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
LOCKS = [*ROOT.glob("requirements-*.txt"), *ROOT.glob("*/*/requirements.txt")]
# Spelt so that this file does not contain what it looks for.
HOSTS = "|".join(["pypi.or" + "g", "pythonhosted.or" + "g", "npmjs.or" + "g", "maven.or" + "g"])
HOSTS += "|" + "|".join(["proxy.golan" + "g", "crates.i" + "o", "ghcr.i" + "o", "quay.i" + "o"])
PLACES = "|".join(["/wor" + "k/", "/roo" + "t/", "/hom" + "e/[a-z]", "/tm" + "p/[a-z]"])


def procfile() -> dict[str, list[str]]:
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {name: command.split() for name, command in (line.split(": ") for line in lines)}


def dockerfile_command(service: str) -> list[str]:
    text = (ROOT / "services" / service / "Dockerfile").read_text()
    found = re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)
    assert len(found) == 1
    return list(json.loads(found[0]))


def test_the_procfile_names_two_processes_of_every_service() -> None:
    assert sorted(procfile()) == sorted(PROCESSES)


def test_every_folder_with_a_distribution_is_a_service() -> None:
    found = {path.parent.name for path in (ROOT / "services").glob("*/pyproject.toml")}
    assert found == set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_dockerfile_starts_the_app_of_the_procfile(service: str) -> None:
    assert dockerfile_command(service) == procfile()[f"{service}-app"]


@pytest.mark.parametrize("name", PROCESSES)
def test_compose_starts_the_command_of_the_procfile(name: str) -> None:
    service = name.rpartition("-")[0]
    entry = COMPOSE["services"][name]
    assert entry["image"] == f"marquee-{service}"
    assert entry.get("command", dockerfile_command(service)) == procfile()[name]


@pytest.mark.parametrize("service", SERVICES)
def test_one_compose_entry_builds_the_image_of_a_service(service: str) -> None:
    builds = [entry["build"] for entry in COMPOSE["services"].values() if "build" in entry]
    files = [build["dockerfile"] for build in builds]
    assert files.count(f"services/{service}/Dockerfile") == 1


@pytest.mark.parametrize("service", SERVICES)
def test_dockerfiles_differ_in_what_is_the_services_own_alone(service: str) -> None:
    def common(name: str) -> list[str]:
        lines = (ROOT / "services" / name / "Dockerfile").read_text().splitlines()
        own = (
            "COPY services/",
            "COPY requirements-model",
            "COPY data",
            "COPY params",
            "RUN apt-get",
            "EXPOSE ",
            "CMD ",
            "ENV MARQUEE_WEB",
            "#",
        )
        return [line.replace("*", name) for line in lines if not line.startswith(own)]

    def plain(name: str) -> list[str]:
        return [line.replace(f"services/{name}", "services/NAME") for line in common(name)]

    assert plain(service) == plain("content")


@pytest.mark.parametrize("name", sorted(set(COMPOSE["services"]) - ONCE))
def test_a_compose_service_is_watched_limited_and_writes_bounded_logs(name: str) -> None:
    entry = COMPOSE["services"][name]
    assert entry["healthcheck"]["test"][0] == "CMD"
    assert entry["mem_limit"]
    assert entry["restart"] == "unless-stopped"
    assert set(entry["logging"]["options"]) == {"max-size", "max-file"}


def test_compose_publishes_the_gateway_mlflow_and_grafana_alone() -> None:
    published = {name for name, entry in COMPOSE["services"].items() if "ports" in entry}
    assert published == {"gateway-app", "mlflow", "grafana"}


def test_the_operators_port_is_published_on_the_loopback_address_alone() -> None:
    gateway = COMPOSE["services"]["gateway-app"]
    operate = read(composed({})["gateway-app"]).operate_port
    published = {p.rpartition(":")[2]: p for p in map(_defaults, gateway["ports"])}
    assert published == {"8080": "127.0.0.1:8080:8080", str(operate): "127.0.0.1:8090:8090"}
    [own] = [port for port in gateway["ports"] if "OPERATE" in port]
    assert "${BIND" not in own
    assert f":{read({}).gateway_port}" in _defaults(gateway["healthcheck"]["test"][-1])


def _defaults(text: str) -> str:
    return str(interpolated("", text, {}))


def composed(environ: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return the MARQUEE_ variables that compose gives to each process under an environment."""
    values: dict[str, dict[str, str]] = {}
    for process in PROCESSES:
        declared = COMPOSE["services"][process]["environment"]
        values[process] = {
            name: resolved
            for name, value in declared.items()
            if (resolved := interpolated(name, value, environ)) is not None
        }
    return values


def interpolated(name: str, value: object, environ: dict[str, str]) -> str | None:
    """Return what compose makes of an entry: a name alone is passed on where it is set."""
    if value is None:
        return environ.get(name)
    return re.sub(
        r"\$\{(\w+):-([^}]*)\}", lambda match: environ.get(match[1]) or match[2], str(value)
    )


def test_the_settings_accept_what_compose_and_the_images_set() -> None:
    own = {
        "bus",
        "kafka_servers",
        "redis_url",
        "mlflow_uri",
        "state",
        "host",
        "auth",
        "consumer_port",
        "operate_port",
        "web",
    }
    for values in composed({}).values():
        settings = read(values)
        assert settings.bus == "kafka"
        for name in set(Settings.model_fields) - own:
            if not name.endswith("_url"):
                assert getattr(settings, name) == getattr(Settings(), name), name


def test_every_variable_of_the_example_environment_reaches_every_process_in_compose() -> None:
    names = {PREFIX + name.upper() for name in Settings.model_fields}
    environ = {name: f"probe-{name}" for name in names}
    for process, values in composed(environ).items():
        assert values == environ, process


def test_the_example_environment_names_every_setting_with_its_default() -> None:
    text = (ROOT / ".env.example").read_text()
    names = set(re.findall(rf"^#?({PREFIX}\w+)=", text, re.MULTILINE))
    assert names == {PREFIX + name.upper() for name in Settings.model_fields}
    live = dict(re.findall(rf"^({PREFIX}\w+)=(.*)$", text, re.MULTILINE))
    assert read(live) == Settings()


def test_a_copy_of_the_example_environment_changes_nothing_in_compose() -> None:
    text = (ROOT / ".env.example").read_text()
    live = dict(re.findall(rf"^({PREFIX}\w+)=(.*)$", text, re.MULTILINE))
    for process, values in composed(live).items():
        assert read(values) == read(composed({})[process])


def test_compose_itself_accepts_the_file() -> None:
    command = shutil.which("docker-compose")
    if command is None:
        assert os.environ.get("CI") != "true", "CI has docker-compose"
        pytest.skip("docker-compose is not installed")
    for files in ([], ["-f", "docker-compose.yml", "-f", "deploy/redis/compose.yml"]):
        outcome = subprocess.run(
            [command, *files, "config", "-q"], cwd=ROOT, capture_output=True, text=True
        )
        assert outcome.returncode == 0, outcome.stderr


def test_prometheus_scrapes_every_process_where_it_listens() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    jobs = {
        job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]
    }
    settings = Settings().model_dump()
    ports = {name: settings[name.replace("-", "_") + "_port"] for name in SERVICES}
    ports["gateway"] = read(composed({})["gateway-app"]).operate_port
    assert jobs["app"] == [f"{name}-app:{port}" for name, port in ports.items()]
    assert jobs["consumer"] == [f"{name}-consumer:9100" for name in SERVICES]


@pytest.mark.parametrize(
    "file", ["deploy/prometheus/alerts.yml", "deploy/grafana/dashboards/marquee.json"]
)
def test_alerts_and_dashboard_ask_for_measures_that_exist(file: str) -> None:
    asked = set(re.findall(r"\bmarquee_[a-z_]+", (ROOT / file).read_text()))
    assert telemetry.REQUESTS
    families = [family.name for family in REGISTRY.collect()]
    exported = {name + end for name in families for end in ("", "_total", "_bucket")}
    assert asked
    assert asked - exported == set()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_lock_has_a_hash_for_every_package_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    packages = re.split(r"\n(?=\S)", text.strip())
    assert all("==" in package and "--hash=sha256:" in package for package in packages)


def test_all_locks_of_our_code_agree_on_the_version_of_every_package() -> None:
    versions: dict[str, set[str]] = {}
    # None of our code runs there.
    tools = {f"requirements-{name}.txt" for name in ("audit", "airflow", "fuzz", "pipeline")}
    for lock in (lock for lock in LOCKS if lock.name not in tools):
        for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock.read_text(), re.MULTILINE):
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_no_tracked_text_names_a_place_of_one_machine_or_a_registry() -> None:
    files = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")
    wrong = re.compile(rf"(?<![\w.$}}{{-])({PLACES})|({HOSTS})")
    found = []
    for name in filter(None, files):
        path = ROOT / name
        if path.is_file() and path.suffix not in {".zip", ".png", ".gif", ".woff2"}:
            found += [f"{name}: {match[0]}" for match in wrong.finditer(path.read_text())]
    assert found == []
