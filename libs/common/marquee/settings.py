"""Settings: flag > environment (`MARQUEE_…`, secrets also as `…_FILE`) > state file > default."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from marquee.addresses import (
    host_of,
    http_url_fault,
    is_loopback,
    kafka_servers_fault,
    redis_url_fault,
)
from marquee.errors import SettingsError

PREFIX = "MARQUEE_"
STATE_FILE = "marquee.env"
APPS = ("gateway", "content", "hybrid", "user_model", "neural", "trainer")
"""Packages whose app has a port of its own."""

_SPELLING = {
    "namespace": "only a to z in lower case, 0 to 9, - and _",
    "kafka_member": "only letters, digits, - and _, at most 200",
}
"""What may stand in a setting that a pattern checks."""
Port = Annotated[int, Field(ge=0, le=65_535)]


class Settings(BaseModel):
    """Every setting of every process, since they share one environment. Each has a default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Path = Path("var")
    """Folder for all that Marquee keeps."""
    bus: Literal["redis", "kafka"] = "redis"
    kafka_servers: str = "127.0.0.1:9092"
    kafka_replication: Annotated[int, Field(ge=-1)] = -1
    """Copies of each new topic; -1: the brokers' default."""
    kafka_retention_days: Annotated[int, Field(ge=1)] = 30
    """How long new topics keep events; `models` keeps them for ever."""
    kafka_member: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,200}$")] = ""
    """Name of a consumer that no other of its service has, the same after a restart: its
    partitions wait for it. Empty: another consumer takes them at once when it stops."""
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    namespace: Annotated[str, Field(pattern=r"^[a-z0-9_-]*$")] = "marquee"
    """Leads every Redis key, topic and consumer group, so that systems can share servers."""
    partitions: Annotated[int, Field(ge=1, le=1024)] = 4
    """Partitions of `movies` and `ratings`; fixed once the topics exist."""

    host: str = "127.0.0.1"
    """Where the processes of this machine listen."""
    gateway_port: Port = 8080
    content_port: Port = 8101
    hybrid_port: Port = 8102
    user_model_port: Port = 8103
    neural_port: Port = 8104
    trainer_port: Port = 8105
    consumer_port: Port = 0
    """Port of a consumer's health and metrics; 0: none."""
    content_url: str = "http://127.0.0.1:8101"
    hybrid_url: str = "http://127.0.0.1:8102"
    user_model_url: str = "http://127.0.0.1:8103"
    neural_url: str = "http://127.0.0.1:8104"
    trainer_url: str = "http://127.0.0.1:8105"
    web: Path | None = None
    """Folder of the page; None: the gateway serves the API alone."""

    deadline_ms: Annotated[float, Field(gt=0)] = 250.0
    """How long the gateway waits for one model service before it goes down the chain."""
    wait_ms: Annotated[int, Field(ge=0, le=10_000)] = 1000
    """How long a read with `after` waits at most."""
    few_ratings: Annotated[int, Field(ge=1)] = 5
    """Number of ratings from which clusters of users answer."""
    many_ratings: Annotated[int, Field(ge=1)] = 20
    """Number of ratings from which the neural ranker answers."""
    positive_ratings: Annotated[int, Field(ge=1)] = 3
    """Number of positive ratings that both need."""
    diversity: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Share of a movie's exposure threshold that its score loses, where a request does not give it
    and the list is not the popular one; the choice of the evaluation by both qualities."""
    likes: Literal["from-ratings", "every-rating"] = "from-ratings"
    """Which ratings count as likes: those of more than 3.5 stars, or every one, for shops without
    stars. It holds for trainings, services and evaluation; after a change, train again."""
    batch: Annotated[int, Field(ge=1, le=10_000)] = 256
    """Events that a consumer handles in one step."""
    consumer_nice: Annotated[int, Field(ge=0, le=19)] = 5
    """Nice value of consumers: where cores are short, apps, which answer requests, go first."""
    train_every_s: Annotated[float, Field(ge=0)] = 24 * 3600.0
    """Seconds between scheduled trainings; 0: none."""
    train_after_ratings: Annotated[int, Field(ge=0)] = 10_000
    """New ratings after which a training starts; 0: never by count."""
    keep_versions: Annotated[int, Field(ge=1)] = 5
    """Newest versions of each model that stay, besides the serving one and those to go back to."""
    params: Path = Path("params.yaml")
    """File with the seed and the models' parameters; without a file of the default name, their
    defaults apply."""
    trainer_python: str = ""
    """Python that has torch and mlflow; empty: the trainer's own."""
    mlflow_uri: str = ""
    """Tracking server; empty: sqlite in the state folder."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def registry(self) -> Path:
        return self.state / "registry"

    @property
    def history(self) -> Path:
        return self.state / "history"

    def port_of(self, package: str) -> int:
        """Return the port at which the service of a package listens."""
        port: int = getattr(self, f"{package}_port")
        return port

    def url_of(self, package: str) -> str:
        """Return the address of the service of a package."""
        url: str = getattr(self, f"{package}_url")
        return url


def read(environ: Mapping[str, str], **flags: Any) -> Settings:
    """Return the settings of an environment, overridden by flags that are not None.

    Raises:
        SettingsError: A variable `MARQUEE_…` is unknown (the text names the nearest known one), has
            a wrong value, or contradicts another one.
    """
    values: dict[str, Any] = {}
    for variable, value in environ.items():
        if variable.startswith(PREFIX):
            name, text = _named(variable, value)
            values[name] = text
    values |= {name: value for name, value in flags.items() if value is not None}
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        text = _SPELLING.get(name) or first["msg"]
        raise SettingsError(f"{_variable(name)}: {text}", name) from None
    _check_addresses(settings)
    _check_together(settings)
    return settings


def with_state_file(environ: Mapping[str, str], state: Path | None = None) -> dict[str, str]:
    """Return an environment over the settings that a running system left in its state folder.

    `make demo` leaves `marquee.env` there, so that a command finds the servers it has started.
    """
    folder = state or Path(environ.get(f"{PREFIX}STATE") or Settings().state)
    try:
        lines = (folder / STATE_FILE).read_text().splitlines()
    except OSError:
        return dict(environ)
    return dict(line.split("=", 1) for line in lines if "=" in line) | dict(environ)


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _check_addresses(settings: Settings) -> None:
    faults = {"redis_url": redis_url_fault(settings.redis_url.get_secret_value())}
    faults |= {f"{app}_url": http_url_fault(settings.url_of(app)) for app in APPS[1:]}
    for name, fault in faults.items():
        if fault:
            raise SettingsError(f"{_variable(name)}: {fault}", name)
    fault = kafka_servers_fault(settings.kafka_servers) if settings.bus == "kafka" else None
    if fault:
        raise SettingsError(f"MARQUEE_BUS=kafka needs MARQUEE_KAFKA_SERVERS: {fault}", "bus")


def _check_together(settings: Settings) -> None:
    """Raise SettingsError for two settings that contradict each other; the text names both."""
    few, many = settings.few_ratings, settings.many_ratings
    if few > many:
        raise SettingsError(
            f"MARQUEE_FEW_RATINGS={few} is above MARQUEE_MANY_RATINGS={many}: set it to"
            f" {many} or less",
            "few_ratings",
        )
    if settings.kafka_replication == 0:
        raise SettingsError("MARQUEE_KAFKA_REPLICATION: 1 or more, or -1", "kafka_replication")
    users: dict[int, str] = {}
    for name in _local_ports(settings):
        port: int = getattr(settings, name)
        other = users.setdefault(port, name) if port else name
        if other != name:
            raise SettingsError(
                f"{_variable(other)} and {_variable(name)} are both {port} on {settings.host}:"
                " give each a port of its own",
                name,
            )


def _local_ports(settings: Settings) -> list[str]:
    """Return the settings of ports that processes of this machine share.

    An app elsewhere is known by its address. Where the host is not the loopback address, each
    process may be in a container of its own, and equal ports may be right.
    """
    if not is_loopback(settings.host):
        return []
    here = [app for app in APPS[1:] if is_loopback(host_of(settings.url_of(app)))]
    return [f"{app}_port" for app in ("gateway", *here, "consumer")]


def _named(variable: str, value: str) -> tuple[str, str]:
    name = variable.removeprefix(PREFIX).lower()
    if name in Settings.model_fields:
        return name, value
    secret = name.removesuffix("_file")
    if secret != name and secret in Settings.model_fields:
        return secret, _secret(variable, value)
    near = difflib.get_close_matches(name, Settings.model_fields, 1, 0.0)
    raise SettingsError(f"{variable} is no setting; the nearest is {PREFIX}{near[0].upper()}", name)


def _secret(variable: str, path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise SettingsError(f"{variable}: {path}: {error.strerror}", variable) from None
