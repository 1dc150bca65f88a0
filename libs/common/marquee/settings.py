"""Settings: flag > environment (`MARQUEE_…`, secrets also as `…_FILE`) > state file > default."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from marquee.errors import SettingsError

PREFIX = "MARQUEE_"
STATE_FILE = "marquee.env"


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
    gateway_port: int = 8080
    content_port: int = 8101
    hybrid_port: int = 8102
    user_model_port: int = 8103
    neural_port: int = 8104
    trainer_port: int = 8105
    consumer_port: int = 0
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

    SettingsError names an unknown `MARQUEE_` variable with the nearest known one, or a wrong value.
    """
    values: dict[str, Any] = {}
    for variable, value in environ.items():
        if variable.startswith(PREFIX):
            name, text = _named(variable, value)
            values[name] = text
    values |= {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise SettingsError(f"{PREFIX}{name.upper()}: {first['msg']}", name) from None


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
