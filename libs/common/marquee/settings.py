"""Settings: flag > environment (`MARQUEE_…`, secrets also as `…_FILE`) > state file > default."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from marquee.addresses import RedisAccess, redis_address
from marquee.errors import SettingsError
from marquee.settings_checks import (
    APPS,
    PREFIX,
    RATE,
    check_settings,
    split_list,
    split_secrets,
    variable_of,
)

__all__ = [
    "APPS",
    "PREFIX",
    "RATE",
    "STATE_FILE",
    "Settings",
    "read",
    "split_list",
    "split_secrets",
]

STATE_FILE = "marquee.env"

_SPELLING = {
    "namespace": "only a to z in lower case, 0 to 9, - and _",
    "kafka_member": "only letters, digits, - and _, at most 200",
    "kafka_user": "neither , nor =, which SCRAM keeps for itself",
}
"""What may stand in a setting that a pattern checks."""
Port = Annotated[int, Field(ge=0, le=65_535)]
OptionalFile = Annotated[Path | None, BeforeValidator(lambda value: value or None)]
"""A file; an empty value names none."""


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
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How to connect to Kafka: SSL encrypts, SASL logs in."""
    kafka_sasl_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_user: Annotated[str, Field(pattern=r"^[^,=]*$")] = ""
    """User on Kafka, another one for each kind of process (`marquee kafka acls`)."""
    kafka_password: SecretStr | None = None
    kafka_ca: OptionalFile = None
    """Certificates of the authorities of the brokers, in PEM; none: those of the system."""
    kafka_certificate: OptionalFile = None
    """Certificate of this client in PEM, for brokers that ask for one; its key may be with it."""
    kafka_key: OptionalFile = None
    kafka_key_password: SecretStr | None = None
    kafka_check_hostname: bool = True
    """Whether a broker's certificate must hold for the host that was asked for."""
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    redis_user: str = ""
    """User of this process at Redis (`marquee acl`); empty: that of the address."""
    redis_password: SecretStr | None = None
    redis_ca: OptionalFile = None
    """Certificates of the authorities that sign Redis's, for rediss://; None: the system's."""
    redis_certificate: OptionalFile = None
    """Certificate of this process for a Redis that asks for one."""
    redis_key: OptionalFile = None
    """Its private key; None: it is in the file of the certificate."""
    namespace: Annotated[str, Field(pattern=r"^[a-z0-9_-]*$")] = "marquee"
    """Leads every Redis key, topic and consumer group, so that systems can share servers."""
    partitions: Annotated[int, Field(ge=1, le=1024)] = 4
    """Partitions of `movies` and `ratings`; fixed once the topics exist."""

    host: str = "127.0.0.1"
    """Where the processes of this machine listen."""
    auth: Literal["", "keys", "open"] = ""
    """Who may call the gateway: whoever has a key (`marquee keys`), or everybody. Empty: everybody
    on the loopback address; elsewhere it must be said."""
    token_secrets: SecretStr | None = None
    """Secrets that sign viewers' tokens, newest first, separated by commas; none: no tokens."""
    viewer_rate: str = "20/s"
    """Limit of the calls of one viewer by tokens, as 20/s or 600/m; empty: none."""
    service_secret: SecretStr | None = None
    """Secret that services ask each other for, newest first, separated by commas; none: they answer
    whoever reaches them."""
    gateway_port: Port = 8080
    operate_port: Port = 0
    """Port of the gateway's metrics, details of readiness and operators' calls, which its other
    port then does not answer; 0: they are on that one."""
    content_port: Port = 8101
    hybrid_port: Port = 8102
    user_model_port: Port = 8103
    neural_port: Port = 8104
    trainer_port: Port = 8105
    consumer_port: Port = 0
    """Port of a consumer's health and metrics; 0: none."""
    # Addresses of the gateway's upstreams; several of one service are separated by commas.
    content_url: str = "http://127.0.0.1:8101"
    hybrid_url: str = "http://127.0.0.1:8102"
    user_model_url: str = "http://127.0.0.1:8103"
    neural_url: str = "http://127.0.0.1:8104"
    trainer_url: str = "http://127.0.0.1:8105"
    root_path: str = ""
    """Prefix under which a proxy has the gateway, as /marquee; it may take it off or leave it."""
    cors_origins: str = ""
    """Origins whose pages may call the gateway, as https://shop.example, separated by commas; `*`:
    all. Empty: none but its own."""
    cors_scopes: str = "read,write"
    """Scopes of the calls that those pages may make."""
    web: Path | None = None
    """Folder of the page; None: the gateway serves the API alone."""

    deadline_ms: Annotated[float, Field(gt=0)] = 250.0
    """How long the gateway waits for one model service before it goes down the chain."""
    cache_mb: Annotated[int, Field(ge=0, le=65_536)] = 64
    """Megabytes of lists that a gateway keeps to give them again while nothing that they rest on
    has changed; 0: each list is computed."""
    wait_ms: Annotated[int, Field(ge=0, le=10_000)] = 1000
    """How long a read with `after` waits at most."""
    drain_s: Annotated[float, Field(ge=0, le=300)] = 1.0
    """How long an app that was told to stop goes on accepting while its readiness is 503: as long
    as a proxy needs to see that, at least. 0: nothing is in front of it."""
    max_requests: Annotated[int, Field(ge=1)] = 128
    """Requests that a gateway has under way, at most; further ones are refused with 503 at once.
    While it or the model services are slow there are fewer, down to 32."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that share the port of an app, but for the trainer's. Limits of requests,
    connections and followers and the cache are those of each of them; rates hold over all."""
    max_connections: Annotated[int, Field(ge=10, le=100_000)] = 1000
    """Connections that an app has open, at most; those without a request in work give way."""
    max_followers: Annotated[int, Field(ge=0, le=100_000)] = 500
    """Connections that follow a viewer's list, at most, and at most half of all; 0: none."""
    viewer_events: str = "2000/h"
    """Limit of the events of one viewer, whoever sends them, as 2000/h; empty: none."""
    write_ms: Annotated[int, Field(ge=100, le=60_000)] = 1000
    """How long a write waits for the bus at most; then it is refused, and may be sent again."""
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
    audit_entries: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Newest audit entries that stay: of rules, of films, and receipts of erasures, in each
    partition; and of operations."""
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
    def is_open(self) -> bool:
        """Whether every caller may do everything."""
        return self.auth != "keys"

    @property
    def redis_access(self) -> RedisAccess:
        password = "" if self.redis_password is None else self.redis_password.get_secret_value()
        files = self.redis_ca, self.redis_certificate, self.redis_key
        return RedisAccess(self.redis_user, password, *files)

    @property
    def redis_address(self) -> str:
        """The address of Redis with user, password and files of TLS; a secret."""
        return redis_address(self.redis_url.get_secret_value(), self.redis_access)

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

    def ports_of(self, package: str) -> tuple[str, ...]:
        """Return the settings of the ports at which an app answers."""
        has_two = package == "gateway" and self.operate_port
        return (f"{package}_port", *(("operate_port",) if has_two else ()))

    def urls_of(self, package: str) -> tuple[str, ...]:
        """Return the addresses of the service of a package, one for each replica or proxy."""
        urls: str = getattr(self, f"{package}_url")
        return tuple(url.strip() for url in urls.split(","))


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
        raise SettingsError(f"{variable_of(name)}: {text}", name) from None
    check_settings(settings)
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


def _named(variable: str, value: str) -> tuple[str, str]:
    name = variable.removeprefix(PREFIX).lower()
    if name in Settings.model_fields:
        return name, value
    secret = name.removesuffix("_file")
    if secret != name and secret in Settings.model_fields:
        if Settings.model_fields[secret].annotation == Path | None:
            raise SettingsError(f"{variable}: set {variable_of(secret)}, the path itself", name)
        return secret, _secret(variable, value)
    near = difflib.get_close_matches(name, Settings.model_fields, 1, 0.0)
    raise SettingsError(f"{variable} is no setting; the nearest is {PREFIX}{near[0].upper()}", name)


def _secret(variable: str, path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise SettingsError(f"{variable}: {path}: {error.strerror}", variable) from None
