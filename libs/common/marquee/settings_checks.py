"""Checks of settings against each other: addresses, contradictions, secrets that are short."""

import re
from typing import TYPE_CHECKING

from pydantic import SecretStr

from marquee.addresses import (
    host_of,
    http_url_fault,
    is_loopback,
    kafka_servers_fault,
    redis_access_fault,
    redis_url_fault,
)
from marquee.errors import SettingsError

if TYPE_CHECKING:
    from marquee.settings import Settings

PREFIX = "MARQUEE_"
APPS = ("gateway", "content", "hybrid", "user_model", "neural", "trainer")
"""Packages whose app has a port of its own."""
RATE = re.compile(r"([1-9][0-9]{0,8})/([smhd])")
"""A rate: a count, and the unit of time that it holds for."""
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?")
_ROOT_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")


def check_settings(settings: "Settings") -> None:
    """Check addresses, contradictions and access.

    Raises:
        SettingsError: The first fault; the text names the setting and the remedy.
    """
    _check_addresses(settings)
    _check_together(settings)
    _check_access(settings)
    _check_web(settings)


def split_list(text: str) -> tuple[str, ...]:
    """Return the parts of a setting that commas separate."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def split_secrets(setting: SecretStr | None) -> tuple[str, ...]:
    """Return the secrets of a setting, newest first; none where it is not set."""
    return split_list("" if setting is None else setting.get_secret_value())


def variable_of(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def _check_addresses(settings: "Settings") -> None:
    faults = {"redis_url": redis_url_fault(settings.redis_url.get_secret_value())}
    for app in APPS[1:]:
        each = map(http_url_fault, settings.urls_of(app))
        faults[f"{app}_url"] = next((fault for fault in each if fault), None)
    for name, fault in faults.items():
        if fault:
            raise SettingsError(f"{variable_of(name)}: {fault}", name)
    if found := redis_access_fault(settings.redis_url.get_secret_value(), settings.redis_access):
        raise SettingsError(f"{variable_of(found[0])}: {found[1]}", found[0])
    fault = kafka_servers_fault(settings.kafka_servers) if settings.bus == "kafka" else None
    if fault:
        raise SettingsError(f"MARQUEE_BUS=kafka needs MARQUEE_KAFKA_SERVERS: {fault}", "bus")


def _check_together(settings: "Settings") -> None:
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
                f"{variable_of(other)} and {variable_of(name)} are both {port} on {settings.host}:"
                " give each a port of its own",
                name,
            )


def _check_access(settings: "Settings") -> None:
    """Raise SettingsError where access is open to others unsaid, or a secret is too short."""
    if not settings.auth and not is_loopback(settings.host):
        raise SettingsError(
            f"MARQUEE_HOST={settings.host} can be reached by others: set MARQUEE_AUTH=keys, or"
            " MARQUEE_AUTH=open if whoever reaches it may do everything",
            "auth",
        )
    for name, length in (("token_secrets", 32), ("service_secret", 16)):
        if any(len(one) < length for one in split_secrets(getattr(settings, name))):
            raise SettingsError(
                f"{variable_of(name)}: a secret has fewer than {length} characters; take one of"
                " `openssl rand -hex 32`",
                name,
            )
    for name in ("viewer_rate", "viewer_events"):
        rate: str = getattr(settings, name)
        if rate and not RATE.fullmatch(rate):
            raise SettingsError(f"{variable_of(name)}: write a rate as 20/s, 600/m or 2000/h", name)


def _check_web(settings: "Settings") -> None:
    """Raise SettingsError for an origin or a prefix that is none."""
    origins = split_list(settings.cors_origins)
    if origins != ("*",) and (wrong := [o for o in origins if not _ORIGIN.fullmatch(o)]):
        raise SettingsError(
            f"MARQUEE_CORS_ORIGINS: {wrong[0]} is no origin: write scheme, host in lower case and"
            " port alone, as https://shop.example or http://localhost:5173; or * for all",
            "cors_origins",
        )
    if not _ROOT_PATH.fullmatch(settings.root_path):
        raise SettingsError(
            f"MARQUEE_ROOT_PATH={settings.root_path}: write it as /marquee, without a slash at its"
            " end; letters, digits and . _ ~ - alone",
            "root_path",
        )


def _local_ports(settings: "Settings") -> list[str]:
    """Return the settings of ports that processes of this machine share.

    An app elsewhere is known by its address. Where the host is not the loopback address, each
    process may be in a container of its own, and equal ports may be right.
    """
    if not is_loopback(settings.host):
        return ["gateway_port", "operate_port"]
    here = [a for a in APPS[1:] if all(is_loopback(host_of(url)) for url in settings.urls_of(a))]
    return [f"{app}_port" for app in ("gateway", "operate", *here, "consumer")]
